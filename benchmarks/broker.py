"""A Mosquitto with our configuration and access list and nothing else of ours, for what needs no mesh."""

import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection
from typing import Final

from benchmarks.measure import ended, free_port

from ffmesh_broker.configuration import BrokerFolder, prepare, write_conf
from ffmesh_broker.passwords import set_login
from ffmesh_broker.private import mosquitto_program

START_SECONDS: Final = 10.0


@contextmanager
def broker(
    path: Path, logins: Mapping[str, str], *, nodelay: bool = True, more_access: str = ""
) -> Generator[int, None, None]:
    """Its port. `logins` are passwords by login; `nodelay` is false where that line of ours is to be left out;
    `more_access` is put behind the access list, for one login that plays many."""
    folder = prepare(path, cluster="home")
    with folder.acl.open("a", encoding="utf-8") as acl:
        acl.write(more_access)
    for login, password in logins.items():
        set_login(folder.passwords, login, password)
    port = free_port()
    write_conf(folder, addresses=("127.0.0.1",), port=port)
    if not nodelay:
        text = folder.conf.read_text(encoding="utf-8")
        assert "set_tcp_nodelay true" in text, "our configuration sets it"
        folder.conf.write_text(text.replace("set_tcp_nodelay true", "set_tcp_nodelay false"), encoding="utf-8")
    with folder.log.open("wb") as log:
        process = subprocess.Popen([mosquitto_program(), "-c", folder.conf], stdin=subprocess.DEVNULL, stderr=log)
    try:
        _wait_until_it_listens(process, folder, port)
        yield port
    finally:
        ended(process)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", folder: BrokerFolder, port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with suppress(ConnectionRefusedError), create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.01)
    raise SystemExit(f"Mosquitto does not listen: {folder.log.read_text(errors='replace')}")

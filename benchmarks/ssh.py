"""Warm ssh: what a user would take instead, at its best.

An sshd of its own on 127.0.0.1 and one open connection that all commands share (ControlMaster). Keys, configuration and
socket lie in a temporary folder. So does the home that the shell at the other end is told of: a user's start-up files
may take longer than ssh, and are no cost of it.
"""

import getpass
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.measure import check, ended, free_port

START_SECONDS: Final = 10.0
PRIVILEGE_SEPARATION: Final = Path("/run/sshd")
"""An sshd that is started as root wants this empty folder."""

SERVER: Final = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
MaxSessions 100
SetEnv HOME={folder}
"""
CLIENT: Final = """\
Host bench
HostName 127.0.0.1
Port {port}
User {user}
IdentityFile {folder}/user
IdentitiesOnly yes
UserKnownHostsFile /dev/null
StrictHostKeyChecking no
LogLevel ERROR
BatchMode yes
ControlPath {folder}/control
"""


class WarmSsh:
    def __init__(self, client: Path) -> None:
        self._client = client

    def run(self, *line: str) -> list[str | Path]:
        return ["ssh", "-F", self._client, "bench", *line]


@contextmanager
def warm_ssh() -> Generator[WarmSsh | None, None, None]:
    """None where there is no sshd: its column is left out then."""
    server = shutil.which("sshd", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))
    if server is None or shutil.which("ssh") is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-ssh-") as name, _privilege_separation():
        folder = Path(name)
        values = {"folder": folder, "port": free_port(), "user": getpass.getuser()}
        for key in ("host", "user"):
            command: list[str | Path] = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (folder / "server.conf").write_text(SERVER.format(**values), encoding="utf-8")
        client = folder / "client.conf"
        client.write_text(CLIENT.format(**values), encoding="utf-8")
        with (
            _running([server, "-D", "-e", "-f", folder / "server.conf"], folder / "server.log"),
            _master(client, folder),
        ):
            yield WarmSsh(client)


@contextmanager
def _master(client: Path, folder: Path) -> Generator[None, None, None]:
    """The connection that all commands share. The server may need a moment before it listens."""
    until = time.monotonic() + START_SECONDS
    while True:
        with _running(["ssh", "-F", client, "-M", "-N", "bench"], folder / "client.log") as master:
            while master.poll() is None and not (folder / "control").exists():
                time.sleep(0.01)
            if master.poll() is None:
                yield
                return
        if time.monotonic() > until:
            said = b"".join((folder / log).read_bytes() for log in ("client.log", "server.log"))
            check(255, ["ssh"], said)
        time.sleep(0.05)


@contextmanager
def _running(command: list[str | Path], log: Path) -> "Generator[subprocess.Popen[bytes], None, None]":
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        yield process
    finally:
        ended(process)


@contextmanager
def _privilege_separation() -> Generator[None, None, None]:
    if os.geteuid() != 0 or PRIVILEGE_SEPARATION.exists():
        yield
        return
    PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    try:
        yield
    finally:
        PRIVILEGE_SEPARATION.rmdir()

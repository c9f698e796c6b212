"""A socket as systemd has it, to which services say that they are ready, live, and stop.

with notified(tmp_path) as systemd:
    subprocess.Popen([...], env=os.environ | systemd.environment)
    systemd.until("READY=1", 30.0)
"""

import socket
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 65536


class Notified:
    """Made by `notified`."""

    def __init__(self, sock: socket.socket, named: str, watchdog_seconds: float | None) -> None:
        self._socket = sock
        self.environment = {"NOTIFY_SOCKET": named}
        if watchdog_seconds is not None:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog_seconds * 1e6))

    def next(self, seconds: float) -> list[str]:
        """The lines of the next message."""
        self._socket.settimeout(seconds)
        return self._socket.recv(LONGEST).decode().splitlines()

    def until(self, line: str, seconds: float) -> list[list[str]]:
        """All messages up to the first that has this line."""
        end = time.monotonic() + seconds
        said: list[list[str]] = []
        while not said or line not in said[-1]:
            left = end - time.monotonic()
            assert left > 0, f"{line} did not come; {said} did"
            said.append(self.next(left))
        return said

    def empty(self) -> None:
        """What has come so far is not looked at."""
        self._socket.setblocking(False)
        while True:
            try:
                self._socket.recv(LONGEST)
            except BlockingIOError:
                return


@contextmanager
def notified(
    folder: Path, *, abstract: bool = False, watchdog_seconds: float | None = None
) -> Generator[Notified, None, None]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        if abstract:
            name = f"ffmesh-test-{uuid.uuid4()}"
            address: str | bytes = b"\0" + name.encode()
            named = f"@{name}"
        else:
            address = named = str(folder / "notify")
        sock.bind(address)
        yield Notified(sock, named, watchdog_seconds)

"""What systemd, or whoever else has started us and wants to know, is told: that we are ready, stop, and live.

Words go to the socket that NOTIFY_SOCKET names, and nowhere when there is none. Whoever cannot be told any more is no
reason to end: what we do is worth more than the telling. The variables are taken out of the environment, so that no
program of ours can speak in our name.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

SOCKET: Final = "NOTIFY_SOCKET"
MICROSECONDS: Final = "WATCHDOG_USEC"
OF_PROCESS: Final = "WATCHDOG_PID"

SIGNS_IN_TIME: Final = 3
"""So many signs of life fall into the time after which we count as dead: one may come late."""

_log = logging.getLogger(__name__)


class Readiness:
    """`every` is the number of seconds between two signs of life; None: nobody waits for them."""

    def __init__(self, address: str | bytes | None = None, every: float | None = None) -> None:
        self._address = address
        self.every = every if address is not None else None
        self._is_ready = False

    def ready(self, status: str) -> None:
        """Once, however often it is said: later ones tell the status alone."""
        first = [] if self._is_ready else ["READY=1"]
        self._is_ready = True
        self._say(*first, f"STATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        self._say(f"STATUS={_one_line(status)}")

    def stopping(self, status: str = "stopping") -> None:
        self._say("STOPPING=1", f"STATUS={_one_line(status)}")

    def lives(self) -> None:
        self._say("WATCHDOG=1")

    def _say(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            _log.debug("%s could not be told: %s", lines[0], error)


SILENT: Final = Readiness()


def readiness(environment: MutableMapping[str, str] = os.environ, pid: int | None = None) -> Readiness:
    """Of this process, as its environment says it."""
    named, microseconds = environment.pop(SOCKET, ""), environment.pop(MICROSECONDS, "")
    of_process = environment.pop(OF_PROCESS, "")
    if sys.platform == "win32" or not named.startswith(("/", "@")):
        return SILENT
    is_meant = of_process in ("", str(pid or os.getpid()))
    every = int(microseconds) / 1e6 / SIGNS_IN_TIME if is_meant and microseconds.isdecimal() else None
    address = os.fsencode(named)
    # An abstract address is written with an @ for the zero byte that it begins with.
    return Readiness(b"\0" + address[1:] if named.startswith("@") else address, every or None)


def _one_line(status: str) -> str:
    return " ".join(status.split())

"""Asks who knows when somebody last touched this machine: terminals, logind, and the display of its own session.

Everything but `xprintidle` is asked in a thread. What the witnesses mean is decided by manners/idleness.py.
"""

import glob
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ffmesh_agent.manners.idleness import Session, Witnesses, last_input
from ffmesh_agent.manners.readings import Reading
from ffmesh_agent.shell.capture import Asker, NoAnswer
from ffmesh_agent.shell.hanging import Look
from ffmesh_agent.shell.message_bus import Bus, NoBus, Whom

LOGIND: Final = Whom("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_SESSION: Final = "org.freedesktop.login1.Session"
_MUTTER: Final = Whom(
    "org.gnome.Mutter.IdleMonitor", "/org/gnome/Mutter/IdleMonitor/Core", "org.gnome.Mutter.IdleMonitor"
)

_TERMINALS: Final = ("/dev/tty[1-9]*", "/dev/pts/[0-9]*")
_DISPLAYS: Final = Path("/tmp/.X11-unix")  # noqa: S108  # where X servers, and those for Wayland, have their sockets
_XPRINTIDLE: Final = "xprintidle"

_ANSWER_SECONDS: Final = 5.0


class LastInput:
    def __init__(self, asker: Asker, environment: Mapping[str, str] = os.environ) -> None:
        self._look = Look("last input", self._witnesses)
        self._asker = replace(asker, seconds=_ANSWER_SECONDS)
        self._environment = environment
        self._system: Bus | None = None
        self._session: Bus | None = None
        self._is_in_session = "DBUS_SESSION_BUS_ADDRESS" in environment

    def close(self) -> None:
        for bus in (self._system, self._session):
            if bus is not None:
                bus.close()
        self._system = self._session = None

    async def reading(self) -> Reading | None:
        """None: a witness hangs."""
        witnesses = await self._look.answer(_ANSWER_SECONDS)
        if witnesses is None:
            return None
        if witnesses.display is None:
            witnesses = Witnesses(
                terminals=witnesses.terminals,
                display=await self._by_xprintidle(),
                sessions=witnesses.sessions,
                has_display=witnesses.has_display,
            )
        return last_input(witnesses, time.monotonic())

    def _witnesses(self) -> Witnesses:
        return Witnesses(
            terminals=tuple(terminals()),
            display=self._by_mutter(),
            sessions=self._sessions(),
            has_display=_DISPLAYS.is_dir() and any(_DISPLAYS.iterdir()),
        )

    def _sessions(self) -> tuple[Session, ...] | None:
        try:
            self._system = self._system or Bus.opened("SYSTEM")
            return sessions(self._system)
        except NoBus:
            if self._system is not None:
                self._system.close()
                self._system = None
            return None

    def _by_mutter(self) -> float | None:
        """GNOME's, on X11 and Wayland."""
        if not self._is_in_session:
            return None
        try:
            self._session = self._session or Bus.opened("SESSION")
            [milliseconds] = self._session.call(_MUTTER, "GetIdletime")
            return int(milliseconds) / 1000
        except NoBus:
            if self._session is not None:
                self._session.close()
                self._session = None
            return None

    async def _by_xprintidle(self) -> float | None:
        display = {name: self._environment[name] for name in ("DISPLAY", "XAUTHORITY") if name in self._environment}
        program = shutil.which(_XPRINTIDLE, path=self._asker.environment.get("PATH"))
        if "DISPLAY" not in display or program is None:
            return None
        asker = replace(self._asker, environment={**self._asker.environment, **display})
        try:
            return int(await asker.asked([program])) / 1000
        except (NoAnswer, ValueError):
            return None


def sessions(bus: Bus) -> tuple[Session, ...]:
    """Those that logind knows; one that ends meanwhile is left out."""
    [listed] = bus.call(LOGIND, "ListSessions")
    found: list[Session] = []
    for *_, path in listed:
        try:
            said = bus.properties(Whom(LOGIND.service, str(path), _SESSION))
        except NoBus:
            continue
        if said.get("State") == "closing":
            continue  # somebody has logged out, and left something running
        found.append(
            Session(
                kind=str(said.get("Type")),
                owner=str(said.get("Class")),
                is_idle=said.get("IdleHint") is True,
                since=_seconds(said.get("IdleSinceHintMonotonic")),
            )
        )
    return tuple(found)


def _seconds(microseconds: object) -> float:
    return microseconds / 1_000_000 if isinstance(microseconds, int) else 0.0


def terminals() -> list[float]:
    """Seconds since each was typed at: the kernel notes when one is read, to within some seconds."""
    now = time.time()
    found: list[float] = []
    for place in (place for pattern in _TERMINALS for place in glob.glob(pattern)):  # noqa: PTH207  # as below
        try:
            found.append(max(0.0, now - os.stat(place).st_atime))  # noqa: PTH116  # the fewest calls
        except OSError:
            continue
    return found

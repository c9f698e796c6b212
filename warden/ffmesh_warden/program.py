"""One program, as its owner knows it."""

import asyncio
import contextlib
import math
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from ffmesh_warden.link import Link


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: by an exit code or by a signal, the other is None."""

    exit_code: int | None
    signal: int | None
    by_deadline: bool = False
    memory_limit_reached: bool = False
    """The kernel killed something of it for taking more memory than its cgroup may have."""
    warden_died: bool = False
    """It was killed because its warden had died: how it would have ended is not known."""


class Record:
    """What the handle writes down about a program, and a `Program` reads."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.end: Ended | None = None
        self.over = asyncio.Event()
        self._process = _pidfd(pid)

    def conclude(self, end: Ended) -> None:
        self.end = end
        self.over.set()
        if self._process is not None:
            os.close(self._process)
            self._process = None

    def kill_group(self) -> None:
        """For when the warden has died. The number may by now be another's, if we were stopped for long."""
        if self._process is not None and sys.platform == "linux":
            try:
                signal.pidfd_send_signal(self._process, 0)
            except ProcessLookupError:
                # Ours is gone. A group with its number is another's if there is a process with that number, else it
                # is what was left of ours.
                if Path(f"/proc/{self.pid}").exists():
                    return
            except PermissionError:
                pass  # it has another user, but it is there
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


class Starting:
    """One that the warden was told to start. Its orders reach it in their order, also before it is known to run, and do
    nothing when it never does, or has ended."""

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name

    def signal(self, number: int) -> None:
        """To the whole process group."""
        if number not in signal.valid_signals():
            raise ValueError(f"no signal has the number {number}")
        self._link.post({"verb": "signal", "id": self._name, "number": int(number)})

    def kill_at(self, boottime: float | None) -> None:
        """Moves or lifts the deadline (CLOCK_BOOTTIME) at which the warden kills it without asking anybody."""
        self._link.post({"verb": "deadline", "id": self._name, "at": checked(boottime)})


class Program(Starting):
    """Its orders are sent at once, and do nothing when it has ended."""

    def __init__(self, link: Link, name: str, record: Record) -> None:
        super().__init__(link, name)
        self._record = record

    @property
    def pid(self) -> int:
        """Of the program, of its process group and of its session."""
        return self._record.pid

    @property
    def end(self) -> Ended | None:
        return self._record.end

    def signal(self, number: int) -> None:
        if self.end is None:
            super().signal(number)

    def kill_at(self, boottime: float | None) -> None:
        if self.end is None:
            super().kill_at(boottime)

    async def ended(self) -> Ended:
        await self._record.over.wait()
        assert self._record.end is not None
        return self._record.end


def checked(boottime: float | None) -> float | None:
    if boottime is not None and math.isnan(boottime):
        raise ValueError("a deadline that is not a number would never pass")
    return boottime


def _pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # it has ended already, and we shall hear so

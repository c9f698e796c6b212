"""How much of this machine's processors others use: all that is busy, less this agent with its programs."""

import os
from pathlib import Path
from typing import Final

from ffmesh_agent.shell.processes import PROC, NoProcesses, below, processes

_TIMES: Final = 8
"""User, nice, system, idle, waiting for disks, two of interrupts, stolen. What follows is counted among these."""

_IDLE: Final = (3, 4)

_LEAST: Final = 20
"""Ticks of all processors, between two looks: of less nothing can be told."""


class Usage:
    """Between two looks."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._before: tuple[int, int, int] | None = None
        self._percent: float | None = None

    def percent(self) -> float | None:
        """Of all processors together; null until there was a look before."""
        total, busy, ours = self._looked()
        if self._before is None:
            self._before = total, busy, ours
        passed = total - self._before[0]
        if passed >= _LEAST:
            of_others = busy - self._before[1] - max(0, ours - self._before[2])
            self._percent = min(100.0, max(0.0, 100.0 * of_others / passed))
            self._before = total, busy, ours
        return self._percent

    def _looked(self) -> tuple[int, int, int]:
        """Ticks since the machine started, of those that are still there."""
        try:
            first, _, _ = (self._proc / "stat").read_bytes().partition(b"\n")
        except OSError as error:
            raise NoProcesses(f"{self._proc}/stat cannot be read ({error.strerror})") from None
        times = list(map(int, first.split()[1 : _TIMES + 1]))
        all_of_them = processes(self._proc)
        ours = below(os.getpid(), all_of_them)
        total = sum(times)
        busy = total - sum(times[each] for each in _IDLE)
        return total, busy, sum(each.ticks for each in all_of_them if each.pid in ours)

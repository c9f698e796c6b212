"""While a condition says `slow` or `pause`: all programs together on fewer processors, and behind everybody else's.

One that starts is told so before its first moment; ffmpeg then makes fewer threads by itself. Those that run are moved,
with all their threads, and given back later what they had. Interactive ones too: whoever is at the machine comes first,
and nobody's stream ends by it.

A nice value, once raised, is lowered only by root, or where a limit (RLIMIT_NICE) allows it. So what runs already keeps
its own unless we may give it back; what starts meanwhile gets the highest, and may have to keep it. Beside it stands
that of the session as a whole (autogroup), which anybody may raise and lower, where the kernel has it. SCHED_IDLE would
be as hard to leave as a nice value.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from typing import Final

from ffmesh_agent.manners.processors import few
from ffmesh_agent.shell import hanging
from ffmesh_agent.shell.hanging import heard
from ffmesh_agent.shell.limits import may_be
from ffmesh_agent.shell.processes import PROC, NoProcesses, below, processes
from ffmesh_protocol.messages.manners import Condition, Manner

SLOWEST: Final = 19

RESTRAINING: Final = frozenset({Manner.SLOW, Manner.PAUSE})
"""Where what nobody waits for stands still, what somebody waits for goes on slowly."""

ROUNDS: Final = 5
"""Of looking for threads: one that has not been moved yet may just have made another."""

log = logging.getLogger(__name__)


class Slowing:
    def __init__(self, cpus: int | None = None, nice: int | None = None) -> None:
        """`cpus` as configured; `nice` of programs that are not slow, null for the agent's own."""
        self._all = _usable()
        self._few = few(self._all, cpus)
        self._configured_nice = nice
        self._nice = nice if nice is not None else os.getpriority(os.PRIO_PROCESS, 0)
        self._may_lower = may_be(self._nice)
        self._running: dict[str, int] = {}
        self._one_at_a_time = Lock()
        self.is_slow = False

    @property
    def cpus(self) -> tuple[int, ...] | None:
        """Of a program that starts now; null: all."""
        return tuple(sorted(self._few)) if self.is_slow and self._few != self._all else None

    @property
    def nice(self) -> int | None:
        return SLOWEST if self.is_slow else self._configured_nice

    def heed(self, conditions: Iterable[Condition]) -> None:
        is_slow = any(each.in_force and each.manner in RESTRAINING for each in conditions)
        if is_slow == self.is_slow:
            return
        self.is_slow = is_slow
        if is_slow:
            log.info("programs are slow from now on: %s of %s processors", len(self._few), len(self._all))
        else:
            log.info("programs are no longer slow")
        self._in_a_thread(self._move_all)

    def began(self, attempt: str, pid: int, *, was_slow: bool) -> None:
        """`was_slow`: when its start was ordered."""
        self._running[attempt] = pid
        if was_slow != self.is_slow:
            self._in_a_thread(self._move_all)

    def over(self, attempt: str) -> None:
        self._running.pop(attempt, None)

    def _in_a_thread(self, work: Callable[[], None]) -> None:
        hanging.started("slow", work).add_done_callback(heard)

    def _move_all(self) -> None:
        """As things stand when its turn comes: whichever was ordered last holds."""
        with self._one_at_a_time:
            cpus, nice = (self._few, SLOWEST) if self.is_slow else (self._all, self._nice)
            for pid in tuple(self._running.values()):
                try:
                    move(pid, cpus, nice if self._may_lower else None)
                    _be_nice_as_a_session(pid, nice)
                except Exception:
                    log.exception("the program with the number %s cannot be moved", pid)


def move(program: int, cpus: frozenset[int], nice: int | None) -> None:
    """All threads of it and of what it has started. What has ended meanwhile needs none."""
    moved: set[int] = set()
    for _ in range(ROUNDS):
        threads = _threads(program) - moved
        if not threads:
            return
        for thread in threads:
            with contextlib.suppress(OSError):
                if cpus:
                    os.sched_setaffinity(thread, cpus)
                if nice is not None:
                    os.setpriority(os.PRIO_PROCESS, thread, nice)
        moved |= threads


def _threads(program: int) -> set[int]:
    try:
        family = below(program, processes())
    except NoProcesses:
        return set()
    found: set[int] = set()
    for pid in family:
        with contextlib.suppress(OSError):
            found |= {int(each.name) for each in (PROC / str(pid) / "task").iterdir()}
    return found


def _be_nice_as_a_session(program: int, nice: int) -> None:
    with contextlib.suppress(OSError):  # not each kernel divides by sessions
        Path(f"/proc/{program}/autogroup").write_text(str(nice), encoding="ascii")


def _usable() -> frozenset[int]:
    """Empty where the system has no such thing."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()

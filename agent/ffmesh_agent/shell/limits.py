"""What each program may take of this machine: the part of `[limits]` that can be kept here, and sentences of the rest.

An agent whose limits cannot all be kept says so at its start, and works: a machine that gives jobs no limits is better
than one that takes none.
"""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffmesh_agent.config import Limits
from ffmesh_agent.shell.cgroups import MEMORY_LIMIT, Groups, NoCgroup, tried, unkept
from ffmesh_protocol.sizes import size_shown
from ffmesh_warden.handle import Warden

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

_BEST: Final = 20
"""The kernel counts a limit of nice values from here down, so that none is below 0."""


@dataclass(frozen=True, slots=True)
class KeptLimits:
    nice: int | None = None
    ionice: str | None = None
    groups: Groups | None = None
    unkept: tuple[str, ...] = ()
    """A sentence for each that is asked for and cannot be kept. It names no place of the machine."""

    def cgroup(self, attempt: str) -> Path | None:
        """One for this attempt's program alone. Without it the program runs all the same, unless it bears limits."""
        if self.groups is None:
            return None
        try:
            return self.groups.made(attempt)
        except OSError as error:
            if self.groups.settings:
                raise NoCgroup(f"no cgroup for the limits of it: {error.strerror}") from error
            log.warning("%s: no cgroup for its program: %s", attempt, error.strerror)
            return None

    def over_memory(self) -> str:
        """What is said of a program that took more than it may."""
        limit = self.groups.settings.get(MEMORY_LIMIT) if self.groups is not None else None
        shown = f" of {size_shown(int(limit))}" if limit is not None else ""
        return f"its memory limit{shown} was reached on this machine"

    def remove(self, attempt: str) -> None:
        """The warden has done so when the program ended; but one that was never started has left its own."""
        if self.groups is not None:
            self.groups.remove(attempt)


NO_LIMITS: Final = KeptLimits()


async def kept(limits: Limits, groups: Groups | None, warden: Warden, unkept_before: Sequence[str] = ()) -> KeptLimits:
    """`unkept_before`: what was said already of those that need a cgroup."""
    nice, said = limits.nice, list(unkept_before)
    if nice is not None and not may_be(nice):
        said.append(f"[limits] nice = {nice}: not in force, because only root may go ahead of others")
        nice = None
    if groups is not None:
        try:
            await tried(groups, warden)
        except NoCgroup as error:
            log.info("no cgroup for each program: %s", error)
            said += unkept(limits, str(error)) if groups.settings else []
            groups = None
    return KeptLimits(nice=nice, ionice=limits.ionice, groups=groups, unkept=tuple(said))


def may_be(nice: int) -> bool:
    """Whether this process may give that value to one of its programs, whatever that one has now."""
    if os.geteuid() == 0 or nice >= os.getpriority(os.PRIO_PROCESS, 0):
        return True
    limit: int | None = getattr(resource, "RLIMIT_NICE", None)
    return limit is not None and nice >= _BEST - resource.getrlimit(limit)[0]

"""A cgroup (version 2) for each program, where the kernel and whoever started us let us make some.

With one, all that a program started ends with it, also what has left its session and wiped its environment; and it may
take only so much memory and processor time. Each lies beside the others, below the cgroup that we were started in, and
its name begins with `ffmesh-` and the id of our spool: what an earlier life left is known by that, and a copy of the
home ends nothing.

The kernel lets a cgroup divide memory and processors among those below it only when no process is in it itself. So if
such a limit is wished for we go into one of our own first; others that were started in the same place (a shell,
another agent) we leave alone, and then there is no such limit.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ffmesh_agent.config import Limits
from ffmesh_agent.roots import bytes_of
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.durable import written_whole
from ffmesh_warden import cgroup
from ffmesh_warden.errors import NotStarted
from ffmesh_warden.handle import Warden

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 10.0
"""For what an earlier life left and the kernel cannot end now, because it waits for a dead disk or mount."""

MEMORY_LIMIT: Final = "memory.max"

_PERIOD: Final = 100_000
_LEAF: Final = "agent"
_MAY_BE_MISSING: Final = frozenset({"memory.swap.max", "memory.oom.group"})


class NoCgroup(Exception):
    """Why there is none: the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Groups:
    folder: Path
    prefix: str
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """File → what is written into it, of each program's."""

    def made(self, name: str) -> Path:
        """Empty, with its limits; `OSError` if it cannot be made."""
        made = self.folder / f"{self.prefix}{name}"
        made.mkdir()
        try:
            for file, content in self.settings.items():
                if file not in _MAY_BE_MISSING or (made / file).exists():
                    (made / file).write_text(content)
        except OSError:
            made.rmdir()
            raise
        return made

    def remove(self, name: str) -> None:
        """If nothing lives in it."""
        with contextlib.suppress(OSError):
            (self.folder / f"{self.prefix}{name}").rmdir()

    def end_all(self) -> None:
        """Returns when nothing runs in those that are there, or when the kernel cannot end it."""
        left = [each for each in _below(self.folder) if each.name.startswith(self.prefix) and each != _own_or_none()]
        deadline = boottime() + PATIENCE_SECONDS
        for each in left:
            cgroup.kill(os.fsencode(each))
        for each in left:
            while cgroup.is_inhabited(os.fsencode(each)) and boottime() < deadline:
                time.sleep(0.01)
                cgroup.kill(os.fsencode(each))
            cgroup.remove(os.fsencode(each))
            if each.exists():
                log.error("%s: what an earlier life left in it cannot be ended; starting all the same", each)


def prepared(home: Path, spool: str, limits: Limits) -> tuple[Groups | None, list[str]]:
    """What earlier lives left is ended. Groups, if there can be any, and what of the limits cannot be kept.

    Before there is a loop, and before the warden, which must be started where we are then.
    """
    prefix = f"ffmesh-{spool}-"
    remembered = home / "cgroup"
    with contextlib.suppress(OSError):
        Groups(Path(remembered.read_text().strip()), prefix).end_all()
    settings = settings_of(limits)
    try:
        groups = _groups(own(), prefix)
        written_whole(remembered, f"{groups.folder}\n".encode())
    except (NoCgroup, OSError) as error:
        log.info("no cgroup for each program: %s", error)
        return None, unkept(limits, why(error))
    try:
        _divide(groups, {file.partition(".")[0] for file in settings})
    except (NoCgroup, OSError) as error:
        log.info("no limits for the programs below %s: %s", groups.folder, error)
        return groups, unkept(limits, why(error))
    return Groups(groups.folder, prefix, settings), []


async def tried(groups: Groups, warden: Warden) -> None:
    """`NoCgroup` if no program can run in one, for a reason that only trying tells."""
    try:
        trial = groups.made("trial")
        try:
            program = await warden.start(("sh", "-c", ":"), env={"PATH": os.defpath}, cwd="/", cgroup=trial)
            await program.ended()
        finally:
            cgroup.remove(os.fsencode(trial))
    except NotStarted as error:
        log.info("no program can be started in a cgroup of its own: %s", error)
        raise NoCgroup(f"no program can be started in a cgroup of its own ({os.strerror(error.errno)})") from error
    except OSError as error:
        raise NoCgroup(why(error)) from error


def why(error: NoCgroup | OSError) -> str:
    """Without any place of this machine: it is shown to everybody."""
    return str(error) if isinstance(error, NoCgroup) else f"no cgroup can be made here ({error.strerror})"


def unkept(limits: Limits, reason: str) -> list[str]:
    """The sentence, if any of them needs a cgroup."""
    asked = [name for name in ("memory", "cpus") if getattr(limits, name) is not None]
    if not asked:
        return []
    return [
        f"[limits] {' and '.join(asked)}: not in force, because {reason}; such limits need a cgroup of version 2 that "
        "is this agent's alone, as a systemd unit with Delegate=yes has"
    ]


def own(mounts: Path = Path("/proc/self/mountinfo"), membership: Path = Path("/proc/self/cgroup")) -> Path:
    """The folder of the cgroup that we are in."""
    with contextlib.suppress(OSError):
        ours = next((line[3:] for line in membership.read_text().splitlines() if line.startswith("0::")), None)
        for root, place in _cgroup2(mounts.read_text()):
            if ours is not None and (ours == root or ours.startswith(root.rstrip("/") + "/")):
                return Path(place, ours[len(root.rstrip("/")) :].lstrip("/"))
    raise NoCgroup("no cgroup file system of version 2 is mounted here")


def _own_or_none() -> Path | None:
    try:
        return own()
    except NoCgroup:
        return None


def _cgroup2(mounts: str) -> Iterator[tuple[str, str]]:
    for line in mounts.splitlines():
        fields, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            _, _, _, root, place, *_ = fields.split()
            yield root, place


def _groups(folder: Path, prefix: str) -> Groups:
    if not os.access(folder, os.W_OK) or not os.access(folder / "cgroup.procs", os.W_OK):
        raise NoCgroup("its cgroup is not this agent's to divide")
    return Groups(folder, prefix)


def _divide(groups: Groups, controllers: set[str]) -> None:
    """So that those below may be given limits."""
    folder, missing = groups.folder, controllers - _words(groups.folder / "cgroup.subtree_control")
    if not missing:
        return None
    unknown = missing - _words(folder / "cgroup.controllers")
    if unknown:
        raise NoCgroup(f"its cgroup has no controller for {' and '.join(sorted(unknown))}")
    with contextlib.suppress(OSError):  # the topmost one may have processes
        return _enable(folder, missing)
    ours = Groups(folder, groups.prefix).made(_LEAF)
    (ours / "cgroup.procs").write_text("0")
    try:
        _enable(folder, missing)
    except OSError as error:
        (folder / "cgroup.procs").write_text("0")
        ours.rmdir()
        raise NoCgroup("other processes are in its cgroup too") from error


def _enable(folder: Path, controllers: set[str]) -> None:
    (folder / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in sorted(controllers)))


def settings_of(limits: Limits) -> dict[str, str]:
    settings: dict[str, str] = {}
    if limits.memory is not None:
        # Without the second it would be swapped out instead; the third lets it die whole.
        settings |= {MEMORY_LIMIT: str(bytes_of(limits.memory)), "memory.swap.max": "0", "memory.oom.group": "1"}
    if limits.cpus is not None:
        settings |= {"cpu.max": f"{max(1000, int(limits.cpus * _PERIOD))} {_PERIOD}"}
    return settings


def _words(file: Path) -> set[str]:
    return set(file.read_text().split())


def _below(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if each.is_dir()]
    except OSError:
        return []

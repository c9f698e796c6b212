"""All processes of this machine, read in one pass; cheap enough to be made every few seconds. Linux only."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffmesh_warden.strays import MARK

PROC: Final = Path("/proc")

NAME_BYTES: Final = 15
"""The kernel keeps no more of a name."""

_MARKED: Final = f"{MARK}=".encode()
_GONE: Final = frozenset({b"Z", b"X"})


class NoProcesses(Exception):
    """Why they cannot be read: the rest of a sentence."""


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    parent: int
    name: str
    ticks: int
    """Processor time: its own, and that of its children whose ends it has heard."""


def processes(proc: Path = PROC) -> list[Process]:
    """Those that have ended, and wait for their parents to hear so, are none."""
    try:
        pids = [int(name) for name in os.listdir(proc) if name.isdecimal()]  # noqa: PTH208  # three times as fast
    except OSError as error:
        raise NoProcesses(f"{proc} cannot be read ({error.strerror})") from None
    found = [each for each in map(_process, (f"{proc}/{pid}/stat" for pid in pids)) if each is not None]
    if not found:
        raise NoProcesses(f"{proc} shows no process")
    return found


def _process(stat: str) -> Process | None:
    try:
        with open(stat, "rb") as file:  # noqa: PTH123  # as above
            content = file.read()
    except OSError:
        return None  # it has ended meanwhile
    before, _, after = content.rpartition(b")")
    number, _, name = before.partition(b"(")
    fields = after.split()
    if fields[0] in _GONE:
        return None
    ticks = sum(map(int, fields[11:15]))
    return Process(int(number), int(fields[1]), name.decode(errors="replace"), ticks)


def below(pid: int, all_of_them: Iterable[Process]) -> set[int]:
    """The process itself, its children, theirs, and so on."""
    children: dict[int, list[int]] = {}
    for each in all_of_them:
        children.setdefault(each.parent, []).append(each.pid)
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        found.add(one := waiting.pop())
        waiting += children.get(one, [])
    return found


def running(names: Sequence[str], proc: Path = PROC) -> list[str]:
    """Those of these names under which a process runs that no warden has started: jobs of a mesh count for nothing."""
    by_name: dict[str, list[int]] = {}
    for each in processes(proc):
        by_name.setdefault(each.name, []).append(each.pid)
    return [name for name in names if any(map(_is_meant(name, proc), by_name.get(_short(name), [])))]


def _short(name: str) -> str:
    return name.encode()[:NAME_BYTES].decode(errors="ignore")


def _is_meant(name: str, proc: Path) -> Callable[[int], bool]:
    def is_meant(pid: int) -> bool:
        try:
            marked = any(each.startswith(_MARKED) for each in (proc / str(pid) / "environ").read_bytes().split(b"\0"))
        except OSError:
            marked = False  # another user's, and so not of a warden of ours
        return not marked and (_short(name) == name or name in _begins_with(pid, proc))

    return is_meant


def _begins_with(pid: int, proc: Path) -> set[str]:
    """Names of the files that its command line begins with: a program, or an interpreter and its script."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")[:2]
    except OSError:
        return set()
    return {os.fsdecode(word).rpartition("/")[2] for word in words}

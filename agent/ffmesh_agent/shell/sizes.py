"""The outputs of a job with their sizes, for its summary: looked at when its program has ended.

For people: what cannot be looked at is left out, and so is what a result has no room for. A look may never return, and
belongs in a thread of its own.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from ffmesh_agent.core.fitting import TOLD_CHARS
from ffmesh_protocol.limits import NAME_CHARS, OUTPUTS, PATH_CHARS
from ffmesh_protocol.messages.jobs import Written


def written(outputs: Iterable[tuple[str, bytes | Path]]) -> tuple[Written, ...]:
    """Of pairs of what people call an output (`$Root/relative`) and where it lies: plain files, and folders with all
    that is in them."""
    told: list[Written] = []
    room = TOLD_CHARS
    for shown, place in dict(outputs).items():
        room -= len(shown)
        if len(told) == OUTPUTS or room < 0:
            break
        size = _size(Path(os.fsdecode(place))) if len(shown) <= PATH_CHARS + NAME_CHARS else None
        if size is not None:
            told.append(Written(path=shown, bytes=size))
    return tuple(told)


def _size(place: Path) -> int | None:
    try:
        there = place.stat()
        if stat.S_ISREG(there.st_mode):
            return there.st_size
        if stat.S_ISDIR(there.st_mode):
            return sum(_sizes_in(place))
    except OSError:
        pass
    return None


def _sizes_in(folder: Path) -> Iterable[int]:
    """`OSError` where folders are so deep that no path leads there."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield entry.stat(follow_symlinks=False).st_size

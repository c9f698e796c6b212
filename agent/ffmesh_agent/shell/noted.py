"""Words about staged outputs for people, and the places of an attempt's own, read off its note."""

import errno
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.ffmpeg.names import fixed_folder
from ffmesh_agent.shell import tree
from ffmesh_agent.shell.journal import Landing, Place, StagedNote, Target
from ffmesh_agent.shell.steps import KEPT, NotStaged, path
from ffmesh_protocol.messages.reports import FailureKind

_IS_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_ASKED_WRONGLY: Final = frozenset({errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})


def shown(note: StagedNote) -> str:
    targets = [target.shown for place in note.places for target in place.targets]
    return targets[0] if len(targets) == 1 else f"{targets[0]} and {len(targets) - 1} more"


def folder_shown(place: Place, name: str) -> str:
    root = place.targets[0].shown.partition("/")[0]
    return f"{root}/{name}" if name else root


def folder_of(target: Target) -> str:
    """That must be there for it, relative to the root."""
    name = os.fsdecode(target.name)
    return fixed_folder(name) if target.kind is Kind.SET else name.rpartition("/")[0]


def below_base(place: Place, name: str) -> str:
    base = os.fsdecode(place.base)
    return name.removeprefix(f"{base}/") if base else name


def landings_of(note: StagedNote) -> Iterator[Landing]:
    for place in note.places:
        yield from place.landings


def folders_of(note: StagedNote) -> list[Path]:
    """Those of this attempt alone."""
    made = [path(place.made) for place in note.places]
    hidden = [path(landing.hidden) for landing in landings_of(note)]
    return list(dict.fromkeys([*made, *hidden]))


def files_of(note: StagedNote) -> int:
    """How many stand aside, what was overwritten not counted."""
    return sum(
        1
        for landing in landings_of(note)
        if tree.status(path(landing.hidden)) is not None
        for name, _ in tree.entries(path(landing.hidden))
        if not name.startswith(f"{KEPT}/")
    )


@contextmanager
def explained(what: str) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        raise NotStaged(f"{what}: {error.strerror}", _kind(error)) from error


def _kind(error: OSError) -> FailureKind:
    if error.errno in _IS_GONE:
        return FailureKind.INPUT
    return FailureKind.PERMANENT if error.errno in _ASKED_WRONGLY else FailureKind.NODE

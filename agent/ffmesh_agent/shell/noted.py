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
from ffmesh_protocol.messages.reports import FailureKind

KEPT: Final = ".ffmesh-kept"
"""In a hidden folder: what was overwritten there, under other names."""

_IS_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_ASKED_WRONGLY: Final = frozenset({errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})


class NotStaged(Exception):
    """With a sentence that names no place of this machine."""

    def __init__(self, sentence: str, failure: FailureKind) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.failure = failure


def path(name: bytes) -> Path:
    return Path(os.fsdecode(name))


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


# Places


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def below_root(place: Place, landing: int) -> str:
    """Where the landing is, relative to the root."""
    root, base = os.fsdecode(place.root), os.fsdecode(place.landings[landing].base)
    return "" if base == root else base[len(root.rstrip("/")) + 1 :]


def landing_of(place: Place, name: str) -> int:
    """Of what has this name, relative to the root: the deepest one above it."""
    folder = name.rpartition("/")[0]
    return max(
        (at for at in range(len(place.landings)) if _is_in(folder, below_root(place, at))),
        key=lambda at: len(place.landings[at].base),
        default=0,
    )


def _is_in(folder: str, base: str) -> bool:
    return not base or folder == base or folder.startswith(f"{base}/")

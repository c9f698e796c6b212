"""Which places below the roots a job's words name, and which of those it may write: by its words, no disk is asked.

ffmpeg reads what follows `-i` and may write beside whatever else it names; ffprobe writes what follows `-o`. What any
other program does with the places that it names, nobody can tell from outside, so it may write all of its roots.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final

from ffmesh_agent.ffmpeg.argv import FFMPEG, FFPROBE
from ffmesh_protocol import media
from ffmesh_protocol.media import Argument, Piece, RootPath
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

UNDERSTOOD: Final = frozenset({FFMPEG, FFPROBE})
"""Programs whose words we know well enough to tell what they read from what they write."""

_FILE: Final = "file:"
_could_be_a_file = re.compile(r"[./]")
_number = re.compile(r"[-+]?[0-9.]+[a-zA-Z]*\Z")


class Place(Told, frozen=True):
    root: str
    path: bytes
    """Below the root; "" is the root itself."""
    shown: str
    is_written: bool


def roots_of(grant: Grant) -> frozenset[str]:
    """The roots that the job names."""
    return frozenset({*grant.needs.roots, *media.roots_in(grant.args, grant.cwd)})


def places(grant: Grant) -> tuple[Place, ...]:
    """All that it names, its working folder first."""
    writes = grant.program not in UNDERSTOOD or grant.program == FFMPEG
    here = [_place(grant.cwd, b"", (grant.cwd,), is_written=writes)] if grant.cwd else []
    return (*here, *(place for at in range(len(grant.args)) for place in _named(grant, at)))


def _named(grant: Grant, at: int) -> Iterator[Place]:
    argument, is_written = grant.args[at], _is_written(grant, at)
    if any(isinstance(piece, RootPath) for piece in argument):
        yield from _pieces(argument, is_written=is_written)
    elif grant.cwd is not None and grant.program in UNDERSTOOD:
        text = media.in_bytes(media.until_a_root(argument)).decode(errors="surrogateescape").removeprefix(_FILE)
        if _is_name(text):
            path = posixpath.normpath(posixpath.join(grant.cwd.path, text))
            yield Place(
                root=grant.cwd.root,
                path=path.encode(errors="surrogateescape"),
                shown=media.printable(text),
                is_written=is_written,
            )


def _is_written(grant: Grant, at: int) -> bool:
    before = grant.args[at - 1] if at else ()
    if grant.program == FFPROBE:
        return before == ("-o",)
    return grant.program != FFMPEG or before != ("-i",)


def _is_name(text: str) -> bool:
    """Whether this could be a path from the working folder. One that is none is not there, and nothing comes of it."""
    return not text.startswith(("-", "/")) and bool(_could_be_a_file.search(text)) and not _number.match(text)


def _pieces(argument: Argument, *, is_written: bool) -> Iterator[Place]:
    """What follows a path may continue its name or be another syntax's: both are looked at."""
    for at, piece in enumerate(argument):
        if not isinstance(piece, RootPath):
            continue
        tail = media.in_bytes(media.until_a_root(argument[at + 1 :]))
        yield _place(piece, tail, argument[at:], is_written=is_written)
        if tail and piece.path and not piece.path.endswith("/"):
            yield _place(piece, b"", (piece,), is_written=is_written)


def _place(path: RootPath, tail: bytes, shown: Sequence[Piece], *, is_written: bool) -> Place:
    return Place(
        root=path.root,
        path=path.path.encode() + tail,
        shown=media.printable(media.shown(shown)),
        is_written=is_written,
    )


def folders(path: bytes) -> tuple[bytes, ...]:
    """Where this name could lie, the likeliest first: itself a folder, in a folder, or in one whose name a pattern
    (`%v`, `*`) makes."""
    at = next((at for at, name in enumerate(path.split(b"/")) if re.search(rb"[%*?\[]", name)), None)
    above = posixpath.dirname(path.rstrip(b"/"))
    if at is None:
        return path, above
    return path, above, b"/".join(path.split(b"/")[:at])

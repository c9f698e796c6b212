"""Which places below the roots a job's words name, and which of those it may write: by its words, no disk is asked.

What ffmpeg and ffprobe read and write the model of their command lines knows. Where it is in doubt, and of a word in
which it finds another path than travels there, everything counts that could be one; so it does with any other program:
what that does with the places that it names, nobody can tell from outside.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final

from ffmesh_agent.ffmpeg.command_line import UNDERSTOOD, WRITES, below, covers, read
from ffmesh_protocol import media
from ffmesh_protocol.ffmpeg.pieces import is_opened, places_in
from ffmesh_protocol.ffmpeg.tables import FFPROBE
from ffmesh_protocol.media import Argument, Piece, RootPath
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

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
    here = [_place(grant.cwd, b"", (grant.cwd,), is_written=grant.program != FFPROBE)] if grant.cwd else []
    return (*here, *(_understood(grant) if grant.program in UNDERSTOOD else _by_pieces(grant)))


def _by_pieces(grant: Grant) -> Iterator[Place]:
    for argument in grant.args:
        yield from _pieces(argument, is_written=True)


def _understood(grant: Grant) -> Iterator[Place]:
    line = read(grant)
    found = places_in(line)
    for at, argument in enumerate(grant.args):
        known = found.get(at, ())
        for place in filter(is_opened, known):
            if (named := below(place.path, grant.cwd)) is not None:
                path = named.path.encode(errors="surrogateescape")
                yield Place(root=named.root, path=path, shown=named.shown, is_written=place.use in WRITES)
        if line.doubts or not covers(known, argument):
            yield from _could_be(grant, at)


def _could_be(grant: Grant, at: int) -> Iterator[Place]:
    """What this word names if it is a path, or holds some."""
    argument, before = grant.args[at], grant.args[at - 1] if at else ()
    is_written = before == ("-o",) if grant.program == FFPROBE else before != ("-i",)
    yield from _pieces(argument, is_written=is_written)
    text = media.in_bytes(media.until_a_root(argument)).decode(errors="surrogateescape").removeprefix(_FILE)
    if _is_name(text) and (named := below(text, grant.cwd)) is not None:
        path = named.path.encode(errors="surrogateescape")
        yield Place(root=named.root, path=path, shown=named.shown, is_written=is_written)


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

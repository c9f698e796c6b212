"""A job's words as the one model of ffmpeg's and ffprobe's command lines reads them, and the files that they name.

A path that travels as a piece is read with a stand-in for its root, not with the folder where this machine has it. So
its root is known by name, also where one root lies in another or is not here, and no letter of that folder is taken for
a quote or a pattern. A stand-in holds a zero byte, and those that a job sends are left out, with which it never
starts: nothing else passes for a root.

Promised: what is `named` is one file, and stands there by itself: not in a pattern, a URL, a list or a filter, and no
device. Refused: to guess. A file that cannot be told for sure is left out, which costs a sentence before the start, a
reservation or a line in a summary, and nothing else.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from msgspec import structs

from ffmesh_protocol import media
from ffmesh_protocol.ffmpeg import command_line, line, quoting
from ffmesh_protocol.ffmpeg.places import PREFIX, WRITTEN, Place
from ffmesh_protocol.ffmpeg.tables import FFMPEG, FFPROBE
from ffmesh_protocol.media import Argument, Piece, RawBytes, RootPath
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

UNDERSTOOD: Final = frozenset({FFMPEG, FFPROBE})
"""Programs whose words we know well enough to tell what they read from what they write."""

WRITES: Final = frozenset({WRITTEN, PREFIX})
"""Uses of a place by which something appears there."""

_FILE: Final = "file:"
_MARK: Final = "/\0"
_REMEMBERED: Final = 8
"""A line is read for one purpose after the other, before its program starts."""

_stand_in = re.compile(r"/\0((?:[0-9a-f]{2})+)(?:/(.*))?\Z", re.DOTALL)


class Below(Told, frozen=True):
    """A place below a root, as the words have it: it may climb and come back. `shown` as people see it."""

    root: str
    path: str
    shown: str


class Named(Told, frozen=True):
    """A file under a root. `shown` as people see it, `place` as this machine writes it."""

    root: str
    shown: str
    place: bytes


class File(command_line.File, frozen=True):
    """An input or an output."""

    named: Named | None = None
    """Null: it is none that could be told, or no file at all."""


class Line(Told, frozen=True):
    inputs: tuple[File, ...]
    outputs: tuple[File, ...]


def read(grant: Grant) -> command_line.CommandLine:
    """`PathRefused`: a path cannot stand where it stands."""
    return line_of(grant.program, tuple("".join(spelled(argument)) for argument in grant.args))


@lru_cache(maxsize=_REMEMBERED)
def line_of(program: str, words: tuple[str, ...]) -> command_line.CommandLine:
    return line.read(program, words)


def spelled(argument: Argument) -> tuple[str, ...]:
    """Of each piece what the model reads; together they are the word."""
    return tuple(_spelled(piece, is_last=at == len(argument)) for at, piece in enumerate(argument, 1))


def _spelled(piece: Piece, *, is_last: bool) -> str:
    match piece:
        case str():
            return piece.replace("\0", "")
        case RawBytes():
            return media.raw_bytes(piece).replace(b"\0", b"").decode(errors="surrogateescape")
        case RootPath(root=root, path=path):
            place = f"{_MARK}{root.encode().hex()}".encode()
            return quoting.write(place, path.replace("\0", "").encode(), piece.quoting).decode() + (
                "" if path or is_last else "/"
            )


def is_stand_in(path: str) -> bool:
    return path.startswith(_MARK)


def covers(places: Sequence[Place], argument: Argument) -> bool:
    """Whether each path that is a piece of this word is one of its places: else the word is not understood."""
    return sum(is_stand_in(place.path) for place in places) == sum(isinstance(piece, RootPath) for piece in argument)


def below(path: str, cwd: RootPath | None) -> Below | None:
    """Where a path lies that the model told; None: under no root, or it leads out of one."""
    if (found := _stand_in.match(path)) is not None:
        root, inside = bytes.fromhex(found[1]).decode(errors="replace"), found[2] or ""
        shown = inside
    elif cwd is None or path.startswith("/"):
        return None
    else:
        root, inside = cwd.root, posixpath.join(cwd.path, path)
        shown = posixpath.normpath(inside)
    if posixpath.normpath(f"./{inside}").split("/")[0] == "..":
        return None
    return Below(root=root, path=inside, shown=media.printable(media.shown((RootPath(root=root, path=shown),))))


def files_in(grant: Grant, roots: Mapping[str, str]) -> Line:
    """Nothing of a program whose words are not known here."""
    if grant.program not in UNDERSTOOD:
        return Line(inputs=(), outputs=())
    line = read(grant)
    inputs, outputs = (
        tuple(File(**structs.asdict(file), named=_named(file, grant.cwd, roots)) for file in files)
        for files in (line.inputs, line.outputs)
    )
    return Line(inputs=inputs, outputs=outputs)


def _named(file: command_line.File, cwd: RootPath | None, roots: Mapping[str, str]) -> Named | None:
    if len(file.places) != 1:
        return None
    path, level = file.places[0].path, file.places[0].quoting
    is_one = level == quoting.NONE or (level == quoting.PATTERN and "%" not in path)
    found = below(path, cwd)
    if not is_one or media.is_pattern(path) or file.name.removeprefix(_FILE) != path or found is None:
        return None
    if found.root not in roots:
        return None
    place = posixpath.join(roots[found.root], found.path)
    return Named(root=found.root, shown=found.shown, place=place.encode(errors="surrogateescape"))

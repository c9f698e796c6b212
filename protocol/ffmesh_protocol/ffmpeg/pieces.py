"""The words of a command line as pieces: every path under a root is one, and the text around it stays as it is.

The letters of a path decide; where they put it under no root, its real place may be told. A relative path stays text:
the program starts in the same folder of the same root.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from msgspec import structs

from ffmesh_protocol.ffmpeg.command_line import CommandLine, Named
from ffmesh_protocol.ffmpeg.places import Place
from ffmesh_protocol.ffmpeg.quoting import NONE, write
from ffmesh_protocol.media import Argument, Arguments, Piece, RawBytes, RootPath, piece_of_path

_NOBODY_OPENS: Final = "null"
"""Stands for an absolute name that is opened by nobody: an agent would take it for a path that is none of its own."""


Real: TypeAlias = Mapping[str, RootPath]
"""Where links lead: places under a root of paths that lie under none by their letters."""

NO_LINKS: Final[Real] = {}


def arguments_of(line: CommandLine, roots: Mapping[str, str], real: Real = NO_LINKS) -> Arguments:
    """What lies under no root stays text too; whoever sends it looks at `line.named` first."""
    places = places_in(line)
    return tuple(pieces_of(word, places.get(at, ()), roots, real) for at, word in enumerate(line.words))


def places_in(line: CommandLine) -> dict[int, list[Place]]:
    """Of each word that holds one, in their order."""
    named = sorted((*line.named, *map(_nowhere, line.idle)), key=lambda each: (each.argument, each.place.start))
    return {at: [each.place for each in group] for at, group in groupby(named, key=lambda each: each.argument)}


def is_opened(place: Place) -> bool:
    """Whether a file of this name is read or written; the name of a muxer that writes nothing is not."""
    return place.use != _NOBODY_OPENS


def _nowhere(idle: Named) -> Named:
    return structs.replace(idle, place=structs.replace(idle.place, use=_NOBODY_OPENS))


def root_path(path: str, roots: Mapping[str, str], cwd: str | None = None, real: Real = NO_LINKS) -> RootPath | None:
    """Where a path lies that is absolute, or taken from `cwd`; None: under no root."""
    if path.startswith("/"):
        return piece_of_path(path, roots) or real.get(path)
    return piece_of_path(f"{cwd}/{path}", roots) if cwd is not None else None


def pieces_of(word: str, places: Sequence[Place], roots: Mapping[str, str], real: Real = NO_LINKS) -> Argument:
    """One word, in which these places are."""
    pieces: list[Piece] = []
    at = 0
    for place in places:
        if place.use == _NOBODY_OPENS and place.path.startswith("/"):
            pieces += _text(f"{word[at : place.start]}{_NOBODY_OPENS}")
            at = place.end
            continue
        found = root_path(place.path, roots, real=real)
        if found is None:
            continue
        pieces += [*_text(word[at : place.start]), *_path(found, place)]
        at = place.end
    pieces += _text(word[at:])
    return tuple(pieces) or ("",)


def _path(found: RootPath, place: Place) -> Iterator[Piece]:
    """A slash at its end says that a folder is meant, or where a prefix begins."""
    path = f"{found.path}/" if place.path.endswith("/") and found.path else found.path
    if _is_utf8(path):
        yield structs.replace(found, path=path, quoting=place.quoting)
        return
    yield structs.replace(found, path="", quoting=place.quoting)
    yield _bytes(path if place.quoting == NONE else _quoted(path, place.quoting))


def _quoted(path: str, quoting: str) -> str:
    return write(b"", path.encode(errors="surrogateescape"), quoting).decode(errors="surrogateescape")


def _text(text: str) -> Iterator[Piece]:
    if text:
        yield text if _is_utf8(text) else _bytes(text)


def _bytes(text: str) -> RawBytes:
    return RawBytes(base64=base64.b64encode(text.encode(errors="surrogateescape")).decode())


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

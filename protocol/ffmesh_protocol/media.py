"""Arguments, roots and needs as values.

A path travels as a typed piece, so that every machine writes its own path and quoting. Not there yet: what hides inside
an argument (filters, URLs, patterns) is looked at by the shim's model, which comes later.
"""

import base64
import posixpath
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypeAlias

import msgspec

from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.limits import ARGUMENT_CHARS, ARGUMENTS, NAME_CHARS, PATH_CHARS, PIECES
from ffmesh_protocol.names import Name
from ffmesh_protocol.wire import Told

Text = Annotated[str, msgspec.Meta(max_length=ARGUMENT_CHARS)]
RelativePath = Annotated[str, msgspec.Meta(max_length=PATH_CHARS)]


class RootPath(Told, frozen=True, tag_field="kind", tag="path"):
    """A place under a root; "" is the root itself. `quoting` names where it stands: `none`, later `filter` too."""

    root: Name
    path: RelativePath
    quoting: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] = "none"


class RawBytes(Told, frozen=True, tag_field="kind", tag="bytes"):
    """What is not UTF-8: names of files need not be."""

    base64: Text


Piece: TypeAlias = str | RootPath | RawBytes
"""The kinds `input` and `output` are reserved for files that the mesh will carry itself."""

Argument: TypeAlias = Annotated[tuple[Piece, ...], msgspec.Meta(max_length=PIECES)]
Arguments: TypeAlias = Annotated[tuple[Argument, ...], msgspec.Meta(max_length=ARGUMENTS)]

QUOTING_NONE: Final = "none"

_NO_FILE_OF_OURS: Final = ("/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr")
_DESCRIPTORS: Final = "/dev/fd/"


class Needs(Told, frozen=True):
    """What a job asks of an agent besides a free slot."""

    program: str
    roots: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    """`KIND=NAME`, as in `encoder=hevc_nvenc`."""
    on: str | None = None
    slot: str = "cpu"


def is_descriptor(path: str) -> bool:
    """Whether this absolute path means a stream of the process itself, on whichever machine it runs."""
    return path in _NO_FILE_OF_OURS or path.startswith(_DESCRIPTORS)


def piece_of_path(absolute: str, roots: Mapping[str, str]) -> RootPath | None:
    """The place under the longest root that holds it, or None. By its letters alone: no disk is asked."""
    path = posixpath.normpath(absolute)
    if path.startswith("//"):
        path = path[1:]
    best: RootPath | None = None
    longest = -1
    for name, place in roots.items():
        top = posixpath.normpath(place).rstrip("/")
        if (path == top or path.startswith(top + "/")) and len(top) > longest:
            best, longest = RootPath(root=name, path=path[len(top) + 1 :]), len(top)
    return best


def argument_of(text: str, roots: Mapping[str, str], working: RootPath | None) -> Argument:
    """One argument as the caller wrote it, as pieces; `PathRefused` if it is a path that no other machine could know.

    `text` may hold surrogate escapes for bytes that are no UTF-8.
    """
    if text.startswith("/") and not is_descriptor(text):
        piece = piece_of_path(text, roots)
        if piece is None:
            raise PathRefused(f"{printable(text)} lies under no root; name its folder with --root NAME=PATH")
        return _utf8_pieces(piece.path, piece.root)
    if leads_out(text, working):
        where = f"${working.root}" if working else "the working folder"
        raise PathRefused(f"{printable(text)} leads out of {where}")
    return _utf8_pieces(text, None)


def leads_out(text: str, working: RootPath | None) -> bool:
    """Whether a relative path leaves the root of its working folder (or that folder, when it lies under no root)."""
    if text.startswith(("/", "-")) or ".." not in text:
        return False
    below = posixpath.normpath(posixpath.join(working.path if working else "", text))
    return below == ".." or below.startswith("../")


def _utf8_pieces(text: str, root: str | None) -> Argument:
    try:
        text.encode()
    except UnicodeEncodeError:
        raw = text.encode(errors="surrogateescape")
        coded = RawBytes(base64=base64.b64encode(raw).decode())
        return (RootPath(root=root, path=""), coded) if root is not None else (coded,)
    return (RootPath(root=root, path=text),) if root is not None else (text,)


def working_folder(folder: str, roots: Mapping[str, str]) -> RootPath | None:
    piece = piece_of_path(folder, roots)
    if piece is None:
        return None
    try:
        piece.path.encode()
    except UnicodeEncodeError:
        return None
    return piece


def raw_bytes(piece: RawBytes) -> bytes:
    try:
        return base64.b64decode(piece.base64, validate=True)
    except ValueError as error:
        raise PathRefused("a piece of an argument is not base64") from error


def written(argument: Sequence[Piece], roots: Mapping[str, str]) -> bytes:
    """The argument as this machine writes it; `PathRefused` if it leaves its root or names none of ours.

    A path that begins with `-` cannot come out of this: it begins with a root, which is absolute.
    """
    parts: list[bytes] = []
    for at, piece in enumerate(argument):
        match piece:
            case str():
                parts.append(piece.encode())
            case RawBytes():
                parts.append(raw_bytes(piece))
            case RootPath():
                parts.append(_written_path(piece, argument[at + 1 :], roots))
    whole = b"".join(parts)
    if b"\0" in whole:
        raise PathRefused("an argument holds a zero byte")
    return whole


def _written_path(piece: RootPath, rest: Sequence[Piece], roots: Mapping[str, str]) -> bytes:
    place = roots.get(piece.root)
    if place is None:
        raise PathRefused(f"there is no root ${piece.root} here")
    if piece.quoting != QUOTING_NONE:
        raise PathRefused(f"the quoting “{piece.quoting}” is not known here")
    tail = b"".join(
        each.encode() if isinstance(each, str) else raw_bytes(each) for each in rest if not isinstance(each, RootPath)
    )
    below = posixpath.normpath(piece.path.encode() + b"/" + tail if tail else piece.path.encode())
    if piece.path.startswith("/") or below == b".." or below.startswith((b"../", b"/")):
        raise PathRefused(f"${piece.root}/{piece.path} leads out of its root")
    top = place.rstrip("/").encode(errors="surrogateescape") or b"/"
    return posixpath.join(top, piece.path.encode()) if piece.path or tail else top


def shown(argument: Sequence[Piece]) -> str:
    """The argument as people and scripts see it: `$Root/relative`."""
    parts: list[str] = []
    for piece in argument:
        match piece:
            case str():
                parts.append(piece)
            case RawBytes():
                parts.append(raw_bytes(piece).decode(errors="backslashreplace"))
            case RootPath(root=root, path=path):
                follows = len(argument) > len(parts) + 1
                parts.append(f"${root}/{path}" if path or follows else f"${root}")
    return "".join(parts)


def roots_in(arguments: Sequence[Sequence[Piece]], working: RootPath | None) -> tuple[str, ...]:
    named = {piece.root for argument in arguments for piece in argument if isinstance(piece, RootPath)}
    return tuple(sorted(named | ({working.root} if working else set())))


def printable(text: str) -> str:
    """For a sentence: bytes that are no UTF-8 and line ends shown as escapes."""
    plain = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in plain)

"""Arguments, roots and needs as values.

A path travels as a typed piece, so that every machine writes its own path and quoting. Which words of a command line
hold paths, and where, is not told here: `ffmesh_protocol.ffmpeg` reads them.
"""

import base64
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import EllipsisType
from typing import Annotated, Final, TypeAlias

import msgspec

from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg import quoting
from ffmesh_protocol.limits import (
    ARGUMENT_CHARS,
    ARGUMENTS,
    ENVIRONMENT,
    LIST_ITEMS,
    NAME_CHARS,
    OUTPUTS,
    PATH_CHARS,
    PIECES,
    SECONDS_MAX,
    VARIABLE_CHARS,
    WORD_CHARS,
)
from ffmesh_protocol.names import Name
from ffmesh_protocol.wire import Told

Text = Annotated[str, msgspec.Meta(max_length=ARGUMENT_CHARS)]
RelativePath = Annotated[str, msgspec.Meta(max_length=PATH_CHARS)]
Base64 = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z",
        max_length=(ARGUMENT_CHARS + 2) // 3 * 4,
    ),
]

Program = Annotated[str, msgspec.Meta(min_length=1, max_length=WORD_CHARS)]
Capability = Annotated[str, msgspec.Meta(max_length=WORD_CHARS)]
SlotKind = Annotated[str, msgspec.Meta(max_length=WORD_CHARS)]
Variable = Annotated[str, msgspec.Meta(pattern=r"^[^=\x00]+\Z", max_length=VARIABLE_CHARS)]
Value = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z", max_length=ARGUMENT_CHARS)]
Environment: TypeAlias = Annotated[dict[Variable, Value], msgspec.Meta(max_length=ENVIRONMENT)]
Umask = Annotated[int, msgspec.Meta(ge=0, le=0o777)]
Timeout = Annotated[float, msgspec.Meta(gt=0, le=SECONDS_MAX)]


class RootPath(Told, frozen=True, tag_field="kind", tag="path"):
    """A place under a root; "" is the root itself. `quoting` says by which escapes it stands in its argument, as
    `ffmpeg.quoting` names them.

    Of an output it says how its name is written: `none`, or `pattern` for a set of names.
    """

    root: Name
    path: RelativePath
    quoting: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] = "none"


class RawBytes(Told, frozen=True, tag_field="kind", tag="bytes"):
    """What is not UTF-8: names of files need not be."""

    base64: Base64


Piece: TypeAlias = Text | RootPath | RawBytes
"""The kinds `input` and `output` are reserved for files that the mesh will carry itself."""

Argument: TypeAlias = Annotated[tuple[Piece, ...], msgspec.Meta(max_length=PIECES)]
Arguments: TypeAlias = Annotated[tuple[Argument, ...], msgspec.Meta(max_length=ARGUMENTS)]

QUOTING_NONE: Final = quoting.NONE
QUOTING_PATTERN: Final = quoting.PATTERN

_NO_FILE_OF_OURS: Final = ("/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr")
_placeholder = re.compile(r"%(?:%|v|0?[0-9]*d)")
_descriptor = re.compile(r"^/dev/fd/[0-9]{1,9}\Z")
_device = re.compile(
    r"/dev/(?:zero|full|random|urandom|kfd|mpp_service|rga|iep|vchiq|vcsm-cma|(?:video|media)[0-9]+"
    r"|nvidia[a-z0-9-]*(?:/[A-Za-z0-9_-]+)?|(?:dri|dma_heap)(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_:.-]+)*)\Z"
)


Outputs: TypeAlias = Annotated[tuple[RootPath, ...], msgspec.Meta(max_length=OUTPUTS)]
"""What a staged job writes: files, folders (their paths end in `/`), and sets of names, as ffmpeg writes them down:
`%d` and `%0Nd` for numbers, `%v` for variants. Files and folders must be there in the end; a set may be empty."""

MANY_OUTPUTS: Final = "many-outputs"
"""The feature of who understands more than one output, and sets."""


QUOTED_PATHS: Final = "quoted-paths"
"""The feature of who writes paths inside graphs, lists and patterns, with the escapes of their places."""

_ENDS: Final = {
    quoting.OPTION: b":",
    quoting.GRAPH: b"[],;",
    quoting.FILTER: b":[],;",
    quoting.TEE: b"|",
    quoting.SLAVE: b":]",
    quoting.CONCAT: b"|",
}
"""What ends a path in such a place, unless it is escaped."""


def is_pattern(path: str) -> bool:
    """Whether it has a place for a number or a variant, as ffmpeg writes them down."""
    return any(found != "%%" for found in _placeholder.findall(path))


def are_many(outputs: Sequence[RootPath]) -> bool:
    """Whether it takes the feature `many-outputs` to understand them."""
    return len(outputs) > 1 or any(output.quoting != QUOTING_NONE for output in outputs)


def are_quoted(arguments: Iterable[Sequence[Piece]]) -> bool:
    """Whether it takes the feature `quoted-paths` to write them."""
    return any(
        isinstance(piece, RootPath) and piece.quoting != QUOTING_NONE for argument in arguments for piece in argument
    )


class Needs(Told, frozen=True):
    """What a job asks of an agent besides a free slot."""

    program: Program
    roots: Annotated[tuple[Name, ...], msgspec.Meta(max_length=LIST_ITEMS)] = ()
    capabilities: Annotated[tuple[Capability, ...], msgspec.Meta(max_length=LIST_ITEMS)] = ()
    """`KIND=NAME`, as in `encoder=hevc_nvenc`."""
    on: Name | None = None
    slot: SlotKind = "cpu"


def is_descriptor(path: str) -> bool:
    """Whether this absolute path means a stream of the process itself, on whichever machine it runs."""
    return path in _NO_FILE_OF_OURS or _descriptor.match(path) is not None


def is_same_everywhere(path: str) -> bool:
    """Whether this absolute path means something of the machine where the program runs: a stream of the process itself,
    a source of nothing or noise, a GPU, a video codec, a camera."""
    return is_descriptor(path) or _device.match(path) is not None


def piece_of_path(absolute: str, roots: Mapping[str, str]) -> RootPath | None:
    """The place under the longest root that holds it, or None. By its letters alone: no disk is asked."""
    path = _plain(absolute)
    best: RootPath | None = None
    longest = -1
    for name, place in roots.items():
        top = _plain(place).rstrip("/")
        if (path == top or path.startswith(top + "/")) and len(top) > longest:
            best, longest = RootPath(root=name, path=path[len(top) + 1 :]), len(top)
    return best


def _plain(absolute: str) -> str:
    """Without `.`, `..` and doubled slashes, also the two at the beginning that POSIX keeps."""
    path = posixpath.normpath(absolute)
    return path[1:] if path.startswith("//") else path


def argument_of(text: str, roots: Mapping[str, str], working: RootPath | None) -> Argument:
    """One argument as the caller wrote it, as pieces; `PathRefused` if it is a path that no other machine could know.

    `text` may hold surrogate escapes for bytes that are no UTF-8.
    """
    if text.startswith("/") and not is_same_everywhere(text):
        piece = piece_of_path(text, roots)
        if piece is None:
            raise PathRefused(f"{printable(text)} lies under no root; name its folder with --root NAME=PATH")
        if len(piece.path) > PATH_CHARS:
            raise PathRefused(f"{printable(text[:80])}… is longer than a path can be")
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


def written(
    argument: Sequence[Piece],
    roots: Mapping[str, str],
    working: RootPath | EllipsisType | None = ...,
    is_open: Callable[[str], bool] = is_same_everywhere,
) -> bytes:
    """The argument as this machine writes it; `PathRefused` if it leaves its root or names none of ours.

    Whoever sent it may not have looked: an absolute path that is no piece is refused here too, and so is a relative one
    that leads out of `working`, the place where the program starts. `...` says that this place is not known.
    `is_open` says which absolute paths are open to every program on this machine.
    A path that begins with `-` cannot come out of a piece: it begins with a root, which is absolute.
    """
    whole = b"".join(
        _written_path(piece, argument[at + 1 :], roots) if isinstance(piece, RootPath) else _as_bytes(piece)
        for at, piece in enumerate(argument)
    )
    if b"\0" in whole:
        raise PathRefused("an argument holds a zero byte")
    if not _begins_with_a_root(argument):
        text = whole.decode(errors="surrogateescape")
        if text.startswith("/") and not is_open(text):
            raise PathRefused(f"{printable(text[:80])} is an absolute path under no root")
        if not isinstance(working, EllipsisType) and leads_out(text, working):
            raise PathRefused(f"{printable(text[:80])} leads out of the folder that it belongs to")
    return whole


def _as_bytes(piece: str | RawBytes) -> bytes:
    return piece.encode() if isinstance(piece, str) else raw_bytes(piece)


def until_a_root(pieces: Sequence[Piece]) -> tuple[str | RawBytes, ...]:
    """What follows a path, up to the next one: it continues its name, or is another syntax's."""
    before: list[str | RawBytes] = []
    for piece in pieces:
        if isinstance(piece, RootPath):
            break
        before.append(piece)
    return tuple(before)


def in_bytes(pieces: Iterable[str | RawBytes]) -> bytes:
    return b"".join(map(_as_bytes, pieces))


def _begins_with_a_root(argument: Sequence[Piece]) -> bool:
    first = next((piece for piece in argument if isinstance(piece, RootPath) or _as_bytes(piece)), None)
    return isinstance(first, RootPath)


def _written_path(piece: RootPath, rest: Sequence[Piece], roots: Mapping[str, str]) -> bytes:
    place = roots.get(piece.root)
    if place is None:
        raise PathRefused(f"there is no root ${piece.root} here")
    if not quoting.known(piece.quoting):
        raise PathRefused(f"the quoting “{printable(piece.quoting)}” is not known here")
    path = piece.path.encode()
    tail = _continuing(in_bytes(until_a_root(rest)), piece.quoting)
    # What follows the piece continues its last name, so both are judged as the one path that the program will see.
    # "./" keeps it relative: normpath takes every leading ".." of an absolute path away.
    below = posixpath.normpath(b"./" + path + tail)
    if path.startswith(b"/") or b".." in path.split(b"/") or below == b".." or below.startswith(b"../"):
        raise PathRefused(f"${piece.root}/{printable(piece.path[:80])} leads out of its root")
    top = place.rstrip("/").encode(errors="surrogateescape") or b"/"
    if piece.quoting == QUOTING_NONE:
        return posixpath.join(top, path) if path or tail else top
    # What follows is escaped already, and a slash needs none.
    begin = quoting.write(top, path, piece.quoting)
    return begin if path or not tail or begin.endswith(b"/") else begin + b"/"


def _continuing(tail: bytes, place: str) -> bytes:
    """So much of what follows a path as may continue its name.

    Behind an escape or a quote anything may: then all of it is taken for a part of the name, without them.
    """
    ends = b"".join(_ENDS.get(level, b"") for level in place.split("+"))
    if not ends:
        return tail
    first = re.search(b"[" + re.escape(ends) + rb"\\']", tail)
    if first is None or first[0] in (b"\\", b"'"):
        return re.sub(rb"[\\']", b"", tail)
    return tail[: first.start()]


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

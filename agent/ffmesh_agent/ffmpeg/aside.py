"""Where a staged attempt writes instead of the place that its output is to take: pure decisions about paths.

`$Root/dir/name.mkv` is written as `$Root/dir/.ffmesh-<attempt>/name.mkv`. The folder is hidden, so that no media server
looks into it; beside the destination, so that both are on one file system and a rename is enough; and of this attempt
alone. The name stays: muxers are chosen by it. An output that is a folder, `$Root/dir/name/`, is
`$Root/dir/.ffmesh-<attempt>/name/`.

Wherever the arguments name the output, or something in a folder that is the output, the hidden place is written. What
follows ffmpeg's `-i` is read and not written, and stays: a file may be replaced by what was made of it. A job whose
arguments nowhere name its output is refused, for it would write to the destination itself.

Not there yet: outputs that hide in filters, URLs and patterns with other prefixes than `file:`.
"""

import base64
import posixpath
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import structs

from ffmesh_agent.ffmpeg.argv import FFMPEG
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, Piece, RawBytes, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

_HIDDEN: Final = ".ffmesh-"
_FILE: Final = "file:"


class Aside(Told, frozen=True):
    """The output of one attempt: the place that it is to take, and the one where it is made. Both lie in its root."""

    root: str
    output: str
    """Relative, plain, without a slash at its end."""
    hidden: str
    is_folder: bool

    @property
    def staged(self) -> str:
        return posixpath.join(self.hidden, posixpath.basename(self.output))

    @property
    def shown(self) -> str:
        """As people and scripts see it."""
        return f"${self.root}/{self.output}{'/' if self.is_folder else ''}"

    @property
    def folder_shown(self) -> str:
        """Where it is to lie."""
        parent = posixpath.dirname(self.output)
        return f"${self.root}/{parent}" if parent else f"${self.root}"


def aside(grant: Grant) -> Aside | None:
    """Of a staged job; `PathRefused` if its output cannot be put aside. None: it says no output."""
    outputs = list(grant.outputs) if grant.kind is JobKind.STAGED else []
    if not outputs:
        return None
    if len(outputs) > 1:
        raise PathRefused("a staged job has one output, a file or a folder; this one has more")
    output = outputs[0]
    plain = _plain(output.path)
    if plain == "." or plain.startswith("/") or ".." in output.path.split("/") or "\0" in plain:
        raise PathRefused(f"{media.printable(media.shown(grant.outputs)[:200])} cannot be an output of a staged job")
    hidden = posixpath.join(posixpath.dirname(plain), f"{_HIDDEN}{grant.attempt}")
    return Aside(root=output.root, output=plain, hidden=hidden, is_folder=output.path.endswith("/"))


def redirected(grant: Grant, place: Aside) -> Grant:
    """The grant with the hidden place for the output; `PathRefused` if it is named nowhere."""
    args = tuple(
        argument if _is_read(grant, at) else _redirected(argument, place, grant.cwd)
        for at, argument in enumerate(grant.args)
    )
    cwd = _moved_folder(grant.cwd, place)
    if args == grant.args and cwd == grant.cwd:
        raise PathRefused(f"its arguments nowhere name its output {media.printable(place.shown)}")
    return structs.replace(grant, args=args, cwd=cwd)


def may_replace(grant: Grant) -> bool:
    """ffmpeg overwrites a file only when it is told to; what it writes aside it would never find there already."""
    return grant.program != FFMPEG or ("-y",) in grant.args


def _is_read(grant: Grant, at: int) -> bool:
    return grant.program == FFMPEG and at > 0 and grant.args[at - 1] == ("-i",)


def _moved_folder(cwd: RootPath | None, place: Aside) -> RootPath | None:
    """A program that starts in the folder that is its output starts in the hidden one."""
    moved = _moved(cwd.path, place) if cwd is not None and cwd.root == place.root and place.is_folder else None
    return RootPath(root=place.root, path=moved) if moved is not None else cwd


def _redirected(argument: Argument, place: Aside, cwd: RootPath | None) -> Argument:
    if len(argument) == 1 and isinstance(argument[0], str):
        return _redirected_text(argument[0], place, cwd)
    pieces: list[Piece] = []
    rest: Sequence[Piece] = argument
    while rest:
        first, tail = rest[0], _until_a_root(rest[1:])
        rest = rest[1 + len(tail) :]
        if isinstance(first, RootPath) and first.root == place.root:
            pieces += _redirected_path(first, tail, place)
        else:
            pieces += [first, *tail]
    return tuple(pieces)


def _redirected_text(text: str, place: Aside, cwd: RootPath | None) -> Argument:
    """A relative path is one from the working folder; no other text can be the output's name."""
    prefix, name = (_FILE, text.removeprefix(_FILE)) if text.startswith(_FILE) else ("", text)
    if cwd is None or cwd.root != place.root or not name or name.startswith(("/", "-")):
        return (text,)
    if _moved(cwd.path, place) is not None:
        return (text,)  # the working folder is moved, and every relative path with it
    moved = _moved(posixpath.join(cwd.path, name), place)
    if moved is None:
        return (text,)
    path = RootPath(root=place.root, path=moved)
    return (prefix, path) if prefix else (path,)


def _redirected_path(first: RootPath, tail: Sequence[Piece], place: Aside) -> list[Piece]:
    """What follows a path continues its name: bytes that are no UTF-8 stand there, or what another syntax needs."""
    whole = first.path.encode() + b"".join(_bytes(piece) for piece in tail)
    moved = _moved(whole.decode(errors="surrogateescape"), place)
    if moved is not None:
        return list(_as_pieces(moved, first))
    moved = _moved(first.path, place)
    return [RootPath(root=first.root, path=moved, quoting=first.quoting) if moved is not None else first, *tail]


def _as_pieces(path: str, like: RootPath) -> Iterator[Piece]:
    try:
        path.encode()
    except UnicodeEncodeError:
        yield RootPath(root=like.root, path="", quoting=like.quoting)
        yield RawBytes(base64=base64.b64encode(path.encode(errors="surrogateescape")).decode())
    else:
        yield RootPath(root=like.root, path=path, quoting=like.quoting)


def _moved(path: str, place: Aside) -> str | None:
    """Where this path is while the output is aside; None: where it was."""
    plain = _plain(path)
    if plain == place.output:
        return place.staged + ("/" if path.endswith("/") else "")
    if place.is_folder and plain.startswith(place.output + "/"):
        return place.staged + plain[len(place.output) :] + ("/" if path.endswith("/") else "")
    return None


def _plain(path: str) -> str:
    return posixpath.normpath(path) if path else "."


def _until_a_root(pieces: Sequence[Piece]) -> Sequence[Piece]:
    at = next((at for at, piece in enumerate(pieces) if isinstance(piece, RootPath)), len(pieces))
    return pieces[:at]


def _bytes(piece: Piece) -> bytes:
    match piece:
        case str():
            return piece.encode()
        case RawBytes():
            return media.raw_bytes(piece)
        case RootPath():
            raise AssertionError("a path begins anew")

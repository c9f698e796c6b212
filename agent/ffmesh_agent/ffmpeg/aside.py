"""Where a staged attempt writes instead of the places that its outputs are to take: pure decisions about paths.

`$Root/dir/name.mkv` is written as `$Root/dir/.ffmesh-<attempt>/name.mkv`. The folder is hidden, so that no media server
looks into it; below its root, so that a rename is enough; and of this attempt alone. The names stay: muxers are chosen
by them. An output that is a folder, `$Root/dir/name/`, is `$Root/dir/.ffmesh-<attempt>/name/`.

Several outputs have one such folder in each root, in the nearest folder that holds them all, and lie in it as they will
lie there: `$Root/show/%v/seg_%05d.ts` and `$Root/show/%v.m3u8` are `$Root/show/.ffmesh-<attempt>/%v/seg_%05d.ts` and
`…/%v.m3u8`. So what one of them says of another, a playlist of its segments, is the same here and there. For a root
whose outputs are made in local scratch, the same tree stands in the agent's scratch folder.

Wherever the arguments write to an output, or to something in a folder that is one, the hidden place is written, with
the quotes of that place: in a list of outputs, in a filter, behind `file:`. What ffmpeg reads stays: a file may be
replaced by what was made of it. A path in a word that is not understood is moved too, for it may be written. A job
whose arguments nowhere name an output is refused, for it would write to the destination itself; so is an ffmpeg that is
told to write its segments where no output is.
"""

import base64
import posixpath
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import Final

from msgspec import structs

from ffmesh_agent.ffmpeg.command_line import UNDERSTOOD, WRITES, below, covers, is_stand_in, read, spelled
from ffmesh_agent.ffmpeg.names import Names, fixed_folder, why_not
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.pieces import places_in
from ffmesh_protocol.ffmpeg.places import Place as Written
from ffmesh_protocol.ffmpeg.quoting import write
from ffmesh_protocol.ffmpeg.tables import FFMPEG
from ffmesh_protocol.media import QUOTING_NONE, QUOTING_PATTERN, Argument, Piece, RawBytes, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

HIDDEN: Final = ".ffmesh-"

SCRATCH: Final = "the agent's scratch"
"""Stands for a root in redirected arguments. No root has such a name."""

_WRITES: Final = frozenset({"-hls_segment_filename", "-segment_list"})


class Kind(StrEnum):
    FILE = "file"
    FOLDER = "folder"
    SET = "set"


class Target(Told, frozen=True):
    """One output. `path` is relative to its root, plain, without a slash at its end."""

    path: str
    kind: Kind

    @property
    def folder(self) -> str:
        """That must be there for it, as far as its name is known."""
        return fixed_folder(self.path) if self.kind is Kind.SET else posixpath.dirname(self.path)

    def has(self, path: str) -> bool:
        """Whether this plain path of the same root is the target's, or in it."""
        match self.kind:
            case Kind.FILE:
                return path == self.path
            case Kind.FOLDER:
                return path == self.path or path.startswith(f"{self.path}/")
            case Kind.SET:
                return path in Names(self.path)

    @property
    def shown_path(self) -> str:
        return f"{self.path}/" if self.kind is Kind.FOLDER else self.path


class Place(Told, frozen=True):
    """The outputs of one attempt in one root, and where they are made."""

    root: str
    base: str
    """The nearest folder that holds them all, relative; "" is the root."""
    hidden: str
    """Below `base`; there they lie before they take their places."""
    targets: tuple[Target, ...]
    made_root: str
    made: str
    """Where the program writes: `hidden`, or a folder in the scratch place."""

    def moved(self, path: str) -> str | None:
        """Where this path is while the outputs are aside; None: where it was."""
        plain = _plain(path)
        if not any(target.has(plain) for target in self.targets):
            return None
        below = plain.removeprefix(f"{self.base}/") if self.base else plain
        return posixpath.join(self.made, below) + ("/" if path.endswith("/") else "")

    def shown(self, path: str) -> str:
        """As people and scripts see it."""
        return f"${self.root}/{path}" if path else f"${self.root}"


class Aside(Told, frozen=True):
    """All outputs of one attempt."""

    places: tuple[Place, ...]

    @property
    def shown(self) -> str:
        first = self.places[0]
        shown = first.shown(first.targets[0].shown_path)
        others = sum(len(place.targets) for place in self.places) - 1
        return f"{shown} and {others} more" if others else shown

    @property
    def folder_shown(self) -> str:
        """Where they are to lie."""
        return self.places[0].shown(self.places[0].base)


def aside(grant: Grant, in_scratch: Collection[str] = ()) -> Aside | None:
    """Of a staged job; `PathRefused` if an output cannot be put aside. None: it says no output."""
    if grant.kind is not JobKind.STAGED or not grant.outputs:
        return None
    by_root: dict[str, list[Target]] = {}
    for output in grant.outputs:
        by_root.setdefault(output.root, []).append(_target(output))
    return Aside(
        places=tuple(
            _place(root, targets, grant.attempt, in_scratch=root in in_scratch) for root, targets in by_root.items()
        )
    )


def _target(output: RootPath) -> Target:
    plain = _plain(output.path)
    names = output.path.split("/")
    is_one = output.quoting in (QUOTING_NONE, QUOTING_PATTERN)
    if plain in ("", ".") or plain.startswith("/") or ".." in names or "\0" in plain or not is_one:
        raise PathRefused(f"{media.printable(media.shown((output,))[:200])} cannot be an output of a staged job")
    if any(name.startswith(HIDDEN) for name in names):
        raise PathRefused(f"{media.printable(media.shown((output,))[:200])} is a name that agents use for themselves")
    if output.quoting == QUOTING_PATTERN:
        if (why := why_not(plain)) is not None:
            shown = media.printable(media.shown((output,))[:200])
            raise PathRefused(f"{shown} cannot be an output of a staged job: {why}")
        return Target(path=plain, kind=Kind.SET)
    return Target(path=plain, kind=Kind.FOLDER if output.path.endswith("/") else Kind.FILE)


def _place(root: str, targets: Sequence[Target], attempt: str, *, in_scratch: bool) -> Place:
    """A target in a folder that is one too is part of that."""
    folders = [target for target in targets if target.kind is Kind.FOLDER]
    whole = tuple(
        target
        for at, target in enumerate(targets)
        if target not in targets[:at] and not any(target != folder and folder.has(target.path) for folder in folders)
    )
    base = _common([target.folder for target in whole])
    hidden = posixpath.join(base, f"{HIDDEN}{attempt}")
    return Place(
        root=root,
        base=base,
        hidden=hidden,
        targets=whole,
        made_root=SCRATCH if in_scratch else root,
        made=posixpath.join(f"{HIDDEN}{attempt}", root) if in_scratch else hidden,
    )


def _common(folders: Sequence[str]) -> str:
    split = [folder.split("/") if folder else [] for folder in folders]
    common: list[str] = []
    for names in zip(*split, strict=False):
        if len(set(names)) > 1:
            break
        common.append(names[0])
    return "/".join(common)


def redirected(grant: Grant, place: Aside) -> Grant:
    """The grant with hidden places for its outputs; `PathRefused` if they are named nowhere."""
    if grant.program in UNDERSTOOD:
        args = tuple(_understood(grant, read(grant), place))
    else:
        args = tuple(_redirected(argument, place, grant.cwd) for argument in grant.args)
    cwd = _moved_folder(grant.cwd, place)
    if args == grant.args and cwd == grant.cwd:
        raise PathRefused(f"its arguments nowhere name its output {media.printable(place.shown)}")
    return structs.replace(grant, args=args, cwd=cwd)


def may_replace(grant: Grant) -> bool:
    """ffmpeg overwrites a file only when it is told to; what it writes aside it would never find there already."""
    return grant.program != FFMPEG or any(option.plain == "y" for option in read(grant).whole)


def _understood(grant: Grant, line: CommandLine, place: Aside) -> Iterator[Argument]:
    inputs, found = {file.argument for file in line.inputs}, places_in(line)
    for at, argument in enumerate(grant.args):
        known = found.get(at, ())
        if covers(known, argument):
            option = line.words[at - 1] if at else ""
            moves = [(each, _moved_place(each, place, grant.cwd, option)) for each in known if each.use in WRITES]
            yield _replaced(argument, moves)
        else:
            yield argument if at in inputs else _redirected(argument, place, grant.cwd)


def _moved_place(each: Written, place: Aside, cwd: RootPath | None, option: str) -> tuple[str, str] | None:
    """None: it stays, or goes with the working folder."""
    if (found := below(each.path, cwd)) is None:
        return None
    moved = _moved(found.root, found.path, place)
    if moved is None and option in _WRITES:
        shown = media.printable(found.shown[:200])
        raise PathRefused(f"{option} names {shown}, which is none of its outputs; name it as one")
    return moved if is_stand_in(each.path) or _moved_folder(cwd, place) == cwd else None


def _replaced(argument: Argument, moves: Sequence[tuple[Written, tuple[str, str] | None]]) -> Argument:
    pieces: list[Piece] = []
    at = 0
    for each, moved in moves:
        if moved is not None:
            pieces += [*_part(argument, at, each.start), *_as_pieces(*moved, each.quoting)]
            at = each.end
    return (*pieces, *_part(argument, at, None)) if pieces else argument


def _part(argument: Argument, begin: int, end: int | None) -> Iterator[Piece]:
    """The pieces that spell these letters of the word."""
    at = 0
    for piece, text in zip(argument, spelled(argument), strict=True):
        kept = text[max(begin - at, 0) : None if end is None else max(end - at, 0)]
        at += len(text)
        if kept:
            yield piece if kept == text else _text(kept)


def _text(text: str) -> str | RawBytes:
    return text if _is_utf8(text) else _raw(text.encode(errors="surrogateescape"))


def _moved(root: str, path: str, place: Aside) -> tuple[str, str] | None:
    """The root and the path where it is while the outputs are aside."""
    for each in place.places:
        if each.root == root and (moved := each.moved(path)) is not None:
            return each.made_root, moved
    return None


def _moved_folder(cwd: RootPath | None, place: Aside) -> RootPath | None:
    """A program that starts in a folder that is an output starts in the hidden one."""
    moved = _moved(cwd.root, cwd.path, place) if cwd is not None else None
    return RootPath(root=moved[0], path=moved[1]) if moved is not None else cwd


def _redirected(argument: Argument, place: Aside, cwd: RootPath | None) -> Argument:
    """Of a word that is not understood: each path that is a piece, or all of it."""
    if len(argument) == 1 and isinstance(argument[0], str):
        return _redirected_text(argument[0], place, cwd)
    pieces: list[Piece] = []
    rest: Sequence[Piece] = argument
    while rest:
        first, tail = rest[0], media.until_a_root(rest[1:])
        rest = rest[1 + len(tail) :]
        if isinstance(first, RootPath):
            pieces += _redirected_path(first, tail, place)
        else:
            pieces += [first, *tail]
    return tuple(pieces)


def _redirected_text(text: str, place: Aside, cwd: RootPath | None) -> Argument:
    """A relative path is one from the working folder; no other text can be an output's name."""
    if cwd is None or not text or text.startswith(("/", "-")) or _moved(cwd.root, cwd.path, place) is not None:
        return (text,)  # where the working folder is moved, every relative path is with it
    moved = _moved(cwd.root, posixpath.join(cwd.path, text), place)
    return (RootPath(root=moved[0], path=moved[1]),) if moved is not None else (text,)


def _redirected_path(first: RootPath, tail: Sequence[str | RawBytes], place: Aside) -> list[Piece]:
    """What follows a path continues its name: bytes that are no UTF-8 stand there, or what another syntax needs."""
    whole = first.path.encode() + media.in_bytes(tail)
    moved = _moved(first.root, whole.decode(errors="surrogateescape"), place)
    if moved is not None:
        return list(_as_pieces(*moved, first.quoting))
    moved = _moved(first.root, first.path, place)
    return [RootPath(root=moved[0], path=moved[1], quoting=first.quoting) if moved is not None else first, *tail]


def _as_pieces(root: str, path: str, quoting: str) -> Iterator[Piece]:
    if _is_utf8(path):
        yield RootPath(root=root, path=path, quoting=quoting)
    else:
        yield RootPath(root=root, path="", quoting=quoting)
        yield _raw(write(b"", path.encode(errors="surrogateescape"), quoting))


def _raw(content: bytes) -> RawBytes:
    return RawBytes(base64=base64.b64encode(content).decode())


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(path: str) -> str:
    return posixpath.normpath(path) if path else "."

"""A command line as the caller wrote it becomes a submit. Pure: where it was written is told.

Paths: an absolute one under a root becomes a piece; a relative one stays text, and the program starts in the caller's
folder where that lies under a root, else in an empty one. In the arguments of ffmpeg and ffprobe they are found
wherever they stand (`ffmesh_protocol.ffmpeg`), and none is lost in an empty folder: a relative one that leads from the
caller's folder under a root becomes a piece too, any other is refused. Of other programs only a whole argument can be a
path, with or without `file:` before it. The letters of a path count first; one that they put under no root may still
lie there by its real place, where links lead.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import structs

from ffmesh_client.core import staging
from ffmesh_client.errors import WrongUsage
from ffmesh_protocol import codec
from ffmesh_protocol.caller import harmless
from ffmesh_protocol.errors import MalformedMessage, Oversized, PathRefused
from ffmesh_protocol.ffmpeg import needs
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.pieces import is_opened, pieces_of, places_in
from ffmesh_protocol.ffmpeg.places import Place
from ffmesh_protocol.ffmpeg.tables import FFMPEG, FFPROBE
from ffmesh_protocol.ffmpeg.writes import Written
from ffmesh_protocol.limits import ARGUMENTS, LABELS, MESSAGE_BYTES, PARENTS, SUBMIT_BYTES, WORD_CHARS
from ffmesh_protocol.media import (
    MANY_OUTPUTS,
    QUOTED_PATHS,
    QUOTING_PATTERN,
    Argument,
    Arguments,
    Needs,
    Outputs,
    RootPath,
    are_many,
    are_quoted,
    argument_of,
    is_same_everywhere,
    piece_of_path,
    printable,
    roots_in,
    working_folder,
)
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.wire import Told

CPU: Final = "cpu"
UNDERSTOOD: Final = (FFMPEG, FFPROBE)
MAX_ATTEMPTS: Final[dict[JobKind, int]] = {JobKind.INTERACTIVE: 1, JobKind.DIRECT: 1, JobKind.STAGED: 3}
"""Unless said. Only what is written aside can be begun anew as if nothing had been."""


class Wishes(Told, frozen=True):
    """The options of `run` and `submit`. `outputs` are paths as they were typed, of a staged job only. What ffmpeg's
    arguments ask for need not be among the `capabilities`."""

    labels: dict[str, str]
    roots: dict[str, str]
    priority: int = 0
    on: str | None = None
    capabilities: tuple[str, ...] = ()
    slot: str = CPU
    timeout_seconds: float | None = None
    after: tuple[str, ...] = ()
    max_attempts: int | None = None
    outputs: tuple[str, ...] = ()


class Surroundings(Told, frozen=True):
    """Where the command was typed. `folders` are names of the one working folder, the one that people use first.

    `real_roots` are the real places of all roots, and `real_paths` those of paths, without links, as far as
    `in_need_of_real_places` names them.
    """

    folders: tuple[str, ...]
    environment: dict[str, str]
    umask: int
    stdin_is_terminal: bool
    real_roots: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    real_paths: dict[str, str] = msgspec.field(default_factory=dict[str, str])


def paths_in(kind: JobKind, line: Sequence[str], wishes: Wishes) -> list[str]:
    """What may be a path of all that was typed, and of what it makes ffmpeg write."""
    hidden = (place.path for places in _places(line).values() for place in places)
    outputs = (output.path for output in outputs_of(kind, line, wishes))
    return list(dict.fromkeys([*map(staging.without_protocol, line[1:]), *hidden, *outputs]))


def _places(line: Sequence[str]) -> dict[int, list[Place]]:
    """Of the paths in its arguments, if these are known to be ffmpeg's or ffprobe's."""
    return places_in(read(line[0], line[1:])) if line[0] in UNDERSTOOD else {}


def _wanted(line: Sequence[str]) -> tuple[str, ...]:
    """Encoders, decoders, filters and hardware: an agent that lacks one would only fail."""
    return needs.capabilities(read(line[0], line[1:])) if line[0] in UNDERSTOOD else ()


def outputs_of(kind: JobKind, line: Sequence[str], wishes: Wishes) -> tuple[Written, ...]:
    """Of a staged job: what was said, or else what its words make of it."""
    if kind is not JobKind.STAGED:
        return ()
    return staging.said(wishes.outputs) if wishes.outputs else staging.outputs_of(line[0], line[1:])


def in_need_of_real_places(paths: Iterable[str], roots: Mapping[str, str]) -> list[str]:
    """Those of these paths and arguments that are absolute and lie under no root by their letters."""
    return [
        path
        for path in paths
        if path.startswith("/") and not is_same_everywhere(path) and piece_of_path(path, roots) is None
    ]


def submission(
    job: str, kind: JobKind, line: Sequence[str], wishes: Wishes, surroundings: Surroundings, roots: Mapping[str, str]
) -> Submit:
    """The submit, or `WrongUsage`, or `PathRefused` with the path that no other machine could know."""
    program, *words = line
    _check_amounts(program, words, wishes)
    if "/" in program:
        name = program.rstrip("/").rpartition("/")[2] or "ffmpeg"
        raise WrongUsage(
            f"PROGRAM is a name that agents know, not a path: say {printable(name)} instead of {printable(program)}"
        )
    known_roots = {**roots, **wishes.roots}
    working = _working(surroundings, known_roots)
    arguments = _arguments(line, surroundings, known_roots, working)
    outputs = tuple(
        dict.fromkeys(_output(output, surroundings, known_roots, working) for output in outputs_of(kind, line, wishes))
    )
    understands = tuple(_understanding(arguments, outputs))
    return _checked(
        Submit(
            requires=understands,
            job=job,
            kind=kind,
            program=program,
            args=arguments,
            cwd=working,
            env=_environment(surroundings.environment),
            umask=surroundings.umask,
            stdin_is_terminal=surroundings.stdin_is_terminal,
            needs=Needs(
                program=program,
                roots=roots_in((*arguments, outputs), working),
                capabilities=tuple(
                    dict.fromkeys((*wishes.capabilities, *_wanted(line), *(f"feature={name}" for name in understands)))
                ),
                on=wishes.on,
                slot=wishes.slot,
            ),
            priority=wishes.priority,
            timeout_seconds=wishes.timeout_seconds,
            labels=wishes.labels,
            after=wishes.after,
            max_attempts=MAX_ATTEMPTS[kind] if wishes.max_attempts is None else wishes.max_attempts,
            outputs=outputs,
        )
    )


def _check_amounts(program: str, words: Sequence[str], wishes: Wishes) -> None:
    """What a person can get wrong; the codec would refuse it in words about its own matters."""
    if not program:
        raise WrongUsage("PROGRAM is empty: say the name of a program that agents know")
    if len(program) > WORD_CHARS or not _is_utf8(program):
        raise WrongUsage(
            f"PROGRAM {printable(program[:80])} is no name: it is UTF-8, of {WORD_CHARS} characters at most"
        )
    if len(words) > ARGUMENTS:
        raise WrongUsage(f"a program takes {ARGUMENTS} arguments at most, and these are {len(words)}")
    if len(wishes.labels) > LABELS:
        raise WrongUsage(f"a job has {LABELS} labels at most, and these are {len(wishes.labels)}")
    if len(wishes.after) > PARENTS:
        raise WrongUsage(f"a job comes after {PARENTS} others at most, and these are {len(wishes.after)}")


def _working(surroundings: Surroundings, roots: Mapping[str, str]) -> RootPath | None:
    """A folder may be reached by several names (symlinks); the first that lies under a root is meant."""
    for places in (roots, surroundings.real_roots):
        for folder in surroundings.folders:
            piece = working_folder(folder, places)
            if piece is not None:
                return piece
    return None


def _understanding(arguments: Arguments, outputs: Outputs) -> Iterator[str]:
    """The features without which such a job would be misunderstood."""
    if are_many(outputs):
        yield MANY_OUTPUTS
    if are_quoted(arguments):
        yield QUOTED_PATHS


def _arguments(
    line: Sequence[str], surroundings: Surroundings, roots: Mapping[str, str], working: RootPath | None
) -> Arguments:
    """What names a path by itself is judged as a path also where the model sees none: an agent would refuse it."""
    places = _places(line)
    return tuple(
        _pieces(word, places[at], surroundings, roots, working)
        if at in places
        else _argument(word, surroundings, roots, working)
        for at, word in enumerate(line[1:])
    )


def _pieces(
    word: str,
    places: Sequence[Place],
    surroundings: Surroundings,
    roots: Mapping[str, str],
    working: RootPath | None,
) -> Argument:
    moved: list[Place] = []
    for place in places:
        path = _under_a_root(place.path, surroundings, roots)
        if is_opened(place):
            path = path if working is not None else _found_from(path, surroundings, roots)
            argument_of(path, roots, working)  # refuses what no other machine could know
        moved.append(structs.replace(place, path=path))
    return pieces_of(word, moved, roots)


def _found_from(path: str, surroundings: Surroundings, roots: Mapping[str, str]) -> str:
    """A relative path by its whole name, taken from a folder that lies under no root: above one, perhaps."""
    if path.startswith("/"):
        return path
    for folder in surroundings.folders:
        whole = posixpath.normpath(posixpath.join(folder, path))
        if piece_of_path(whole, roots) is not None:
            return f"{whole}/" if path.endswith("/") else whole
    raise PathRefused(
        f"{printable(path[:80])} lies under no root, because this folder does not; name it with --root NAME=PATH"
    )


def _argument(word: str, surroundings: Surroundings, roots: Mapping[str, str], working: RootPath | None) -> Argument:
    path = staging.without_protocol(word)
    if path != word and path.startswith("/"):
        place = _under_a_root(path, surroundings, roots)
        if piece_of_path(place, roots) is not None:
            return (staging.FILE, *argument_of(place, roots, working))
    return argument_of(_under_a_root(word, surroundings, roots), roots, working)


def _output(
    output: Written, surroundings: Surroundings, roots: Mapping[str, str], working: RootPath | None
) -> RootPath:
    """Where it is to be put in place; a folder ends in `/`."""
    named = printable(staging.checked(output))
    path = output.path if working is not None else _found_from(output.path, surroundings, roots)
    if path.startswith("/"):
        piece = piece_of_path(_under_a_root(path, surroundings, roots), roots)
        if piece is None:
            raise PathRefused(f"the output {named} lies under no root; name its folder with --root NAME=PATH")
    else:
        assert working is not None, "it would be absolute"
        piece = RootPath(root=working.root, path=posixpath.normpath(posixpath.join(working.path, path)))
        if piece.path == ".." or piece.path.startswith("../"):
            raise PathRefused(f"the output {named} leads out of ${working.root}")
    if piece.path in ("", "."):
        raise WrongUsage(f"the output {named} is the root ${piece.root} itself; name a file or a folder below it")
    if output.is_set:
        return RootPath(root=piece.root, path=piece.path, quoting=QUOTING_PATTERN)
    return RootPath(root=piece.root, path=f"{piece.path}/" if staging.is_folder(path) else piece.path)


def _under_a_root(path: str, surroundings: Surroundings, roots: Mapping[str, str]) -> str:
    """The path; or, if it lies under a root by its real place alone, the name that it has under that root."""
    real = surroundings.real_paths.get(path)
    piece = piece_of_path(real, surroundings.real_roots) if real is not None else None
    return posixpath.join(roots[piece.root], piece.path) if piece is not None else path


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in sorted(harmless(environment).items()) if _is_utf8(name) and _is_utf8(value)}


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked(submit: Submit) -> Submit:
    """What the coordinator would not understand is refused here, with a sentence that is about the command line."""
    try:
        payload = codec.encode(submit)
        size = len(payload)
        if size <= SUBMIT_BYTES:
            codec.decode(Submit, payload)
    except Oversized:
        size = MESSAGE_BYTES
    except MalformedMessage as error:
        raise WrongUsage(f"this cannot be asked for: {error}") from error
    if size > SUBMIT_BYTES:
        raise WrongUsage(f"the arguments are too long: {SUBMIT_BYTES // 1024} KiB are the limit; put them into a file")
    return submit

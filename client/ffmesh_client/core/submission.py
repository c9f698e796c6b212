"""A command line as the caller wrote it becomes a submit. Pure: where it was written is told.

Paths: an absolute one under a root becomes a piece; a relative one stays text, and the program starts in the caller's
folder where that lies under a root, else in an empty one. The letters of a path count first; one that they put under no
root may still lie there by its real place, where links lead. What hides inside an argument (filters, URLs, patterns) is
looked at by the shim's model, which is not there yet.
"""

import posixpath
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from ffmesh_client.errors import WrongUsage
from ffmesh_protocol import codec
from ffmesh_protocol.caller import harmless
from ffmesh_protocol.errors import MalformedMessage, Oversized
from ffmesh_protocol.limits import ARGUMENTS, LABELS, MESSAGE_BYTES, SUBMIT_BYTES, WORD_CHARS
from ffmesh_protocol.media import (
    Needs,
    RootPath,
    argument_of,
    is_descriptor,
    piece_of_path,
    printable,
    roots_in,
    working_folder,
)
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.wire import Told


class Wishes(Told, frozen=True):
    """The options of `run` and `submit`."""

    labels: dict[str, str]
    roots: dict[str, str]
    priority: int = 0
    on: str | None = None
    capabilities: tuple[str, ...] = ()
    timeout_seconds: float | None = None


class Surroundings(Told, frozen=True):
    """Where the command was typed. `folders` are names of the one working folder, the one that people use first.

    `real_roots` are the real places of all roots, and `real_paths` those of arguments, without links, as far as
    `in_need_of_real_places` names them.
    """

    folders: tuple[str, ...]
    environment: dict[str, str]
    umask: int
    stdin_is_terminal: bool
    real_roots: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    real_paths: dict[str, str] = msgspec.field(default_factory=dict[str, str])


def in_need_of_real_places(paths: Iterable[str], roots: Mapping[str, str]) -> list[str]:
    """Those of these paths and arguments that are absolute and lie under no root by their letters."""
    return [
        path
        for path in paths
        if path.startswith("/") and not is_descriptor(path) and piece_of_path(path, roots) is None
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
    arguments = tuple(
        argument_of(_under_a_root(word, surroundings, known_roots), known_roots, working) for word in words
    )
    return _checked(
        Submit(
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
                roots=roots_in(arguments, working),
                capabilities=wishes.capabilities,
                on=wishes.on,
            ),
            priority=wishes.priority,
            timeout_seconds=wishes.timeout_seconds,
            labels=wishes.labels,
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


def _working(surroundings: Surroundings, roots: Mapping[str, str]) -> RootPath | None:
    """A folder may be reached by several names (symlinks); the first that lies under a root is meant."""
    for places in (roots, surroundings.real_roots):
        for folder in surroundings.folders:
            piece = working_folder(folder, places)
            if piece is not None:
                return piece
    return None


def _under_a_root(word: str, surroundings: Surroundings, roots: Mapping[str, str]) -> str:
    """The argument; or, if it lies under a root by its real place alone, the name that it has under that root."""
    real = surroundings.real_paths.get(word)
    piece = piece_of_path(real, surroundings.real_roots) if real is not None else None
    return posixpath.join(roots[piece.root], piece.path) if piece is not None else word


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

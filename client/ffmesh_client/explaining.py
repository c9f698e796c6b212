"""What a command line is, as the shim sees it: its files, its needs, and where it would run. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ffmesh_client.shim.rules import LOCAL, Decision, Seen, decided
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.command_line import INPUT, OTHER, OUTPUT, CommandLine
from ffmesh_protocol.ffmpeg.needs import wanted
from ffmesh_protocol.ffmpeg.pieces import NO_LINKS, Real, arguments_of, root_path
from ffmesh_protocol.ffmpeg.tables import FFMPEG, FFPROBE
from ffmesh_protocol.media import Arguments, RootPath, printable, shown, working_folder, written
from ffmesh_protocol.wire import Told

_PLEX: Final = "Plex Transcoder"


class NeedsView(Told, frozen=True):
    encoders: tuple[str, ...]
    decoders: tuple[str, ...]
    filters: tuple[str, ...]
    hwaccels: tuple[str, ...]
    roots: tuple[str, ...]


class Explanation(Told, frozen=True):
    """Paths as the caller wrote them, without the escapes of their places and the protocols before them."""

    program: str
    args: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    other_paths: tuple[str, ...]
    unmapped: tuple[str, ...]
    needs: NeedsView
    stdin: bool
    stdout: bool
    runs: str
    reason: str | None


def understood(program: str) -> str | None:
    """Which of the two programs this name or path means, if any."""
    name = program.rpartition("/")[2]
    if name == _PLEX:
        return FFMPEG
    for known in (FFPROBE, FFMPEG):
        if name == known or name.startswith((f"{known}-", f"{known}_", f"{known}.")) or _has_version(name, known):
            return known
    return None


def explained(
    line: CommandLine,
    program: str,
    roots: Mapping[str, str],
    cwd: str,
    inside: Iterable[str] = (),
    real: Real = NO_LINKS,
) -> Explanation:
    """`inside` says what is wrong with what its lists name, and `real` where links lead."""
    paths = roots_of(line, roots, cwd, real)
    arguments = arguments_of(line, roots, real)
    unmapped = tuple(path for path, root in paths.items() if root is None)
    seen = Seen(
        line=line,
        unmapped=unmapped,
        inside=tuple(inside),
        refused=refused_by_agents(arguments, roots, working_folder(cwd, roots) if cwd else None),
        is_in_a_root=root_path(".", roots, cwd) is not None,
    )
    decision = decided(seen)
    return _view(line, program, arguments, decision, unmapped, sorted({root for root in paths.values() if root}))


def roots_of(line: CommandLine, roots: Mapping[str, str], cwd: str, real: Real = NO_LINKS) -> dict[str, str | None]:
    """Of each path its root; None: it lies under none."""
    places = {named.place.path: root_path(named.place.path, roots, cwd, real) for named in line.named}
    return {path: place.root if place is not None else None for path, place in places.items()}


def refused_by_agents(arguments: Arguments, roots: Mapping[str, str], working: RootPath | None) -> str | None:
    """What an agent would say that has the same roots in the same places."""
    try:
        for argument in arguments:
            written(argument, roots, working)
    except PathRefused as refused:
        return str(refused)
    return None


def not_understood(program: str, words: Sequence[str]) -> Explanation:
    """Of another program: nothing is known of its words."""
    return Explanation(
        program=_told(program),
        args=tuple(map(_told, words)),
        inputs=(),
        outputs=(),
        other_paths=(),
        unmapped=(),
        needs=NeedsView(encoders=(), decoders=(), filters=(), hwaccels=(), roots=()),
        stdin=False,
        stdout=False,
        runs=LOCAL,
        reason=f"{printable(program[:80])} is neither ffmpeg nor ffprobe: its arguments are not understood",
    )


def _view(
    line: CommandLine,
    program: str,
    arguments: Arguments,
    decision: Decision,
    unmapped: Sequence[str],
    used_roots: Sequence[str],
) -> Explanation:
    names = wanted(line)
    return Explanation(
        program=_told(program),
        args=tuple(shown(argument) for argument in arguments),
        inputs=tuple(map(_told, line.paths(INPUT))),
        outputs=tuple(map(_told, line.paths(OUTPUT))),
        other_paths=tuple(map(_told, line.paths(OTHER))),
        unmapped=tuple(map(_told, unmapped)),
        needs=NeedsView(
            encoders=tuple(map(_told, names.encoders)),
            decoders=tuple(map(_told, names.decoders)),
            filters=tuple(map(_told, names.filters)),
            hwaccels=tuple(map(_told, names.hwaccels)),
            roots=tuple(used_roots),
        ),
        stdin=line.reads_stdin,
        stdout=line.writes_stdout,
        runs=decision.runs,
        reason=decision.reason,
    )


def _has_version(name: str, known: str) -> bool:
    return name.startswith(known) and name[len(known) :].isdecimal()


def _told(text: str) -> str:
    """JSON has no place for bytes that are no UTF-8; they are shown as escapes."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")

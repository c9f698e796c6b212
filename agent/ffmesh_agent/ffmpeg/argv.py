"""What a grant becomes on this machine: its argument vector and its working folder, in bytes.

The agent looks for itself, however genuine the coordinator's message is. `PathRefused`: a root that is not here, a path
that leads out of one, an absolute path that is no piece and not open to all, a program that is not on our list.

ffmpeg is asked for its progress on a pipe of its own, unless the caller asks for it already or would see that we did:
from the log level `verbose` on ffmpeg tells what it has written to that pipe, and how it reads each of its options.

What hides inside an argument is `strangers`', links below a root are `shell/below.py`'s; whatever both miss, the fence
holds.
"""

from collections.abc import Mapping
from typing import Final

from ffmesh_agent.ffmpeg.command_line import read
from ffmesh_agent.ffmpeg.opened import NOTHING_MORE, Opened
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.tables import FFMPEG
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

PROGRESS_DESCRIPTOR: Final = 3

_OURS: Final = (b"-progress", f"pipe:{PROGRESS_DESCRIPTOR}".encode())
_ASKED_ALREADY: Final = frozenset({"progress", "report"})
_LEVEL_OPTIONS: Final = frozenset({"v", "loglevel"})
_TELLING_LEVELS: Final = ("verbose", "debug", "trace")
_VERBOSE: Final = 40


class Command(Told, frozen=True):
    argv: tuple[bytes, ...]
    folder: bytes | None
    """Where the program starts; None: in a private folder."""
    reports_progress: bool


def command(
    grant: Grant, programs: Mapping[str, str], roots: Mapping[str, str], opened: Opened = NOTHING_MORE
) -> Command:
    place = programs.get(grant.program)
    if place is None:
        raise PathRefused(f"{media.printable(grant.program)} is not on this agent's list of programs")
    folder = media.written((grant.cwd,), roots) if grant.cwd else None
    arguments = [media.written(argument, roots, grant.cwd, opened.has) for argument in grant.args]
    reports_progress = grant.program == FFMPEG and _would_not_notice(read(grant))
    return Command(
        argv=(
            (place or grant.program).encode(errors="surrogateescape"),
            *(_OURS if reports_progress else ()),
            *arguments,
        ),
        folder=folder,
        reports_progress=reports_progress,
    )


def _would_not_notice(line: CommandLine) -> bool:
    if PROGRESS_DESCRIPTOR in line.descriptors or any(option.plain in _ASKED_ALREADY for option in line.whole):
        return False
    return not any(option.plain in _LEVEL_OPTIONS and _tells_options(option.value) for option in line.whole)


def _tells_options(level: str) -> bool:
    """Flags may stand before it: `repeat+level+debug`, `+48`."""
    plain = level.rpartition("+")[2]
    return plain.endswith(_TELLING_LEVELS) or (plain.isdecimal() and int(plain) >= _VERBOSE)

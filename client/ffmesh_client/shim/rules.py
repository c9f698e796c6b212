"""Whether a command line runs on the mesh or here, and why. Pure: what is to be known of files and folders is told.

Each rule has a name and finds one reason to run here, as a sentence, or none. The first that finds one decides; the
order is that of what a person would want to hear first. What no rule keeps here runs on the mesh.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ffmesh_protocol.ffmpeg import muxers
from ffmesh_protocol.ffmpeg.command_line import CommandLine, File
from ffmesh_protocol.ffmpeg.tables import FFPROBE
from ffmesh_protocol.media import printable
from ffmesh_protocol.wire import Told

MESH: Final = "mesh"
LOCAL: Final = "local"

_PICTURE_STREAMS: Final = frozenset({muxers.IMAGES, "image2pipe", "mjpeg", "webp", "gif", "apng", "singlejpeg"})
_ONE: Final = "1"
_WRITE_BESIDE: Final = frozenset({"report", "vstats"})
_own_host = re.compile(r"[a-z0-9+.-]+://(?:[^/@]*@)?(?:localhost|127\.[0-9.]+|\[::1\])(?=[:/?]|\Z)", re.IGNORECASE)
_SHOWN: Final = 120


class Seen(Told, frozen=True):
    """A command line, and what was found out about it besides: `unmapped` are its paths under no root, `inside` says
    what is wrong with the files that its lists name."""

    line: CommandLine
    unmapped: tuple[str, ...]
    inside: tuple[str, ...]
    refused: str | None
    """What an agent would not take, whatever its roots."""
    is_in_a_root: bool
    """Whether the working folder lies under one."""


class Decision(Told, frozen=True):
    """`rule` and `reason` are null where none keeps it here."""

    runs: str
    rule: str | None = None
    reason: str | None = None


class Rule(NamedTuple):
    name: str
    reason: Callable[[Seen], str | None]


def decided(seen: Seen, rules: Sequence[Rule] | None = None) -> Decision:
    for rule in RULES if rules is None else rules:
        reason = rule.reason(seen)
        if reason is not None:
            return Decision(runs=LOCAL, rule=rule.name, reason=reason)
    return Decision(runs=MESH)


def _no_arguments(seen: Seen) -> str | None:
    return None if seen.line.words else f"there are no arguments: {seen.line.program} says how it is used"


def _question(seen: Seen) -> str | None:
    asked = seen.line.questions
    return f"-{printable(asked[0][:_SHOWN])} asks {seen.line.program} about itself" if asked else None


def _ffprobe(seen: Seen) -> str | None:
    is_probe = seen.line.program == FFPROBE
    return "ffprobe looks at a file sooner than a job can begin" if is_probe else None


def _probe(seen: Seen) -> str | None:
    """Servers try encoders and keys on pictures that ffmpeg makes itself."""
    line = seen.line
    are_made = line.inputs and all(file.form == muxers.LAVFI for file in line.inputs)
    lead_nowhere = line.outputs and all(file.form == muxers.NULL for file in line.outputs)
    if are_made and lead_nowhere and not line.named:
        return "no file is read or written: this tries what ffmpeg can do here"
    return None


def _no_output(seen: Seen) -> str | None:
    return None if seen.line.outputs else "no output is named: ffmpeg tells about its inputs and ends"


def _picture(seen: Seen) -> str | None:
    if all(_is_one_picture(file) for file in seen.line.outputs):
        return "a single picture is made sooner than a job can begin"
    return None


def _is_one_picture(file: File) -> bool:
    counts = [
        option.value
        for option in file.options
        if option.plain == "vframes" or (option.plain == "frames" and not option.name.startswith("frames:a"))
    ]
    return bool(counts) and counts[-1] == _ONE and file.form in _PICTURE_STREAMS


def _under_no_root(seen: Seen) -> str | None:
    if not seen.unmapped:
        return None
    path, *others = seen.unmapped
    besides = f", nor {_so_many(len(others), 'other')}" if others else ""
    if path.startswith("/"):
        return f"{_shown(path)} lies under no root{besides}; name its folder with --root NAME=PATH"
    return f"{_shown(path)} lies under no root{besides}, because this folder does not"


def _relative(seen: Seen) -> str | None:
    """The program would start in an empty folder elsewhere."""
    if seen.is_in_a_root:
        return None
    paths = (named.place.path for named in seen.line.named)
    relative = next((path for path in paths if not path.startswith("/")), None)
    return f"{_shown(relative)} is named from this folder, which lies under no root" if relative else None


def _doubt(seen: Seen) -> str | None:
    return seen.line.doubts[0] if seen.line.doubts else None


def _refused(seen: Seen) -> str | None:
    return seen.refused


def _list(seen: Seen) -> str | None:
    return seen.inside[0] if seen.inside else None


def _device(seen: Seen) -> str | None:
    devices = seen.line.devices
    return f"{_shown(devices[0] or 'the device')} is a device of this machine" if devices else None


def _own_address(seen: Seen) -> str | None:
    for url in seen.line.urls:
        if _own_host.match(url):
            return f"{_shown(url)} is answered on this machine alone"
    return None


def _descriptor(seen: Seen) -> str | None:
    numbers = seen.line.descriptors
    return f"descriptor {numbers[0]} of the caller does not reach another machine" if numbers else None


def _left_behind(seen: Seen) -> str | None:
    """Files with names of ffmpeg's own lie in the working folder, and get lost where that is an empty one."""
    if seen.is_in_a_root:
        return None
    line = seen.line
    for option in line.whole:
        if option.plain in _WRITE_BESIDE and option.argument is None:
            return f"-{option.plain} writes into this folder, which lies under no root"
    for file in line.outputs:
        if file.has("pass") and not file.has("passlogfile"):
            return "-pass keeps its log in this folder, which lies under no root; -passlogfile names another place"
    for file in line.inputs:
        if "" in file.values("dump_attachment"):
            return "-dump_attachment writes into this folder, which lies under no root"
    return None


def _so_many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _shown(text: str) -> str:
    return printable(text[:_SHOWN])


RULES: Final[tuple[Rule, ...]] = (
    Rule("no-arguments", _no_arguments),
    Rule("question", _question),
    Rule("ffprobe", _ffprobe),
    Rule("probe", _probe),
    Rule("no-output", _no_output),
    Rule("picture", _picture),
    Rule("device", _device),
    Rule("under-no-root", _under_no_root),
    Rule("doubt", _doubt),
    Rule("list", _list),
    Rule("refused", _refused),
    Rule("own-address", _own_address),
    Rule("descriptor", _descriptor),
    Rule("left-behind", _left_behind),
    Rule("relative", _relative),
)

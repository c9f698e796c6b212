"""What an ffmpeg that was tried has said: why it failed, in one reason; how fast it was. Pure.

Trials run with `-v level+warning`, so that each line of ffmpeg's tells how bad it is: `[h264_nvenc @ 0x55d] [error]
Cannot load libcuda.so.1`. The first error is the reason, but for those that only follow from others.
"""

import re
from collections.abc import Sequence
from typing import Final

from ffmesh_protocol.limits import FPS_MAX

REASON_CHARS: Final = 300

_line = re.compile(r"^(?:\[[^\]]{1,80}\] )*?\[(?P<level>warning|error|fatal|panic)\] (?P<text>.*)$")
_FOLLOWS: Final = re.compile(
    r"^(?:Error (?:initializing output stream|while opening encoder|opening (?:output|encoder)|parsing global options)"
    r"|Error (?:while )?(?:filtering|processing|sending frames|initializing a simple filtergraph)"
    r"|Error reinitializing filters"
    r"|Failed to (?:set value|inject frame|configure output pad)|Device creation failed|Nothing was written"
    r"|can't configure encoder|Could not dynamically load CUDA|Could not open encoder before EOF|Terminating thread"
    r"|Task finished with error|Conversion failed|Query format failed|Impossible to convert)"
)
"""Of another failure that was said before. Where nothing else was, they are better than nothing."""
_device_refused = re.compile(r"^Failed to set value '.*' for option 'init_hw_device': (?P<why>.+)$")
_complains = re.compile(r"[Nn]ot found|[Cc]annot|[Cc]ould not|[Ff]ail|[Uu]nable|[Nn]o such|[Nn]ot supported")
_computes = re.compile(r"\bselected: (?P<device>.{1,200}?) \(software\)")
_seconds = re.compile(r"^bench: .*\brtime=(?P<seconds>\d{1,9}\.\d{1,9})s", re.MULTILINE)
_frames = re.compile(r"^(?:\[info\] )?frame= *(?P<frames>\d{1,9})\b", re.MULTILINE)


def reason(printed: str) -> str | None:
    """Why it failed; None: it said nothing of that."""
    said = [(found["level"], found["text"].strip()) for found in map(_line.match, _lines(printed)) if found]
    errors = [text for level, text in said if level != "warning"]
    warnings = [text for level, text in said if level == "warning" and _complains.search(text)]
    causes = [text for text in errors if not _FOLLOWS.match(text)]
    refused = [f"its device cannot be opened: {found['why']}" for found in map(_device_refused.match, errors) if found]
    best = next(iter([*causes, *warnings, *refused, *errors]), None)
    return _shown(best) if best else None


def computed(printed: str) -> str | None:
    """Why what went well is no work of hardware; None: nothing says so."""
    found = _computes.search(printed)
    return f"there is no GPU that it could use: {_shown(found['device'])} computes in software" if found else None


def has_encoded(printed: str) -> bool:
    """Whether it says that it has made a picture."""
    return any(int(found["frames"]) > 0 for found in _frames.finditer("\n".join(_lines(printed))))


def fps(printed: str, seconds: float) -> float | None:
    """Frames in a second, of what `speed_trial` printed. `seconds`: how long it ran, if it was ended before it could
    say so itself. None: it has encoded nothing."""
    frames = [int(found["frames"]) for found in _frames.finditer("\n".join(_lines(printed)))]
    said = _seconds.search(printed)
    took = float(said["seconds"]) if said else seconds
    if not frames or frames[-1] == 0 or took <= 0:
        return None
    return min(round(frames[-1] / took, 1), float(FPS_MAX))


def _lines(printed: str) -> Sequence[str]:
    return re.split(r"[\r\n]+", printed)


def _shown(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:REASON_CHARS].rstrip(" .")

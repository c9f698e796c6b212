"""Whether a program failed at writing an output, by what it said: ffmpeg says it in the words in which it says that it
cannot read an input, and only the name tells which it was.

Pure: words in, a sentence out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from ffmesh_agent.ffmpeg.command_line import UNDERSTOOD, below, read
from ffmesh_agent.ffmpeg.names import Names
from ffmesh_protocol.ffmpeg.command_line import INPUT, OUTPUT
from ffmesh_protocol.messages.orders import Grant

_speaker: Final = re.compile(r"^(?:\[[^\]]{1,80}\] ?)+")
_refused: Final = re.compile(
    r"^(?:Error opening output |Could not open )?(?P<name>.+): (?P<why>Permission denied|No such file or directory|"
    r"Not a directory|Is a directory|Read-only file system|Operation not permitted)$"
)
_of_a_set: Final = re.compile(r"^(?:Could not open file : |Failed to open file ')(?P<name>.+?)'?$")
"""Of pictures and of segments, without why."""


def unwritten(grant: Grant, lines: Sequence[str]) -> str | None:
    """A sentence about the output that could not be written. `lines` name roots as `$Name`, as people see them."""
    named = read(grant).named if grant.program in UNDERSTOOD else ()
    places = [(each.role, place.shown) for each in named if (place := below(each.place.path, grant.cwd)) is not None]
    inputs = {shown for role, shown in places if role == INPUT}
    outputs = [shown for role, shown in places if role == OUTPUT]
    for said in reversed(lines):
        words = _speaker.sub("", said)
        found = _refused.match(words) or _of_a_set.match(words)
        if found is None or found["name"] in inputs:
            continue
        output = next(_meant(found["name"], outputs), None)
        if output is not None:
            why = found.groupdict().get("why")
            return f"its output {output} cannot be written" + (f": {why}" if why else "")
    return None


def _meant(said: str, outputs: Sequence[str]) -> Iterator[str]:
    """A program that starts in a folder of the root may say the name from there on."""
    for shown in outputs:
        is_relative = not said.startswith(("$", "/")) and shown.endswith(f"/{said}")
        if is_relative or said in Names(shown) or _is_segment_of(said, shown):
            yield shown


def _is_segment_of(said: str, shown: str) -> bool:
    """Where a playlist lies, its segments do, and begin with its name."""
    stem, _, ending = shown.rpartition(".")
    return ending in {"m3u8", "mpd"} and said.startswith(stem)

"""How long what ffmpeg writes will be: of its inputs by what it says of them on standard error (`  Duration:
00:01:23.45, start: …`), less what its arguments cut off.

Of several inputs the longest counts, or with `-shortest` the shortest. `-ss`, `-sseof`, `-t`, `-to` and `-stream_loop`
of inputs and `-ss`, `-t` and `-to` of outputs are taken into account where they stand in the arguments as ffmpeg reads
them. What filters make longer or shorter is not; nor is it known what ffmpeg does not say (`-loglevel error`, `N/A`)
and no argument says either.
"""

import re
from collections.abc import Mapping
from typing import Final

from ffmesh_agent.ffmpeg.command_line import File, Line
from ffmesh_agent.ffmpeg.estimate import seconds
from ffmesh_agent.ffmpeg.lines import Lines

NOTHING_SAID: Final = Line(inputs=(), outputs=())

_levels = rb"(?:\[[^\]]{1,40}\] ?)*"
_input = re.compile(_levels + rb"Input #(\d{1,6}), ")
_duration = re.compile(_levels + rb"  Duration: (\d{1,6}):(\d\d):(\d\d(?:\.\d{1,6})?)")
_inputs_are_over = re.compile(_levels + rb"(?:Stream mapping:|Output #|Press \[q\])")
_whole_number = re.compile(r"-?\d{1,9}\Z")


class DurationReader:
    """Eats standard error, cut anywhere, until the inputs have been described; after that it costs nothing."""

    def __init__(self, line: Line = NOTHING_SAID) -> None:
        self._arguments = line
        self._said: dict[int, float] = {}
        self._input = 0
        self._lines = Lines()
        self._over = False
        self.seconds = written_seconds(line, self._said)

    def feed(self, block: bytes) -> None:
        if self._over:
            return
        for line in self._lines.feed(block):
            if _inputs_are_over.match(line):
                self._over = True
                return
            if begun := _input.match(line):
                self._input = int(begun[1])
            elif found := _duration.match(line):
                hours, minutes, rest = found.groups()
                self._said[self._input] = int(hours) * 3600 + int(minutes) * 60 + float(rest)
                self.seconds = written_seconds(self._arguments, self._said)


def written_seconds(line: Line, said: Mapping[int, float]) -> float | None:
    """Of the longest output, when the inputs are as long as was said."""
    outputs = line.outputs or (File(options=(), name="", argument=0, form=""),)
    lengths = [_of_output(output, line, said) for output in outputs]
    known = [length for length in lengths if length is not None]
    return max(known) if len(known) == len(lengths) else None


def _of_output(output: File, line: Line, said: Mapping[int, float]) -> float | None:
    numbers = sorted({*range(len(line.inputs)), *said})
    lengths = [_of_input(line.inputs[at] if at < len(line.inputs) else None, said.get(at)) for at in numbers]
    known = [length for length in lengths if length is not None]
    longest = (min if output.has("shortest") else max)(known, default=None)
    return _cut(output, longest)


def _of_input(file: File | None, said: float | None) -> float | None:
    if file is None:
        return said
    length = said if file.last("loop") in (None, "0") else None  # a picture, shown for ever
    if length is not None and (again := file.last("stream_loop")) is not None:
        times = int(again) + 1 if _whole_number.match(again) else 0
        length = length * times if times > 0 else None
    from_end = file.last("sseof")
    if from_end is not None and file.last("ss") is None:
        left = seconds(from_end.removeprefix("-"))
        length = min(length, left) if length is not None and left is not None else None
    return _cut(file, length)


def _cut(file: File, length: float | None) -> float | None:
    """`-t` goes before `-to`, and both count from `-ss`."""
    start, until, limit = (_option(file, name) for name in ("ss", "to", "t"))
    if length is not None and start is not None:
        length = max(0.0, length - start)
    if limit is None and until is not None:
        limit = max(0.0, until - (start or 0.0))
    if limit is None:
        return length
    return limit if length is None else min(length, limit)


def _option(file: File, name: str) -> float | None:
    value = file.last(name)
    return seconds(value) if value is not None else None

"""How long the inputs are, as ffmpeg itself says it on standard error: `  Duration: 00:01:23.45, start: …`.

With several inputs it is the longest. Not there yet: what `-t`, `-to` and `-ss` leave of an input is not taken into
account, and what ffmpeg does not say (`-loglevel error`, `N/A`) is not known.
"""

import re

from ffmesh_agent.ffmpeg.lines import Lines

_duration = re.compile(rb"(?:\[[^\]]{1,40}\] ?)*  Duration: (\d{1,6}):(\d\d):(\d\d(?:\.\d{1,6})?)")
_inputs_are_over = re.compile(rb"(?:\[[^\]]{1,40}\] ?)*(?:Stream mapping:|Output #|Press \[q\])")


class DurationReader:
    """Eats standard error, cut anywhere, until the inputs have been described; after that it costs nothing."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._lines = Lines()
        self._over = False

    def feed(self, block: bytes) -> None:
        if self._over:
            return
        for line in self._lines.feed(block):
            if _inputs_are_over.match(line):
                self._over = True
                return
            if found := _duration.match(line):
                hours, minutes, seconds = found.groups()
                said = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
                self.seconds = max(said, self.seconds or 0.0)

"""The last lines of what a program said on standard error: by them a failure is judged.

Feeding costs a copy of the newest bytes and no more; lines are made once, at the end.
"""

from typing import Final

from ffmesh_agent.ffmpeg.lines import Lines

KEPT_BYTES: Final = 32 * 1024
"""At least; up to twice as much is held, so that old bytes go in blocks."""


class LastWords:
    def __init__(self) -> None:
        self._end = bytearray()
        self._is_cut = False

    def feed(self, block: bytes) -> None:
        self._end += block
        if len(self._end) > 2 * KEPT_BYTES:
            del self._end[:-KEPT_BYTES]
            self._is_cut = True

    def lines(self) -> list[str]:
        """Without their ends. One whose beginning was dropped is none."""
        reader = Lines()
        lines = [*reader.feed(bytes(self._end)), reader.rest()]
        return [line.decode(errors="replace") for line in lines[1 if self._is_cut else 0 :] if line]

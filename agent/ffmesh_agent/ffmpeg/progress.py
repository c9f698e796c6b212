"""What ffmpeg writes to `-progress`: blocks of key=value lines, each block ended by `progress=`.

Nothing is trusted to be there or to be a number (`N/A` is common). The key `out_time_ms` is in microseconds, as
`out_time_us` is, and is not read.
"""

import math
from typing import Final

from ffmesh_agent.ffmpeg.lines import Lines
from ffmesh_protocol.limits import NUMBER_MAX
from ffmesh_protocol.messages.jobs import Progress

_NO_TIME_YET: Final = -1e12
"""ffmpeg prints its “no timestamp” as a number of microseconds near -2⁶³. A little below 0 is a codec's own delay."""

_BEYOND: Final = 1.02
"""An encode may run a little past the length of its input. One that runs further shows that this length means nothing
(a still picture, a looped input), and then there is no percentage."""


class ProgressReader:
    """Eats bytes, cut anywhere."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._block: dict[str, str] = {}

    def feed(self, content: bytes, duration_seconds: float | None = None) -> list[Progress]:
        """A `Progress` for each block that ended here; the percentage is of the duration, if that is known."""
        ended: list[Progress] = []
        for line in self._lines.feed(content):
            key, equals, value = line.decode(errors="replace").partition("=")
            if not equals:
                continue
            if key.strip() == "progress":
                ended.append(_progress(self._block, duration_seconds))
                self._block = {}
            elif len(self._block) < 1000:
                self._block[key.strip()] = value.strip()
        return ended


def _progress(block: dict[str, str], duration: float | None) -> Progress:
    out_time = _out_time(block.get("out_time_us", ""))
    speed = _number(block.get("speed", "").removesuffix("x"))
    if duration is not None and (duration <= 0 or (out_time is not None and out_time > duration * _BEYOND + 1)):
        duration = None
    return Progress(
        percent=_percent(out_time, duration),
        frame=_whole(block.get("frame", "")),
        fps=_number(block.get("fps", "")),
        speed=speed,
        out_time_s=out_time,
        bitrate_kbps=_number(block.get("bitrate", "").removesuffix("kbits/s")),
        eta_s=_eta(out_time, duration, speed),
    )


def _out_time(text: str) -> float | None:
    microseconds = _number(text)
    if microseconds is None or microseconds < _NO_TIME_YET:
        return None
    return max(0.0, microseconds / 1_000_000)


def _percent(out_time: float | None, duration: float | None) -> float | None:
    if out_time is None or duration is None:
        return None
    return round(min(100.0, 100 * out_time / duration), 2)


def _eta(out_time: float | None, duration: float | None, speed: float | None) -> float | None:
    if out_time is None or duration is None or not speed or speed < 0:
        return None
    return round(max(0.0, duration - out_time) / speed, 1)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(text: str) -> int | None:
    number = _number(text)
    return int(number) if number is not None and 0 <= number <= NUMBER_MAX else None

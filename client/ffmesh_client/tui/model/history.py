"""How something went on, as far back as somebody looks: bounded, whatever comes in."""

from collections import deque
from typing import Final

from ffmesh_protocol.messages.jobs import Progress
from ffmesh_protocol.wire import Told

POINTS: Final = 600
"""Of a job: ten minutes of progress that comes once a second."""

BEATS: Final = 60
"""Of an agent's load: two minutes of heartbeats."""


class Point(Told, frozen=True):
    """How fast a program was at one moment."""

    at: float
    fps: float | None
    speed: float | None


class Speeds:
    """The speeds of one job, oldest first."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=POINTS)

    def add(self, progress: Progress, at: float) -> None:
        self._points.append(Point(at=at, fps=progress.fps, speed=progress.speed))

    def points(self) -> tuple[Point, ...]:
        return tuple(self._points)

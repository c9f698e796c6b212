"""A curve over time, of blocks: eight steps a cell."""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import Final

from rich.text import Text
from textual.app import RenderResult
from textual.color import Color
from textual.widget import Widget

from ffmesh_client.tui import drawing
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.looks import Looks
from ffmesh_client.tui.model.history import Point

CELLS: Final = f" {drawing.STEPS}"
FAINTER: Final = 0.6
LABEL: Final = 9


class Plots(Widget):
    """Frames a second, and how often as fast as the film runs: each on a half of the height."""

    DEFAULT_CSS = """
    Plots { height: 1fr; padding: 0 1; background: $background; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._points: Sequence[Point] = ()

    def show(self, points: Sequence[Point]) -> None:
        self._points = points
        self.display = len(points) > 1
        self.refresh()

    def render(self) -> RenderResult:
        looks, (width, height) = self._desk.looks, self.content_size
        if width <= LABEL or height < 2 or len(self._points) < 2:
            return Text()
        upper = (height + 1) // 2
        lines = [
            *self._labelled([point.fps for point in self._points], width, upper, looks.busy, _fps),
            *self._labelled([point.speed for point in self._points], width, height - upper, looks.good, _speed),
        ]
        return Text("\n").join(lines)

    def _labelled(
        self,
        values: Sequence[float | None],
        width: int,
        height: int,
        colour: str,
        said: Callable[[float], str],
    ) -> list[Text]:
        known = [max(0.0, value) for value in values if value is not None]
        if not known:
            return [Text() for _ in range(height)]
        top = max(max(known), 0.01)
        looks = self._desk.looks
        labels = [said(top), *[""] * (height - 1)]
        rows = curve(known, width - LABEL, height, top)
        return [
            Text.assemble((f"{label:>{LABEL - 1}} ", looks.muted), _coloured(row, colour, looks))
            for label, row in zip(labels, rows, strict=True)
        ]


def curve(values: Sequence[float], width: int, height: int, top: float) -> list[str]:
    """Filled below, the newest at the right; a column of cells for each value, or for the mean of some."""
    shown = _resampled(values, width)
    eighths = [0] * (width - len(shown)) + [max(1, round(min(1.0, value / top) * height * 8)) for value in shown]
    floors = range((height - 1) * 8, -1, -8)
    return ["".join(CELLS[max(0, min(8, column - floor))] for column in eighths) for floor in floors]


def _coloured(row: str, colour: str, looks: Looks) -> Text:
    """The edge in its colour, and what is below it fainter: many machines at work are no alarm."""
    faint = Color.parse(colour).blend(Color.parse(looks.ground), FAINTER).hex
    line = Text()
    for is_full, cells in groupby(row, key=lambda cell: cell == CELLS[-1]):
        line.append("".join(cells), style=faint if is_full else colour)
    return line


def _resampled(values: Sequence[float], most: int) -> list[float]:
    if len(values) <= most:
        return list(values)
    bounds = [number * len(values) // most for number in range(most + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]


def _fps(value: float) -> str:
    return drawing.number(value, " fps")


def _speed(value: float) -> str:
    return drawing.number(value, "x", 2)

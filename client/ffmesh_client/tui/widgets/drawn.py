"""A text that is drawn for the width that it has, and anew when that is another."""

from collections.abc import Callable
from typing import Final

from rich.text import Text
from textual import events
from textual.widgets import Static

LEAST: Final = 20


class Drawn(Static):
    def __init__(self) -> None:
        super().__init__()
        self._draws: Callable[[int], Text] = lambda width: Text()
        self._drawn_for = 0

    def show(self, draws: Callable[[int], Text]) -> None:
        self._draws = draws
        self._redraw()

    def on_resize(self, event: events.Resize) -> None:
        if event.size.width != self._drawn_for:
            self._redraw()

    def _redraw(self) -> None:
        self._drawn_for = self.size.width
        self.update(self._draws(max(LEAST, self._drawn_for)))

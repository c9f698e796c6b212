"""One quiet line below a list."""

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.drawing import fitted


class Info(Widget):
    DEFAULT_CSS = """
    Info { height: 1; padding: 0 3; background: $background; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._sentence = ""

    def show(self, sentence: str) -> None:
        if sentence != self._sentence:
            self._sentence = sentence
            self.refresh()

    def render(self) -> RenderResult:
        return fitted(Text(self._sentence, style=self._desk.looks.muted), self.content_size.width)

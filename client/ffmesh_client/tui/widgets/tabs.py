"""The names of the pages, with the key of each; also to be clicked."""

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from ffmesh_client.tui.desk import Desk


class PageTabs(Widget):
    """`names`: of the pages in the order of their keys. `beyond`: what is looked at within the page `current`."""

    DEFAULT_CSS = """
    PageTabs { height: 1; padding: 0 1; background: $background; }
    """

    def __init__(self, desk: Desk, names: Sequence[str], current: str, beyond: str = "") -> None:
        super().__init__()
        self._desk = desk
        self._names = names
        self._current = current
        self._beyond = beyond

    def render(self) -> RenderResult:
        looks = self._desk.looks
        line = Text()
        for number, name in enumerate(self._names, 1):
            is_here = name == self._current
            style = Style.parse(f"bold underline {looks.accent}" if is_here else looks.muted)
            meta = Style(meta={"@click": f"app.page({name!r})"})
            line.append(f"{number} {name.title()}", style=style + meta)
            line.append("   ")
        if self._beyond:
            line.append(f"› {self._beyond}", style=looks.text)
        return line

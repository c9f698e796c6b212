"""The names of the pages, with the key of each; also to be clicked."""

from collections.abc import Sequence

from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.widget import Widget

from ffmesh_client.tui.app_of import app_of
from ffmesh_client.tui.desk import Desk

GAP = "   "


class PageTabs(Widget):
    """`names`: of the pages in the order of their keys. `beyond`: what is looked at within the page `current`."""

    DEFAULT_CSS = """
    PageTabs { height: 2; padding: 0 1; background: $background; }
    """

    def __init__(self, desk: Desk, names: Sequence[str], current: str, beyond: str = "") -> None:
        super().__init__()
        self._desk = desk
        self._titles = [f"{number} {name.title()}" for number, name in enumerate(names, 1)]
        self._pages = [*names]
        self._here = self._pages.index(current)
        self._beyond = beyond

    def render(self) -> RenderResult:
        looks = self._desk.looks
        line = Text(no_wrap=True, overflow="ellipsis")
        for number, title in enumerate(self._titles):
            line.append(title, style=f"bold underline {looks.accent}" if number == self._here else looks.muted)
            line.append(GAP)
        if self._beyond:
            line.append(f"› {self._beyond}", style=looks.text)
        return line

    async def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        left = 0
        for page, title in zip(self._pages, self._titles, strict=True):
            if at is not None and left <= at.x < left + len(title) and at.y == 0:
                await app_of(self).run_action(f"app.page({page!r})")
            left += len(title) + len(GAP)

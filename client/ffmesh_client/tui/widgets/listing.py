"""A list with a cursor, of any length: only the lines that are seen are ever drawn.

Whoever shows one says how an item is drawn and by which key it is known again; the cursor and the marks stay with their
items when others come and go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ffmesh_client.tui.app_of import app_of
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.drawing import fitted

Item = TypeVar("Item")

GUTTER = 2
"""Cells at the left, for the mark."""


class Listing(ScrollView, Generic[Item], can_focus=True):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("home,g", "end(0)", "First", show=False),
        Binding("end,G", "end(-1)", "Last", show=False),
        Binding("enter", "open", "Open", show=False),
        Binding("space", "mark", "Select", show=False),
    ]
    DEFAULT_CSS = """
    Listing {
        height: 1fr;
        background: $background;
        scrollbar-size-vertical: 1;
        overflow-x: hidden;
    }
    """

    @dataclass
    class Opened(Message):
        """Somebody wants to see more of this one."""

        key: str

    @dataclass
    class Moved(Message):
        """The cursor is at another line, or there is another item under it."""

    @dataclass
    class NearEnd(Message):
        """The cursor is near the last line: if there is more, it is wanted now."""

    stays_on_top: ClassVar[bool] = False
    """Who is at the first line stays there when others come before it."""

    items_say_all: ClassVar[bool] = False
    """An item that is the same looks the same: nothing else is drawn into its line."""

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.desk = desk
        self.items: Sequence[Item] = ()
        self.cursor = 0
        self.marked: set[str] = set()
        self._drawn: dict[int, tuple[Item, tuple[object, ...], Strip]] = {}
        """What each line shows, and how it was drawn."""

    # --- what a kind of list says -------------------------------------------------------------------------------------

    def key_of(self, item: Item) -> str:
        raise NotImplementedError

    def draw(self, item: Item, width: int) -> Text:
        raise NotImplementedError

    def head(self, width: int) -> Text:
        raise NotImplementedError

    def nothing(self) -> str:
        """What stands there while there is no item."""
        raise NotImplementedError

    def can_be_marked(self, item: Item) -> bool:
        del item
        return False

    # --- what pages do with it ----------------------------------------------------------------------------------------

    def show(self, items: Sequence[Item]) -> None:
        at, before = self.current_key, self.cursor
        self.items = items
        is_held = self.stays_on_top and self.cursor == 0
        if at is not None and not is_held and (before >= len(items) or self.key_of(items[before]) != at):
            keys = {self.key_of(item): number for number, item in enumerate(items)}
            self.cursor = keys.get(at, min(before, max(0, len(items) - 1)))
        self._measure()
        top = int(self.scroll_offset.y)
        if top and self.cursor != before:  # what is looked at stays where it is on the screen
            self.scroll_to(y=max(0, top + self.cursor - before), animate=False, force=True)
        self.refresh()

    @property
    def current(self) -> Item | None:
        return self.items[self.cursor] if self.cursor < len(self.items) else None

    @property
    def current_key(self) -> str | None:
        item = self.current
        return self.key_of(item) if item is not None else None

    def go_to(self, index: int) -> None:
        """The cursor, and what is around it, into sight."""
        self.cursor = max(0, min(index, len(self.items) - 1))
        seen = self.size.height - 1
        top = int(self.scroll_offset.y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif seen > 0 and self.cursor >= top + seen:
            self.scroll_to(y=self.cursor - seen + 1, animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())
        if self.cursor >= len(self.items) - self.size.height:
            self.post_message(self.NearEnd())

    def keys_in_sight(self) -> tuple[str, ...]:
        top = int(self.scroll_offset.y)
        return tuple(self.key_of(item) for item in self.items[top : top + max(1, self.size.height)])

    # --- keys and mouse -----------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        self.go_to(self.cursor + by)

    def action_page(self, pages: int) -> None:
        self.go_to(self.cursor + pages * max(1, self.size.height - 2))

    def action_end(self, which: int) -> None:
        self.go_to(0 if which == 0 else len(self.items) - 1)

    def action_open(self) -> None:
        key = self.current_key
        if key is not None:
            self.post_message(self.Opened(key))

    def action_mark(self) -> None:
        item = self.current
        if item is None or not self.can_be_marked(item):
            return
        self.marked ^= {self.key_of(item)}
        self.action_move(1)

    def on_click(self, event: events.Click) -> None:
        line = event.y - 1
        index = int(self.scroll_offset.y) + line
        if line < 0 or index >= len(self.items):
            return
        again = index == self.cursor
        self.go_to(index)
        if again or event.chain > 1:
            self.action_open()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self._measure()

    def on_resize(self) -> None:
        self._measure()
        if self.items:
            self.go_to(self.cursor)

    def _measure(self) -> None:
        size = Size(max(1, self.size.width), len(self.items) + 1)
        if size != self.virtual_size:
            self.virtual_size = size

    def render_line(self, y: int) -> Strip:
        width, looks = self.scrollable_content_region.width, self.desk.looks
        room = max(0, width - GUTTER)
        if y == 0:
            head = Text("  ") + fitted(self.head(room), room)
            return self._strip(head, width, f"{looks.muted} on {looks.ground}")
        index = int(self.scroll_offset.y) + y - 1
        if not self.items:
            words = Text(f"  {self.nothing()}" if y == 2 else "", style=looks.muted)
            return self._strip(words, width, f"{looks.text} on {looks.ground}")
        if index >= len(self.items):
            return self._strip(Text(), width, f"{looks.text} on {looks.ground}")
        item = self.items[index]
        is_marked = bool(self.marked) and self.key_of(item) in self.marked
        ground = looks.cursor if index == self.cursor and self.has_focus else looks.ground
        how = (width, is_marked, ground, looks.name)
        drawn = self._drawn.get(y)
        if drawn is not None and drawn[0] is item and drawn[1] == how and self.items_say_all:
            return drawn[2]
        line = Text.assemble(("◆ " if is_marked else "  ", looks.accent), fitted(self.draw(item, room), room))
        strip = self._strip(line, width, f"{looks.text} on {ground}")
        self._drawn[y] = (item, how, strip)
        return strip

    def _strip(self, text: Text, width: int, style: str) -> Strip:
        base = Style.parse(style)
        text.end = ""
        text.no_wrap = True
        segments = [segment for segment in text.render(app_of(self).console) if segment.text]
        return Strip(segments).adjust_cell_length(width, base).apply_style(base)

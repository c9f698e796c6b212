"""What all pages have in common: the mesh above, the names of the pages, a body, what is searched for, and the keys."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input

from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.app_of import app_of
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.widgets.listing import Listing
from ffmesh_client.tui.widgets.mesh_bar import MeshBar
from ffmesh_client.tui.widgets.tabs import PageTabs

NAMES: Final = ("fleet", "jobs", "workflows", "events")
"""By the number of their key."""


class Page(Screen[None]):
    """`name_of_page` is one of `NAMES`; `beyond` says what is looked at within it."""

    name_of_page: str
    search_hint: ClassVar[str | None] = None
    """What can be searched for; None: nothing here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Before whoever has the focus: else the letters typed right behind it would be taken for keys.
        Binding("slash", "search", "Search", key_display="/", priority=True),
        Binding("escape", "back", "Back", show=False),
    ]
    DEFAULT_CSS = """
    Page { background: $background; }
    Page .body { height: 1fr; padding: 0 1; }
    Page.away .body { opacity: 45%; }
    Page #search { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
    Page #search:focus { border: none; background: $panel; }
    """

    def __init__(self, desk: Desk, *, beyond: str = "") -> None:
        super().__init__()
        self.desk = desk
        self._beyond = beyond
        self._bar = MeshBar(desk)
        self._offered: frozenset[str] = frozenset()

    # --- what a page says ---------------------------------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        raise NotImplementedError

    def paint(self) -> None:
        """Shows the picture as it is now. Called when there is something new, and not too often."""
        raise NotImplementedError

    def searched(self, words: str) -> None:
        """What is searched for from now on; empty: nothing."""

    def subjects(self) -> Sequence[Subject]:
        """What an action would be done to now: what is marked, else what the cursor is at."""
        return ()

    def done_with(self) -> None:
        """An action was done to them; the marks have served."""

    # --- what they have in common -------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield self._bar
        yield PageTabs(self.desk, NAMES, self.name_of_page, self._beyond)
        yield from self.body()
        yield Input(placeholder=self.search_hint or "", id="search", compact=True)
        yield Footer(compact=True, show_command_palette=False)

    def repaint(self) -> None:
        if not self.is_mounted:
            return
        self.set_class(self.desk.fold.away_since is not None, "away")
        self._bar.refresh()
        self.paint()
        self.offer()

    def offer(self) -> None:
        """The keys at the bottom are those of what the cursor is at."""
        offered = frozenset(subject.kind for subject in self.subjects())
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def on_listing_opened(self, event: Listing.Opened) -> None:
        self.open(event.key)

    def open(self, key: str) -> None:
        """What a list on this page was asked to show more of."""

    def on_listing_moved(self) -> None:
        self.offer()

    def on_mount(self) -> None:
        self.repaint()

    def on_screen_resume(self) -> None:
        self.repaint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        if action != "search":
            return True
        return self.search_hint is not None and not isinstance(self.focused, Input)

    def action_search(self) -> None:
        field = self.query_one("#search", Input)
        field.display = True
        self.set_focus(field)  # at once: what is typed next is meant for it

    def action_back(self) -> None:
        """Out of the search first, then out of what was looked for, then to where one came from."""
        field = self.query_one("#search", Input)
        if field.value or field.display:
            field.value = ""
            self._close(field)
            self.searched("")
        elif self._beyond:
            _ = app_of(self).pop_screen()  # not awaited: it waits for whoever handles this key

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "search":
            event.stop()
            self.searched(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "search":
            event.stop()
            self._close(event.input)

    def _close(self, field: Input) -> None:
        field.display = bool(field.value)
        self.focus_body()

    def focus_body(self) -> None:
        for widget in self.query(".body"):
            if widget.focusable:
                widget.focus()
                return

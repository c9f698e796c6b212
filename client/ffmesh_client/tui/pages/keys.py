"""All keys on one page."""

from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ffmesh_client.tui.actions import ACTIONS
from ffmesh_client.tui.looks import Looks
from ffmesh_client.tui.pages.page import NAMES

MOVING: Final = (
    ("j k ↓ ↑", "down and up; with PgDn, PgUp, g and G further"),
    ("Enter", "open what the cursor is at"),
    ("Esc", "back; out of a search first"),
    ("Space", "select, or no longer; actions then mean all that is selected"),
    ("/", "search"),
    ("f", "of jobs or events: only one kind of them, then the next"),
    ("o", "of jobs: another order"),
    ("y", "of a job: its command line into the clipboard"),
    ("l", "of a job: its log alone, or with the rest"),
    ("Tab", "of an agent: to its jobs, or back"),
)
ELSE: Final = (
    ("t", "light or dark"),
    ("Ctrl+P", "all commands, by name"),
    ("?", "these keys"),
    ("q", "quit"),
)


class Keys(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "dismiss", "Close")]
    DEFAULT_CSS = """
    Keys { align: center middle; background: $background 60%; }
    Keys > VerticalScroll {
        width: 76; max-width: 96%; height: auto; max-height: 100%; padding: 0 2;
        background: $surface; border: round $border;
    }
    Keys Static { height: auto; }
    """

    def __init__(self, looks: Looks) -> None:
        super().__init__()
        self._looks = looks

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(self._table())

    def _table(self) -> Text:
        looks = self._looks
        pages = [(str(number), name.title()) for number, name in enumerate(NAMES, 1)]
        actions = [(action.key, f"{action.word}: {action.says}") for action in ACTIONS]
        table = Text()
        for title, rows in (("Pages", pages), ("Moving", MOVING), ("Doing", actions), ("Else", ELSE)):
            table.append(f"{title}\n", style=f"bold {looks.accent}")
            for key, meaning in rows:
                table.append(f"  {key:<9}", style=f"bold {looks.text}")
                table.append(f"{meaning}\n", style=looks.muted)
        table.rstrip()
        return table

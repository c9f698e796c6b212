"""Asks whether that is meant. `y` or Enter on the button says yes; anything that leaves says no."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class Question(ModalScreen[bool]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
        Binding("left,h", "app.focus_previous", show=False),
        Binding("right,l", "app.focus_next", show=False),
    ]
    DEFAULT_CSS = """
    Question { align: center middle; background: $background 60%; }
    Question > Vertical {
        width: 60; max-width: 90%; height: auto; padding: 1 2; background: $surface; border: round $border;
    }
    Question Static { width: 1fr; height: auto; }
    Question Horizontal { height: auto; align-horizontal: right; margin-top: 1; }
    Question Button { margin-left: 2; }
    """

    def __init__(self, sentence: str, yes: str) -> None:
        super().__init__()
        self._sentence = sentence
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._sentence, markup=False)
            with Horizontal():
                yield Button("No (n)", id="no", compact=True)
                yield Button(f"{self._yes} (y)", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no", Button).focus()

    def action_answer(self, yes: bool) -> None:
        _ = self.dismiss(yes)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        _ = self.dismiss(event.button.id == "yes")

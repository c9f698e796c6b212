"""The application: which pages there are, when they are painted, and what is done to the mesh from here."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar, Final

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from ffmesh_client.tui.actions import ACTIONS, Action, named
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.looks import DARK, LIGHT, LOOKS, Looks, theme
from ffmesh_client.tui.pages.events import EventsPage
from ffmesh_client.tui.pages.fleet import FleetPage
from ffmesh_client.tui.pages.jobs import JobsPage
from ffmesh_client.tui.pages.keys import Keys
from ffmesh_client.tui.pages.page import NAMES, Page
from ffmesh_client.tui.pages.question import Question
from ffmesh_client.tui.pages.workflows import WorkflowsPage
from ffmesh_client.tui.terminal import Ascii, WithoutColours
from ffmesh_protocol.errors import FfmeshError

PAINT: Final = 1.0
"""Seconds, as often as a program tells how far it is. What has happened meanwhile is painted together; a key is
answered at once."""

TICK: Final = 5.0

PAGES: Final[dict[str, Callable[[Desk], Page]]] = {
    "fleet": FleetPage,
    "jobs": JobsPage,
    "workflows": WorkflowsPage,
    "events": EventsPage,
}


class Top(App[int]):
    """`unicode`, `colours`: what the terminal can show."""

    TITLE = "ffmesh"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(number), f"page({name!r})", name.title(), show=False) for number, name in enumerate(NAMES, 1)),
        *(Binding(action.key, f"do({action.word!r})", action.word.title()) for action in ACTIONS),
        Binding("t", "looks", "Light or dark", show=False),
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, desk: Desk, *, looks: Looks = DARK, unicode: bool = True, colours: bool = True) -> None:
        super().__init__()
        self.desk = desk
        self.fault: Exception | None = None
        """What went wrong in here. The terminal is given back all the same."""
        self._painted = -1
        self._unicode = unicode
        self._colours = colours
        for each in LOOKS.values():
            self.register_theme(theme(each))
        for name, page in PAGES.items():
            self.add_mode(name, partial(page, desk))  # pyright: ignore[reportUnknownMemberType] - Textual leaves open of what
        self._look(looks)

    async def on_mount(self) -> None:
        await self.switch_mode(NAMES[0])
        self.set_interval(PAINT, self._paint, name="paint")
        self.set_interval(TICK, self._tick, name="tick")

    def _handle_exception(self, error: Exception) -> None:
        self.fault = self.fault or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Textual's own would print a traceback with every variable; who has called us says it in one line."""
        self._close_messages_no_wait()

    # --- painting -----------------------------------------------------------------------------------------------------

    def _paint(self) -> None:
        if not self.screen_stack:
            return  # it is being left
        page, version = self.screen, self.desk.fold.version
        if isinstance(page, Page) and version != self._painted:
            self._painted = version
            page.repaint()

    def _tick(self) -> None:
        self.desk.fold.ticked(self.desk.clock())

    def _look(self, looks: Looks) -> None:
        self.desk.looks = looks
        self.theme = looks.name
        self._filters = [each for each in self._filters if not isinstance(each, WithoutColours | Ascii)]
        if not self._colours:
            self._filters.append(WithoutColours(looks))
        if not self._unicode:
            self._filters.append(Ascii())

    # --- keys ---------------------------------------------------------------------------------------------------------

    def action_page(self, name: str) -> None:
        """The list itself: where one is within it, back to it."""
        if not isinstance(self.screen, Page):
            return
        if self.current_mode != name:
            _ = self.switch_mode(name)
        while self.current_mode == name and len(self.screen_stack) > 1:
            _ = self.pop_screen()

    def action_looks(self) -> None:
        self._look(LIGHT if self.desk.looks is DARK else DARK)
        self.screen.refresh(recompose=False, layout=True)
        for widget in self.screen.query("*"):
            widget.refresh()

    def action_keys(self) -> None:
        if isinstance(self.screen, Page):
            _ = self.push_screen(Keys(self.desk.looks))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An action is offered where there is something that it can be done to."""
        if action != "do":
            return True
        kind = next(each.kind for each in ACTIONS if each.word == parameters[0])
        return isinstance(self.screen, Page) and any(subject.kind == kind for subject in self.screen.subjects())

    def action_do(self, word: str) -> None:
        page = self.screen
        action = next(each for each in ACTIONS if each.word == word)
        if isinstance(page, Page):
            names = [subject.name for subject in page.subjects() if subject.kind == action.kind]
            self._do(action, names, page)

    def _do(self, action: Action, names: Sequence[str], page: Page) -> None:
        if not names:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.run_worker(self._done(action, names, page), name=action.word, group="actions")

        if action.asks is None:
            answered(True)
        else:
            _ = self.push_screen(Question(action.asks.format(named(action.kind, names)), action.word.title()), answered)

    async def _done(self, action: Action, names: Sequence[str], page: Page) -> None:
        """To all of them; what is refused is said in the words of who refused."""
        done: list[str] = []
        refusals: dict[str, list[str]] = {}
        answers = await asyncio.gather(*map(partial(_answer, self.desk, action), names))
        for name, answer in zip(names, answers, strict=True):
            if answer is None:
                done.append(name)
            else:
                refusals.setdefault(answer, []).append(name)
        if done:
            self.notify(action.done.format(named(action.kind, done)), markup=False)
        for sentence, refused in refusals.items():
            self.notify(f"{named(action.kind, refused)}: {sentence}", severity="error", timeout=10, markup=False)
        page.done_with()

    # --- the palette --------------------------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for name in NAMES:
            yield SystemCommand(name.title(), f"Go to the page {name}", partial(self.action_page, name))
        subjects = screen.subjects() if isinstance(screen, Page) else ()
        for action in ACTIONS:
            names = [subject.name for subject in subjects if subject.kind == action.kind]
            if names and isinstance(screen, Page):
                title = f"{action.word.title()} {named(action.kind, names)}"
                yield SystemCommand(title, action.says.capitalize(), partial(self._do, action, names, screen))
        yield SystemCommand("Light or dark", "Change the colours", self.action_looks)
        yield SystemCommand("Keys", "All keys on one page", self.action_keys)
        yield SystemCommand("Quit", "Leave; the mesh goes on", self.action_quit)


async def _answer(desk: Desk, action: Action, name: str) -> str | None:
    """None: it was done; else why it was not."""
    try:
        await action.do(desk.mesh, name)
    except FfmeshError as error:
        return str(error)
    return None

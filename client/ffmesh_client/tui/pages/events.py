"""Events: what happened while this was open, the newest first."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widget import Widget

from ffmesh_client.tui import drawing
from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.drawing import fitted
from ffmesh_client.tui.looks import Sign
from ffmesh_client.tui.model.events import EventLine, is_about, is_found
from ffmesh_client.tui.pages.opening import open_agent, open_job
from ffmesh_client.tui.pages.page import Page
from ffmesh_client.tui.widgets.info import Info
from ffmesh_client.tui.widgets.listing import Listing

TIME, WHAT, AGENT = 10, 16, 14
FILTERS: Final = ("", "jobs", "agents", "trouble")
SIGNS: Final = {
    "waiting": Sign(sign="◌", colour="muted"),
    "queued": Sign(sign="○", colour="muted"),
    "started": Sign(sign="▸", colour="busy"),
    "succeeded": Sign(sign="✓", colour="good"),
    "failed": Sign(sign="✗", colour="bad"),
    "cancelled": Sign(sign="⊘", colour="warning"),
    "retried": Sign(sign="○", colour="warning"),
    "reopened": Sign(sign="○", colour="warning"),
    "agent online": Sign(sign="●", colour="good"),
    "agent offline": Sign(sign="○", colour="bad"),
}
UNKNOWN: Final = Sign(sign="·", colour="muted")
"""Of an event that a later coordinator tells."""


class EventsTable(Listing[EventLine]):
    stays_on_top = True
    items_say_all = True

    def key_of(self, item: EventLine) -> str:
        return str(item.number)

    def nothing(self) -> str:
        return "Nothing has happened since this was opened, or nothing of that kind."

    def head(self, width: int) -> Text:
        return Text(f"{'TIME':<{TIME}}{'WHAT':<{WHAT}}{'AGENT':<{AGENT}}WHICH, AND WHY")

    def draw(self, item: EventLine, width: int) -> Text:
        looks = self.desk.looks
        sign = SIGNS.get(item.what, UNKNOWN)
        line = Text.assemble((drawing.clock_of(item.at).ljust(TIME), looks.muted))
        line += fitted(Text(f"{sign.sign} {item.what}", style=sign.style(looks)), WHAT)
        line += fitted(Text(item.agent or drawing.NOTHING, style=looks.text if item.agent else looks.muted), AGENT)
        line.append(item.name or item.job or "", style=looks.text)
        if item.reason:
            line.append(f"  {item.reason}", style=looks.muted)
        return line


class EventsPage(Page):
    name_of_page = "events"
    search_hint = "names, agents, reasons …"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "filter", "Filter")]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._events = EventsTable(desk)
        self._events.add_class("body")
        self._info = Info(desk)
        self._words = ""
        self._filter = 0

    def body(self) -> Iterable[Widget]:
        yield self._events
        yield self._info

    def paint(self) -> None:
        log, kind = self.desk.fold.events, FILTERS[self._filter]
        lines = [line for line in log.newest_first() if is_about(line, kind) and is_found(line, self._words)]
        self._events.show(lines)
        said = f"{len(lines):,} of {log.count:,} events since this was opened, the newest first"
        self._info.show(f"{kind}  ·  {said}" if kind else said)

    def searched(self, words: str) -> None:
        self._words = words
        self.paint()

    def action_filter(self) -> None:
        self._filter = (self._filter + 1) % len(FILTERS)
        self.paint()

    def subjects(self) -> Sequence[Subject]:
        line = self._events.current
        if line is None:
            return ()
        of_job = [Subject(kind="job", name=line.job)] if line.job is not None else []
        of_agent = [Subject(kind="agent", name=line.agent)] if line.agent is not None and line.job is None else []
        return [*of_job, *of_agent]

    def open(self, key: str) -> None:
        del key
        line = self._events.current
        if line is not None and line.job is not None:
            open_job(self, line.job)
        elif line is not None and line.agent is not None:
            open_agent(self, line.agent)

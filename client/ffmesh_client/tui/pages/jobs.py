"""Jobs: what there is to do, and was done; the newest first, by pages of the coordinator's."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget

from ffmesh_client.tui import drawing
from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.drawing import fitted
from ffmesh_client.tui.jobs_asked import JobsAsked
from ffmesh_client.tui.looks import OF_JOB
from ffmesh_client.tui.model.job_rows import JobRow
from ffmesh_client.tui.model.job_table import JobTable, Order
from ffmesh_client.tui.model.search import OF_WORDS, parsed
from ffmesh_client.tui.pages.job import JobPage
from ffmesh_client.tui.pages.page import Page
from ffmesh_client.tui.widgets.info import Info
from ffmesh_client.tui.widgets.listing import Listing
from ffmesh_protocol.messages.jobs import JobState, Progress

STATE, AGENT, OWNER, CREATED = 12, 12, 10, 12
WIDE: Final = 110
"""From so many cells on there is room for who handed it in, and when."""

BAR: Final = 16
AHEAD: Final = 2
"""Screens of rows that are there before somebody gets to them."""

FILTERS: Final = ("", "open", "running", "queued", "failed", "succeeded", "cancelled")
"""What the key f goes through."""


class JobsTable(Listing[JobRow]):
    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.order = Order.NEWEST
        self.empty = ""

    def key_of(self, item: JobRow) -> str:
        return item.id

    def can_be_marked(self, item: JobRow) -> bool:
        del item
        return True

    def nothing(self) -> str:
        return self.empty

    def head(self, width: int) -> Text:
        name = self._width_of_name(width)
        line = f"{self._title('state'):<{STATE}}{self._title('name'):<{name}}{self._title('agent'):<{AGENT}}"
        if width >= WIDE:
            line += f"{self._title('owner'):<{OWNER}}{self._title('created', Order.NEWEST):<{CREATED}}"
        return Text(f"{line}HOW FAR, OR WHY NOT")

    def _title(self, name: str, order: Order | None = None) -> str:
        return name.upper() + ("↓" if (order or name) == self.order else "")

    def _width_of_name(self, width: int) -> int:
        """A third of what is left."""
        left = width - STATE - AGENT - (OWNER + CREATED if width >= WIDE else 0)
        return max(12, left * 2 // 5)

    def draw(self, item: JobRow, width: int) -> Text:
        looks = self.desk.looks
        live = self.desk.fold.run(item.id)
        state = live.state if live is not None and not item.state.is_end else item.state
        agent = (live.agent if live is not None else None) or item.agent
        sign = OF_JOB[state]
        line = fitted(Text(f"{sign.sign} {state.value}", style=sign.style(looks)), STATE)
        name = self._width_of_name(width)
        line += fitted(Text(item.name, style=looks.text), name - 1) + Text(" ")
        line += fitted(Text(agent or drawing.NOTHING, style=looks.text if agent else looks.muted), AGENT - 1) + Text(
            " "
        )
        if width >= WIDE:
            line += fitted(Text(item.owner, style=looks.muted), OWNER - 1) + Text(" ")
            line += fitted(Text(drawing.day_and_clock(item.created_at), style=looks.muted), CREATED)
        progress = live.progress if live is not None else item.progress
        return line + self._standing(item, state, progress, width - line.cell_len)

    def _standing(self, item: JobRow, state: JobState, progress: Progress, width: int) -> Text:
        looks = self.desk.looks
        if state in (JobState.RUNNING, JobState.GRANTED) and progress != Progress():
            words = drawing.progress_words(progress, looks)
            if words.cell_len + BAR > width:
                words = Text(drawing.percent(progress.percent).rjust(6), style=looks.text)
                words += Text(drawing.duration(progress.eta_s).rjust(9), style=looks.muted)
            return drawing.progress_bar(progress.percent, min(width - words.cell_len, 40), looks) + words
        if state is JobState.SUCCEEDED:
            return Text(f"took {_took(item)}", style=looks.muted)
        said = item.reason or _end(item)
        return fitted(Text(said, style=looks.bad if state is JobState.FAILED else looks.muted), width)


class JobsPage(Page):
    name_of_page = "jobs"
    search_hint = "words, state:failed, agent:pi-1, owner:tv, label:show=Holiday …"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "filter", "Filter"),
        Binding("o", "order", "Order"),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._jobs = JobTable()
        self._table = JobsTable(desk)
        self._table.add_class("body")
        self._info = Info(desk)
        self._words = ""
        self._filter = 0
        self._asked = JobsAsked(
            desk, self._jobs, in_sight=self._open_in_sight, wanted=self._wanted, changed=self._answered
        )

    def body(self) -> Iterable[Widget]:
        yield self._table
        yield self._info

    def on_mount(self) -> None:
        super().on_mount()
        self._ask()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._ask()

    def on_screen_suspend(self) -> None:
        """Who does not look asks nothing."""
        self.workers.cancel_group(self, "jobs")

    @work(group="jobs", exclusive=True, exit_on_error=True)
    async def _ask(self) -> None:
        await self._asked.run()

    def paint(self) -> None:
        jobs, table = self._jobs, self._table
        table.order = jobs.order
        table.empty = self._nothing()
        table.show(jobs.rows())
        self._info.show(self._summed_up())

    def searched(self, words: str) -> None:
        self._words = words
        self._look()

    def subjects(self) -> Sequence[Subject]:
        table = self._table
        marked = [row.id for row in table.items if row.id in table.marked] if table.marked else []
        current = table.current_key
        return [Subject(kind="job", name=job) for job in marked or ([current] if current is not None else [])]

    async def open(self, key: str) -> None:
        await self.app.push_screen(JobPage(self.desk, key, self.name_of_page))

    def done_with(self) -> None:
        self._table.marked.clear()
        self._asked.more()

    def action_filter(self) -> None:
        self._filter = (self._filter + 1) % len(FILTERS)
        self._look()

    def action_order(self) -> None:
        self._jobs.sort(self._jobs.order.next)
        self.paint()

    def on_listing_near_end(self) -> None:
        if not self._jobs.is_whole:
            self._asked.more()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        name = FILTERS[self._filter]
        states = OF_WORDS.get(name) or tuple(JobState(each) for each in [name] if each) or None
        self._jobs.want(parsed(self._words, states))
        self._asked.more()
        self.paint()

    def _answered(self) -> None:
        if self.is_current:
            self.paint()
            self.offer()

    def _open_in_sight(self) -> Sequence[str]:
        table = self._table
        top, height = int(table.scroll_offset.y), table.size.height
        return [row.id for row in table.items[top : top + height] if not row.state.is_end]

    def _wanted(self) -> int:
        return self._table.cursor + self._table.size.height * AHEAD

    def _nothing(self) -> str:
        if self._asked.complaint:
            return self._asked.complaint
        if not self._jobs.has_begun and not self._jobs.is_whole:
            return "Asking the coordinator …"
        if self._words or self._filter:
            return "No job is like that."
        return "There are no jobs yet. `ffmesh submit -- ffmpeg …` hands one in."

    def _summed_up(self) -> str:
        jobs = self._jobs
        filters = [FILTERS[self._filter]] if self._filter else []
        more = "" if jobs.is_whole else ", and there are more"
        shown = len(jobs.rows())
        count = (
            f"{shown:,} of {jobs.loaded:,} that were looked through{more}"
            if jobs.wanted.looks_inside
            else f"{shown:,} jobs{more}"
        )
        parts = [*filters, count, f"by {jobs.order.value}" if jobs.order is not Order.NEWEST else "newest first"]
        if self._table.marked:
            parts.append(f"{len(self._table.marked)} selected")
        if self._asked.complaint and shown:
            parts.append(self._asked.complaint)
        return "  ·  ".join(parts)


def _took(item: JobRow) -> str:
    began, ended = drawing.parsed(item.started_at), drawing.parsed(item.ended_at)
    return (
        drawing.duration((ended - began).total_seconds())
        if began is not None and ended is not None
        else drawing.NOTHING
    )


def _end(item: JobRow) -> str:
    if item.signal is not None:
        return f"signal {item.signal}"
    return f"exit code {item.exit_code}" if item.exit_code is not None else ""

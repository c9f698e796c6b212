"""Jobs: what there is to do, and was done; the newest first, by pages of the coordinator's."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.worker import Worker

from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.app_of import app_of
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.jobs_asked import JobsAsked
from ffmesh_client.tui.model.job_table import JobTable, Order
from ffmesh_client.tui.model.search import OF_WORDS, parsed
from ffmesh_client.tui.pages.job import JobPage
from ffmesh_client.tui.pages.page import Page
from ffmesh_client.tui.widgets.info import Info
from ffmesh_client.tui.widgets.jobs_table import JobsTable
from ffmesh_protocol.messages.jobs import JobState

AHEAD: Final = 2
"""Screens of rows that are there before somebody gets to them."""

FILTERS: Final = ("", "open", "running", "queued", "failed", "succeeded", "cancelled")
"""What the key f goes through."""


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
        self._asking: Worker[None] | None = None
        self._words = ""
        self._filter = 0
        self._asked = JobsAsked(
            desk, self._jobs, in_sight=self._table.open_in_sight, wanted=self._wanted, changed=self._answered
        )

    def body(self) -> Iterable[Widget]:
        yield self._table
        yield self._info

    def on_mount(self) -> None:
        super().on_mount()
        self._asking = self._ask()

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._asking = self._ask()

    def on_screen_suspend(self) -> None:
        """Who does not look asks nothing."""
        if self._asking is not None:
            self._asking.cancel()

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

    def open(self, key: str) -> None:
        _ = app_of(self).push_screen(JobPage(self.desk, key, self.name_of_page))

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

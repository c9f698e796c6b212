"""The list of jobs, as far as it has been asked for: pages of the coordinator's, newest first, kept up to date.

It says what to ask next and is given the answers. What comes to another question than the present one is dropped.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from ffmesh_client.tui.model.job_rows import JobRow, row_of
from ffmesh_client.tui.model.search import Wanted
from ffmesh_protocol.messages.answers import JobList
from ffmesh_protocol.messages.jobs import JobState, JobView
from ffmesh_protocol.wire import Told

MOST: Final = 50_000
"""Rows that are kept. Who needs more has better means than to look through them."""

PAGE: Final = 100


class Order(StrEnum):
    """Of what has been loaded. The first is the coordinator's own."""

    NEWEST = "newest"
    NAME = "name"
    STATE = "state"
    AGENT = "agent"
    OWNER = "owner"
    PRIORITY = "priority"

    @property
    def next(self) -> "Order":
        every = list(Order)
        return every[(every.index(self) + 1) % len(every)]


RANK: Final = {
    state: rank
    for rank, state in enumerate(
        (
            JobState.RUNNING,
            JobState.CANCELLING,
            JobState.GRANTED,
            JobState.OFFERED,
            JobState.QUEUED,
            JobState.WAITING,
            JobState.FAILED,
            JobState.CANCELLED,
            JobState.SUCCEEDED,
        )
    )
}
KEYS: Final[Mapping[Order, Callable[[JobRow], tuple[object, ...]]]] = {
    Order.NAME: lambda row: (row.name.casefold(),),
    Order.STATE: lambda row: (RANK[row.state],),
    Order.AGENT: lambda row: (row.agent is None, row.agent or ""),
    Order.OWNER: lambda row: (row.owner,),
    Order.PRIORITY: lambda row: (-row.priority,),
}


class Question(Told, frozen=True):
    """One page. `number` says which state of the search it belongs to."""

    number: int
    states: tuple[JobState, ...]
    labels: tuple[tuple[str, str], ...]
    cursor: str | None


class JobTable:
    def __init__(self) -> None:
        self.wanted = Wanted()
        self.order = Order.NEWEST
        self.is_whole = False
        """The coordinator has no more of what is asked."""
        self.has_begun = False
        self._number = 0
        self._cursor: str | None = None
        self._rows: dict[str, JobRow] = {}
        self._shown: tuple[JobRow, ...] | None = None

    # --- what is looked for -------------------------------------------------------------------------------------------

    def want(self, wanted: Wanted) -> bool:
        """True: the coordinator must be asked anew."""
        asked_before, self.wanted, self._shown = self.wanted.asked, wanted, None
        if wanted.asked == asked_before:
            return False
        self._number += 1
        self._rows, self._cursor, self.has_begun = {}, None, False
        self.is_whole = wanted.states == ()
        return not self.is_whole

    def sort(self, order: Order) -> None:
        self.order, self._shown = order, None

    # --- what is asked, and the answers -------------------------------------------------------------------------------

    def next_page(self) -> Question | None:
        """None: there is no more."""
        return None if self.is_whole or len(self._rows) >= MOST else self._question(self._cursor)

    def first_page(self) -> Question:
        return self._question(None)

    def answered(self, question: Question, page: JobList) -> None:
        if question.number != self._number:
            return
        if question.cursor is None:
            self._begin(page)
        elif question.cursor == self._cursor:
            self._add(page.jobs)
            self._go_on(page)

    def seen(self, asked: Iterable[str], found: Mapping[str, JobView]) -> None:
        """These, as they are now. One that is not known any more, or not what is looked for, goes."""
        for job in asked:
            view = found.get(job)
            if job in self._rows:
                if view is None or not self._fits(view):
                    del self._rows[job]
                else:
                    self._rows[job] = row_of(view)
        self._shown = None

    # --- what is to be seen -------------------------------------------------------------------------------------------

    @property
    def loaded(self) -> int:
        return len(self._rows)

    def rows(self) -> tuple[JobRow, ...]:
        """In their order. Made anew only when something has changed."""
        if self._shown is None:
            rows = [row for row in self._rows.values() if row.is_wanted(self.wanted)]
            if self.order is not Order.NEWEST:
                rows.sort(key=KEYS[self.order])
            self._shown = tuple(rows)
        return self._shown

    def all_rows(self) -> Iterable[JobRow]:
        return self._rows.values()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _question(self, cursor: str | None) -> Question:
        return Question(number=self._number, states=self.wanted.states or (), labels=self.wanted.labels, cursor=cursor)

    def _begin(self, page: JobList) -> None:
        """The newest. What was known goes on behind them, unless there is a gap between."""
        newest = {job.id: row_of(job) for job in page.jobs if self._fits(job)}
        is_joined = self.has_begun and (page.cursor is None or not self._rows.keys().isdisjoint(newest))
        if not is_joined:
            self._rows = newest
            self.has_begun = True
            self._go_on(page)
        elif page.cursor is None:
            self._rows = newest
            self._go_on(page)
        else:
            self._rows = newest | {job: row for job, row in self._rows.items() if job not in newest}
        self._shown = None

    def _add(self, jobs: Iterable[JobView]) -> None:
        for job in jobs:
            self._rows[job.id] = row_of(job)
        self._shown = None

    def _go_on(self, page: JobList) -> None:
        self._cursor, self.is_whole = page.cursor, page.cursor is None

    def _fits(self, job: JobView) -> bool:
        wanted = self.wanted
        is_labelled = all(job.labels.get(name) == value for name, value in wanted.labels)
        return (wanted.states is None or job.state in wanted.states) and is_labelled

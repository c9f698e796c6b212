"""Answers about jobs: from the disk, with the open ones as memory has them.

The disk does not know who is being offered a job, nor how far a program is. So it is asked for every job that *may*
fit, and what memory makes of each decides; a page goes on until it is full or there is no more.

An answer is one message. A page that would be too large for one ends early, with a cursor; in a list, jobs leave out
the last lines of their programs, which who asks for them by id gets. Of ids, those that are
neither in `jobs` nor in `unknown` were not looked at: ask for them again.
"""

from collections.abc import Mapping
from typing import Final, assert_never

import msgspec

from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.post import Asked
from ffmesh_coordinator.shell.store import JobFilter, Store
from ffmesh_protocol import codec
from ffmesh_protocol.errors import Oversized, RefusalCode
from ffmesh_protocol.limits import NUMBER_MAX, PAGE_BYTES
from ffmesh_protocol.messages.answers import JobList, Refusal
from ffmesh_protocol.messages.jobs import JobState, JobSummary, JobView
from ffmesh_protocol.messages.requests import ListJobs, ShowJobs

AT_ONCE: Final = 100
"""Jobs that are read together. Between two readings other work has its turn."""

UNKNOWN_IDS: Final = 1_000
"""How many unknown ids an answer names; they take 30 KiB of it."""

PHASES: Final[Mapping[JobState, frozenset[Phase]]] = {
    JobState.WAITING: frozenset({Phase.WAITING}),
    JobState.QUEUED: frozenset({Phase.QUEUED, Phase.OFFERED}),
    JobState.OFFERED: frozenset({Phase.QUEUED, Phase.OFFERED}),
    JobState.GRANTED: frozenset({Phase.GRANTED}),
    JobState.RUNNING: frozenset({Phase.RUNNING, Phase.COMMITTING}),
    JobState.CANCELLING: frozenset(),
    JobState.SUCCEEDED: frozenset({Phase.SUCCEEDED}),
    JobState.FAILED: frozenset({Phase.FAILED}),
    JobState.CANCELLED: frozenset({Phase.CANCELLED}),
}
"""In which phases the disk may have a job that people see in this state. One that is being cancelled is in any."""

TOO_LONG: Final = ("… (too long to be shown)",)


class Library:
    def __init__(self, core: Coordinator, store: Store) -> None:
        self._core = core
        self._store = store

    async def answer(self, asked: Asked) -> JobList | Refusal:
        match asked.request:
            case ListJobs() as request:
                return await self._page(request)
            case ShowJobs() as request:
                return await self._known(request)
            case _:
                assert_never(asked.request)

    async def _page(self, request: ListJobs) -> JobList | Refusal:
        before = NUMBER_MAX if request.cursor is None else _sequence(request.cursor)
        if before is None:
            return Refusal(code=RefusalCode.MALFORMED, sentence="that cursor is none that a list of jobs has given")
        wanted = _filter(request)
        page = _Page()
        at_once = min(AT_ONCE, request.limit + 1)
        while True:
            jobs = await self._store.page(wanted, before=before, limit=at_once)
            for job in jobs:
                view = _in_a_list(self._core.view(job))
                fits = not request.states or view.state in request.states
                if fits and (len(page.views) == request.limit or not page.takes(view)):
                    return JobList(jobs=tuple(page.views), cursor=str(before))
                before = job.sequence
            if len(jobs) < at_once:
                return JobList(jobs=tuple(page.views), cursor=None)
            at_once = AT_ONCE  # few of them fit

    async def _known(self, request: ShowJobs) -> JobList:
        ids = list(dict.fromkeys(request.jobs))
        page = _Page()
        unknown: list[str] = []
        for start in range(0, len(ids), AT_ONCE):
            together = ids[start : start + AT_ONCE]
            found = await self._store.jobs(together)
            for job_id in together:
                job = found.get(job_id)
                if job is None:
                    unknown.append(job_id)
                if len(unknown) == UNKNOWN_IDS or (job is not None and not page.takes(self._core.view(job))):
                    return JobList(jobs=tuple(page.views), cursor=None, unknown=tuple(unknown))
        return JobList(jobs=tuple(page.views), cursor=None, unknown=tuple(unknown))


class _Page:
    """Views that fit into one message together."""

    def __init__(self) -> None:
        self.views: list[JobView] = []
        self._room = PAGE_BYTES

    def takes(self, view: JobView) -> bool:
        """Whether it still fits. The first always does: if need be, without its arguments and its summary's lists."""
        size = _size(view)
        if size > PAGE_BYTES:
            view = msgspec.structs.replace(view, args=TOO_LONG, summary=_shortest(view.summary))
            size = _size(view)
        if size > self._room and self.views:
            return False
        self._room -= size
        self.views.append(view)
        return True


def _in_a_list(view: JobView) -> JobView:
    if view.summary is None or not view.summary.last_lines:
        return view
    return msgspec.structs.replace(view, summary=msgspec.structs.replace(view.summary, last_lines=()))


def _shortest(summary: JobSummary | None) -> JobSummary | None:
    return JobSummary(seconds=summary.seconds) if summary is not None else None


def _size(view: JobView) -> int:
    try:
        return len(codec.encode(view))
    except Oversized:
        return PAGE_BYTES + 1


def _filter(request: ListJobs) -> JobFilter:
    if not request.states:
        return JobFilter(labels=request.labels)
    return JobFilter(
        phases=frozenset(phase for state in request.states for phase in PHASES[state]),
        cancelling=JobState.CANCELLING in request.states,
        labels=request.labels,
    )


def _sequence(cursor: str) -> int | None:
    """What a page before said: the place of its last job in the order of acceptance."""
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < len(str(NUMBER_MAX))):
        return None
    return int(cursor)

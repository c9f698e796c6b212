"""Asks the coordinator for the jobs that a page shows, and again for those in sight: never for the whole queue."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.model.job_table import PAGE, JobTable, Question
from ffmesh_protocol.errors import FfmeshError

REFRESH: Final = 2.0
"""Seconds. What is in sight is then asked for again; two small messages."""

LOOKED_THROUGH: Final = 5_000
"""So many jobs are looked through for what the coordinator cannot look for; a move of the cursor goes on."""


class JobsAsked:
    """`in_sight` says which jobs are seen, `wanted` how many rows there should be; `changed` is told of answers."""

    def __init__(
        self,
        desk: Desk,
        table: JobTable,
        *,
        in_sight: Callable[[], Sequence[str]],
        wanted: Callable[[], int],
        changed: Callable[[], None],
    ) -> None:
        self.complaint = ""
        """Why there is no answer; empty: there was one."""
        self._desk = desk
        self._table = table
        self._in_sight = in_sight
        self._wanted = wanted
        self._changed = changed
        self._more = asyncio.Event()
        self._until = LOOKED_THROUGH
        self._events = -1

    def more(self) -> None:
        """Somebody looks for more, or for something else."""
        self._until = self._table.loaded + LOOKED_THROUGH
        self._more.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._more.clear()
            try:
                await self._look()
                self.complaint = ""
            except FfmeshError as error:
                self.complaint = str(error)
            self._changed()
            try:
                async with asyncio.timeout(REFRESH):
                    await self._more.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        table, events = self._table, self._desk.fold.events.count
        if not table.has_begun or events != self._events:
            self._events = events
            await self._ask(table.first_page())
        in_sight = self._in_sight()
        if in_sight:
            table.seen(in_sight, await self._desk.mesh.jobs_named(in_sight))
        while len(table.rows()) < self._wanted() and table.loaded < self._until:
            question = table.next_page()
            if question is None:
                return
            await self._ask(question)
            self._changed()

    async def _ask(self, question: Question) -> None:
        if question.states == () and self._table.wanted.states is not None:
            return  # no job is in no state
        page = await self._desk.mesh.jobs(
            states=question.states, labels=dict(question.labels), limit=PAGE, cursor=question.cursor
        )
        self._table.answered(question, page)

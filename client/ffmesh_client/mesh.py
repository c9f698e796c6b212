"""The mesh as an async API. The command line uses nothing else.

    async with Mesh.connected(config) as mesh:
        for job in (await mesh.jobs()).jobs: …

Who finds no broker or coordinator gets `BrokerUnreachable` or `CoordinatorUnreachable` after ten seconds, `NoAnswer`
from a coordinator that is silent, `LoginRefused` at once, and `Refused` with the coordinator's own sentence.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from ffmesh_client.config import ClientConfig
from ffmesh_client.core.effects import Finish
from ffmesh_client.core.events import JobSeen, ProgressSeen
from ffmesh_client.errors import NoAnswer
from ffmesh_client.shell.caller import Caller, ThisProcess
from ffmesh_client.shell.runtime import Runtime
from ffmesh_protocol.errors import RefusalCode, Refused
from ffmesh_protocol.limits import PAGE_ITEMS
from ffmesh_protocol.messages.answers import Accepted, AgentList, JobList, Lines, Refusal
from ffmesh_protocol.messages.capability import AgentView
from ffmesh_protocol.messages.jobs import JobState, JobView
from ffmesh_protocol.messages.manners import PAUSE, Manner
from ffmesh_protocol.messages.reports import LogLine
from ffmesh_protocol.messages.requests import (
    Cancel,
    DrainAgent,
    ListAgents,
    ListJobs,
    Logs,
    Retry,
    ShowAgent,
    ShowJobs,
    Submit,
)
from ffmesh_protocol.times import ATTENDING, REQUEST_PATIENCE
from ffmesh_protocol.wire import Directed

A = TypeVar("A", bound=Directed)

ASKED_AT_ONCE: Final = 100
"""Ids in one question; the answer is cut where its message would become too large, and the rest is asked again."""


class Mesh:
    """Made by `connected`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @classmethod
    @asynccontextmanager
    async def connected(cls, config: ClientConfig, *, follow: Iterable[str] = ()) -> AsyncGenerator["Mesh", None]:
        """Connects in the background, and again whenever it must. `follow` names the jobs that `follow()` tells of."""
        runtime = Runtime(config, followed=follow)
        try:
            async with asyncio.TaskGroup() as tasks:
                conversation = tasks.create_task(runtime.connection.run(), name="connection")
                consumer = tasks.create_task(runtime.run(), name="runtime")
                try:
                    yield cls(runtime)
                finally:
                    if not runtime.connection.leave():
                        conversation.cancel()
                    await asyncio.wait([conversation])
                    consumer.cancel()
        except BaseExceptionGroup as group:
            # Whoever waited learns what went wrong, not that there were tasks.
            raise group.exceptions[0] from None

    @property
    def is_connected(self) -> bool:
        """The broker is there."""
        return self._runtime.is_connected

    @property
    def is_there(self) -> bool:
        """Broker and coordinator can be reached, as far as is known now."""
        return self._runtime.is_there

    @property
    def age(self) -> float:
        """For how many seconds it has been tried."""
        return self._runtime.age

    async def submit(self, submit: Submit) -> None:
        """Returns when the job is on the coordinator's disk."""
        await self._asked(submit, Accepted)

    async def run(
        self,
        submit: Submit,
        descriptors: Mapping[str, int],
        caller: Caller | None = None,
        remark: Callable[[str], None] | None = None,
        *,
        terminal: bool = False,
    ) -> Finish:
        """Runs an interactive job with `stdout` and `stderr` written to these descriptors and `stdin`, if it is among
        them, read from there, to its end.

        `caller` is whom it is for: this process, unless said. `remark` is called with what a person who waits might
        want to know, as why the job waits. `terminal`: stdin is one, and the program reads keys.
        """
        return await self._runtime.attach(submit, descriptors, caller or ThisProcess(), remark, terminal=terminal)

    async def jobs(
        self,
        *,
        states: Sequence[JobState] = (),
        labels: Mapping[str, str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobList:
        """The newest first, as many as that; `cursor` of the answer goes on from there, and is None at the end."""
        found: list[JobView] = []
        while True:
            request = ListJobs(
                states=tuple(states),
                labels=dict(labels or {}),
                limit=min(limit - len(found), PAGE_ITEMS),
                cursor=cursor,
            )
            page = await self._asked(request, JobList)
            found += page.jobs
            cursor = page.cursor
            if cursor is None or len(found) >= limit or not page.jobs:
                return JobList(jobs=tuple(found), cursor=cursor)

    async def jobs_named(self, ids: Iterable[str], *, patience: float | None = REQUEST_PATIENCE) -> dict[str, JobView]:
        """These, as far as they are known."""
        open_ids: list[str] = sorted(set(ids))
        found: dict[str, JobView] = {}
        told: set[str] = set()
        while open_ids:
            asked = tuple(open_ids[:ASKED_AT_ONCE])
            page = await self._asked(ShowJobs(jobs=asked), JobList, patience=patience)
            found |= {job.id: job for job in page.jobs}
            told.update(page.unknown, (job.id for job in page.jobs))
            if told.isdisjoint(asked):
                raise NoAnswer("the coordinator's answer leaves out the jobs that were asked for")
            open_ids = [each for each in open_ids if each not in told]
        return found

    async def job(self, job: str) -> JobView:
        found = await self.jobs_named([job])
        if job not in found:
            raise Refused(RefusalCode.UNKNOWN_JOB, f"no job {job} is known; `ffmesh jobs` lists them")
        return found[job]

    async def cancel(self, job: str) -> JobView:
        """The job as it is now: cancelled, or on the way there."""
        return _only(await self._asked(Cancel(job=job), JobList)).jobs[0]

    async def retry(self, job: str) -> JobView:
        """The job as it is now: open, by this word or by an earlier one."""
        return _only(await self._asked(Retry(job=job), JobList)).jobs[0]

    async def agents(self) -> tuple[AgentView, ...]:
        found: list[AgentView] = []
        cursor: str | None = None
        while True:
            page = await self._asked(ListAgents(cursor=cursor), AgentList)
            found += page.agents
            cursor = page.cursor
            if cursor is None or not page.agents:
                return tuple(found)

    async def agent(self, name: str) -> AgentView:
        return (await self._asked(ShowAgent(agent=name), AgentList)).agents[0]

    async def drain(self, name: str, draining: bool) -> AgentView:
        return (await self._asked(DrainAgent(agent=name, draining=draining), AgentList)).agents[0]

    async def pause(self, name: str) -> AgentView:
        """What it runs stands still, what somebody waits for aside; until `drain` says otherwise."""
        return await self._behave(name, Manner.PAUSE)

    async def stop(self, name: str) -> AgentView:
        """What it runs ends, and is for others to do; until `drain` says otherwise."""
        return await self._behave(name, Manner.STOP)

    async def _behave(self, name: str, manner: Manner) -> AgentView:
        wish = DrainAgent(agent=name, draining=True, manner=manner, requires=(PAUSE,))
        return (await self._asked(wish, AgentList)).agents[0]

    async def logs(self, job: str) -> tuple[LogLine, ...]:
        """The kept end of the program's standard error."""
        return (await self._asked(Logs(job=job), Lines)).lines

    async def tail(self, logs: Logs, *, patience: float | None = REQUEST_PATIENCE) -> Lines | Refusal:
        """Of one attempt, from some line on. A refusal may be for now only: its agent may come back."""
        try:
            return await self._asked(logs, Lines, patience=patience)
        except Refused as refused:
            return Refusal(code=refused.code, sentence=str(refused))

    async def follow(self, jobs: Iterable[str]) -> AsyncIterator[JobView | ProgressSeen]:
        """Each of these jobs whenever it has changed, and how far it is; ends when all have ended or are unknown.

        They must have been named to `connected`. What is public says when to ask; what is told here was signed.
        A broker or coordinator that is away is waited for.
        """
        open_ids = set(jobs)
        stale = set(open_ids)
        while open_ids:
            asked = stale & open_ids
            found = await self.jobs_named(asked, patience=None)
            open_ids -= asked - found.keys()  # forgotten: nothing will ever be heard of them
            stale.clear()
            for view in found.values():
                if view.state.is_end:
                    open_ids.discard(view.id)
                yield view
            while open_ids and not stale:
                try:
                    async with asyncio.timeout(ATTENDING):
                        news = await self._runtime.news.get()
                except TimeoutError:
                    stale |= open_ids  # a word may have been lost
                    continue
                if isinstance(news, JobSeen):
                    stale.add(news.job)
                elif news.job in open_ids:
                    yield news

    async def _asked(self, request: Directed, kind: type[A], *, patience: float | None = REQUEST_PATIENCE) -> A:
        answer = await self._runtime.answer(request, patience=patience)
        if isinstance(answer, Refusal):
            raise Refused(answer.code, answer.sentence)
        if not isinstance(answer, kind):
            raise NoAnswer(f"the coordinator answered {type(answer).__name__}, which is no answer to that")
        return answer


def _only(page: JobList) -> JobList:
    if not page.jobs:
        raise NoAnswer("the coordinator's answer leaves out the job that was asked for")
    return page

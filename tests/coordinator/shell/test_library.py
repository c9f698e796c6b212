"""Lists and jobs: from the disk, with what only memory knows of the open ones."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from coordinator.shell.values import LIFE, a_job, ended, ulid
from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.core.events import Asker, ProgressSeen
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.packed import PackedSubmit
from ffmesh_coordinator.core.post import Asked
from ffmesh_coordinator.shell import library as library_module
from ffmesh_coordinator.shell.library import PHASES, TOO_LONG, Library
from ffmesh_coordinator.shell.store import Store
from ffmesh_protocol import codec
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import JobList, Refusal
from ffmesh_protocol.messages.jobs import JobState, JobSummary, JobView, Progress, Written
from ffmesh_protocol.messages.reports import Claim, Started
from ffmesh_protocol.messages.requests import Cancel, ListJobs, ShowJobs
from ffmesh_protocol.names import client
from support.coordinating import Story, submit


class Reading:
    """A story whose saves go to a real disk, and a library that reads there."""

    def __init__(self, store: Store) -> None:
        self.story = Story()
        self.store = store
        self.library = Library(self.story.core, store)

    async def saves(self) -> None:
        await self.store.save(self.story.all(SaveJob))

    async def submits(self, *numbers: int, **fields: Any) -> None:
        for number in numbers:
            asked = msgspec.structs.replace(submit(ulid("J", number)), **fields)
            self.story.client_says(asked)
            await self.saves()

    async def answer(self, request: ListJobs | ShowJobs) -> JobList | Refusal:
        asker = Asker(principal=client("tv"), life=LIFE, topic="answer", correlation=b"1")
        return await self.library.answer(Asked(asker=asker, request=request))

    async def page(self, **request: Any) -> JobList:
        page = await self.answer(ListJobs(**request))
        assert isinstance(page, JobList)
        return page

    async def listed(self, **request: Any) -> list[int]:
        return numbers((await self.page(**request)).jobs)


def numbers(views: tuple[JobView, ...]) -> list[int]:
    return [int(view.id[2:]) for view in views]


@pytest.fixture
async def reading(tmp_path: Path) -> AsyncGenerator[Reading, None]:
    async with Store.opened(tmp_path / "coordinator.db") as store:
        yield Reading(store)


async def test_jobs_are_listed_newest_first_in_pages(reading: Reading) -> None:
    await reading.submits(*range(1, 8))
    first = await reading.page(limit=3)
    second = await reading.page(limit=3, cursor=first.cursor)
    third = await reading.page(limit=3, cursor=second.cursor)
    assert [numbers(page.jobs) for page in (first, second, third)] == [[7, 6, 5], [4, 3, 2], [1]]
    assert third.cursor is None


async def test_a_full_last_page_has_no_cursor(reading: Reading) -> None:
    await reading.submits(1, 2, 3)
    assert (await reading.page(limit=3)).cursor is None


async def test_pages_stay_what_they_are_while_jobs_come(reading: Reading) -> None:
    await reading.submits(1, 2, 3, 4)
    first = await reading.page(limit=2)
    await reading.submits(5, 6)
    assert numbers((await reading.page(limit=2, cursor=first.cursor)).jobs) == [2, 1]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 19, "9" * 64])
async def test_a_cursor_that_no_list_gave_is_refused(reading: Reading, cursor: str) -> None:
    refusal = await reading.answer(ListJobs(cursor=cursor))
    assert isinstance(refusal, Refusal)
    assert refusal.code is RefusalCode.MALFORMED


async def test_a_job_on_offer_is_found_as_offered_though_the_disk_says_queued(reading: Reading) -> None:
    await reading.submits(1, 2)
    reading.story.agent_comes()
    await reading.saves()
    assert await reading.listed(states=(JobState.OFFERED,)) == [1]
    assert await reading.listed(states=(JobState.QUEUED,)) == [2]
    assert await reading.listed(states=(JobState.QUEUED, JobState.OFFERED)) == [2, 1]
    on_disk = await reading.store.job(ulid("J", 1))
    assert on_disk is not None
    assert on_disk.phase is Phase.QUEUED


async def test_a_job_is_found_in_each_state_of_its_life_and_in_no_other(reading: Reading) -> None:
    story = reading.story

    async def expect(state: JobState) -> None:
        await reading.saves()
        for other in JobState:
            assert await reading.listed(states=(other,)) == ([1] if other is state else []), (state, other)

    await reading.submits(1)
    await expect(JobState.QUEUED)
    story.agent_comes()
    (attempt,) = story.offered()
    await expect(JobState.OFFERED)
    story.agent_says(Claim(attempts=(attempt,)))
    await expect(JobState.GRANTED)
    story.agent_says(Started(attempts=(attempt,)))
    await expect(JobState.RUNNING)
    story.client_says(Cancel(job=ulid("J", 1)))
    await expect(JobState.CANCELLING)
    await reading.store.save([SaveJob(job=ended(9, Phase.FAILED))])
    assert await reading.listed(states=(JobState.FAILED, JobState.CANCELLING)) == [9, 1]


def test_every_state_that_people_see_is_found_on_the_disk_by_its_phases() -> None:
    assert PHASES.keys() == set(JobState)
    assert {phase for phases in PHASES.values() for phase in phases} == set(Phase)


async def test_progress_is_what_memory_has(reading: Reading) -> None:
    story = reading.story
    await reading.submits(1)
    story.agent_comes()
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    await reading.saves()
    story.agent_says(Started(attempts=(attempt,)))
    await reading.saves()
    story.on(ProgressSeen(agent="pi", job=ulid("J", 1), progress=Progress(percent=42.0)))
    (view,) = (await reading.page()).jobs
    assert view.progress.percent == 42.0


async def test_labels_are_all_wanted(reading: Reading) -> None:
    await reading.submits(1, labels={"a": "1"})
    await reading.submits(2, labels={"a": "1", "b": "2"})
    assert await reading.listed(labels={"a": "1"}) == [2, 1]
    assert await reading.listed(labels={"a": "1", "b": "2"}) == [2]


async def test_a_long_search_goes_on_until_the_page_is_full(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "AT_ONCE", 2)
    await reading.submits(*range(1, 12))
    reading.story.agent_comes()
    await reading.saves()
    assert await reading.listed(states=(JobState.OFFERED,), limit=5) == [1]
    page = await reading.page(states=(JobState.QUEUED,), limit=4)
    assert numbers(page.jobs) == [11, 10, 9, 8]
    assert await reading.listed(states=(JobState.QUEUED,), cursor=page.cursor) == [7, 6, 5, 4, 3, 2]


async def test_a_page_ends_where_its_message_would_become_too_large(reading: Reading) -> None:
    large = ("x" * 60_000,)
    await reading.submits(*range(1, 8), args=(large,))
    found: list[int] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor is not None:
        pages += 1
        page = await reading.page(limit=500, cursor=cursor)
        codec.encode(page)
        found += numbers(page.jobs)
        cursor = page.cursor
    assert found == [7, 6, 5, 4, 3, 2, 1]
    assert pages == 3


async def test_a_job_too_large_to_be_shown_is_shown_without_its_arguments(reading: Reading) -> None:
    await reading.store.save([SaveJob(job=a_job(1)), SaveJob(job=a_job(3))])
    job = a_job(2)
    escaped = tuple(("\0" * 30_000,) for _ in range(2))
    await reading.store.save(
        [
            SaveJob(
                job=msgspec.structs.replace(
                    job, asked=PackedSubmit.of(msgspec.structs.replace(job.asked.whole, args=escaped))
                )
            )
        ]
    )
    page = await reading.page()
    assert numbers(page.jobs) == [3, 2, 1]
    assert page.jobs[1].args == TOO_LONG
    shown = await reading.answer(ShowJobs(jobs=(job.id,)))
    assert isinstance(shown, JobList)
    assert shown.jobs[0].args == TOO_LONG


async def test_the_last_lines_of_a_program_are_shown_with_its_job_and_not_in_lists(reading: Reading) -> None:
    written = Written(path="$Movies/out.mkv", bytes=7)
    summary = JobSummary(seconds=1.5, outputs=(written,), last_lines=("it failed",))
    job = ended(1, Phase.FAILED, summary=summary)
    await reading.store.save([SaveJob(job=job)])
    (listed,) = (await reading.page()).jobs
    assert listed.summary == JobSummary(seconds=1.5, outputs=(written,))
    shown = await reading.answer(ShowJobs(jobs=(job.id,)))
    assert isinstance(shown, JobList)
    assert shown.jobs[0].summary == summary


async def test_jobs_are_shown_by_their_ids_once_each_in_their_order(reading: Reading) -> None:
    await reading.submits(1, 2, 3)
    nobodys = ulid("N", 1)
    answer = await reading.answer(ShowJobs(jobs=(ulid("J", 3), nobodys, ulid("J", 1), ulid("J", 3), nobodys)))
    assert isinstance(answer, JobList)
    assert numbers(answer.jobs) == [3, 1]
    assert (answer.unknown, answer.cursor) == ((nobodys,), None)


async def test_ids_that_were_not_looked_at_are_asked_for_again(reading: Reading) -> None:
    await reading.submits(*range(1, 8), args=(("x" * 60_000,),))
    nobodys = tuple(ulid("N", number) for number in range(3_000))
    wanted: list[str] = [ulid("J", number) for number in range(1, 8)] + list(nobodys)
    found: list[int] = []
    unknown: list[str] = []
    rounds = 0
    while wanted:
        rounds += 1
        answer = await reading.answer(ShowJobs(jobs=tuple(wanted)))
        assert isinstance(answer, JobList)
        codec.encode(answer)
        found += numbers(answer.jobs)
        unknown += answer.unknown
        told = {view.id for view in answer.jobs} | set(answer.unknown)
        assert told, "each answer is a step further"
        wanted = [each for each in wanted if each not in told]
    assert found == [1, 2, 3, 4, 5, 6, 7]
    assert tuple(unknown) == nobodys
    assert rounds < 10


async def test_a_view_of_the_disk_is_the_view_of_memory(reading: Reading) -> None:
    await reading.submits(1)
    (view,) = (await reading.page()).jobs
    assert view.state is JobState.QUEUED
    assert view.reason, "why it waits"
    assert json.loads(codec.encode(view))["labels"] == {"title": "A film", "show": "secret"}

"""The page of jobs, by its keys."""

import pytest

from client.tui import played
from client.tui.played import PlayedMesh, job_view, played_desk, played_jobs
from client.tui.seeing import gone, page_of, search, seen, text_of
from ffmesh_client.errors import NoAnswer
from ffmesh_client.tui.app import Top
from ffmesh_client.tui.widgets.jobs_table import JobsTable
from ffmesh_protocol.errors import RefusalCode, Refused
from ffmesh_protocol.messages.jobs import JobState


@pytest.fixture
def mesh() -> PlayedMesh:
    return PlayedMesh(played_jobs(12))


async def test_jobs_say_how_far_they_are_or_why_they_wait(mesh: PlayedMesh) -> None:
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 90)) as pilot:
        await pilot.press("2")
        text = await seen(pilot, "○ queued")
        assert "all 3 agents with encoder h264_nvenc are full" in text
        assert "▸ running" in text
        assert "48 %   21 fps   1.05x" in text
        assert "✓ succeeded" in text
        assert "took 1:00:00" in text
        assert "exit code 1: Unknown encoder" in text
        assert "92 jobs  ·  newest first" in text


async def test_a_filter_is_asked_of_the_coordinator_and_goes_on_with_the_key(mesh: PlayedMesh) -> None:
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40)) as pilot:
        await pilot.press("2", "f", "f")
        text = await seen(pilot, "running  ·  20 jobs")
        assert "○ queued   " not in text.partition("STATE")[2]
        await pilot.press("f", "f")
        await seen(pilot, "failed  ·  9 jobs")


async def test_search_finds_by_state_agent_owner_label_and_text(mesh: PlayedMesh) -> None:
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40)) as pilot:
        await pilot.press("2")
        await search(pilot, "state:run agent:attic kitchen")
        text = await seen(pilot, "1 of 20 that were looked through")
        assert "Kitchen camera, night" in text
        await pilot.press("escape")
        await seen(pilot, "92 jobs")


async def test_another_order_comes_with_o(mesh: PlayedMesh) -> None:
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40)) as pilot:
        await pilot.press("2", "o")
        await seen(pilot, "by name")
        assert top.screen.query_one(JobsTable).items[0].name.startswith("A film")


async def test_a_long_list_is_asked_for_by_pages_as_the_cursor_gets_there() -> None:
    mesh = PlayedMesh([job_view(number, JobState.QUEUED) for number in range(2_000)])
    top = Top(played_desk(1, mesh=mesh))
    async with top.run_test(size=(140, 40)) as pilot:
        await pilot.press("2")
        await seen(pilot, "100 jobs, and there are more")
        assert mesh.pages == 1
        await pilot.press("G")
        await seen(pilot, "200 jobs, and there are more")
        assert mesh.pages <= 3


async def test_selected_jobs_are_cancelled_together_and_one_is_retried(mesh: PlayedMesh) -> None:
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40), notifications=True) as pilot:
        await pilot.press("2")
        await seen(pilot, "○ queued")
        await pilot.press("space", "j", "space", "c")
        await seen(pilot, "Cancel 2 jobs?")
        await pilot.press("y")
        await seen(pilot, "2 jobs cancelled")
        assert [verb for verb, _ in mesh.asked] == ["cancel", "cancel"]
        await seen(pilot, "⊘ cancelled")
        await pilot.press("g", "r")
        await seen(pilot, "to be tried again")


async def test_a_refusal_is_said_once_for_all_that_it_is_about(mesh: PlayedMesh) -> None:
    mesh.refuses = Refused(RefusalCode.TOO_LATE, "it has ended already")
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40), notifications=True) as pilot:
        await pilot.press("2")
        await seen(pilot, "○ queued")
        await pilot.press("space", "space", "r")
        await seen(pilot, "2 jobs: it has ended already")


async def test_a_coordinator_that_is_away_is_told_of_and_asked_again(
    mesh: PlayedMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(**_: object) -> object:
        raise NoAnswer("the coordinator did not answer for 10 s")

    monkeypatch.setattr(mesh, "jobs", silent)
    monkeypatch.setattr("ffmesh_client.tui.jobs_asked.REFRESH", 0.01)
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40)) as pilot:
        await pilot.press("2")
        await seen(pilot, "the coordinator did not answer for 10 s")
        monkeypatch.undo()
        await seen(pilot, "92 jobs")


async def test_who_does_not_look_at_jobs_asks_for_none(mesh: PlayedMesh) -> None:
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40)) as pilot:
        await seen(pilot, "● attic")
        assert mesh.pages == 0
        await pilot.press("2")
        await seen(pilot, "92 jobs")
        await pilot.press("1")
        await seen(pilot, "● attic")
        assert not [worker for worker in top.workers if worker.group == "jobs" and worker.is_running]


async def test_nothing_is_said_to_be_there_when_nothing_is() -> None:
    top = Top(played_desk(0))
    async with top.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await seen(pilot, "There are no jobs yet.")
        await pilot.press("f")
        await search(pilot, "state:none")
        await seen(pilot, "No job is like that.")
        await gone(pilot, "There are no jobs yet.")
        assert page_of(top).subjects() == []


async def test_the_pages_are_reached_by_mouse_too(mesh: PlayedMesh) -> None:
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(140, 40)) as pilot:
        await seen(pilot, "1 Fleet   2 Jobs")
        await pilot.click("PageTabs", offset=(13, 0))
        await seen(pilot, "92 jobs")
        await pilot.click(JobsTable, offset=(10, 5))
        assert top.screen.query_one(JobsTable).cursor == 4
        assert text_of(top)
    assert played.CLUSTER == "home"

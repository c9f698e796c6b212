"""The page of one job."""

import msgspec
import pytest
from textual.widgets import Log

from client.tui import played
from client.tui.played import TOPICS, PlayedMesh, job_view, played_desk, said
from client.tui.seeing import gone, page_of, seen, text_of
from ffmesh_client.errors import NoAnswer
from ffmesh_client.tui.app import Top
from ffmesh_client.tui.pages.job import JobPage
from ffmesh_protocol.messages.jobs import AttemptState, AttemptView, JobState, Progress

ID = played.ulid(0)


def top_with(view: object = None) -> tuple[Top, PlayedMesh]:
    jobs = played.played_jobs(12)
    mesh = PlayedMesh([*jobs, *([view] if view is not None else [])])  # type: ignore[list-item]
    return Top(played_desk(12, mesh=mesh)), mesh


async def test_all_that_is_known_of_a_job_is_on_its_page_and_follows_it() -> None:
    top, mesh = top_with()
    desk = top.desk
    async with top.run_test(size=(160, 50)) as pilot:
        await pilot.press("j", "enter")
        await seen(
            pilot,
            "▸ running on attic",
            "› Holiday on the coast",
            "why there: attic: the most free slots of 3 agents that can",
            "1 ▸ running   attic  03:04:05 → –",
            "-vf scale=1280:-2",
            "owner     tv",
            "▇███",
        )
        await seen(pilot, "time=00:00:39.00")
        desk.fold.heard(said(TOPICS.progress("attic", ID), Progress(percent=77.0, fps=99.0)), desk.clock())
        page_of(top).repaint()
        assert "99 fps" in await seen(pilot, "77 %")
        mesh.all[ID] = job_view(0, JobState.SUCCEEDED)
        desk.fold.heard(
            said(TOPICS.job(ID), msgspec.structs.replace(played.public_job(0, 0), priority=1)), desk.clock()
        )
        page_of(top).repaint()
        await seen(pilot, "✓ succeeded", "$Movies/out.mkv  734.0 MB", "03:04:05 → 04:04:05  1:00:00")
        await pilot.press("escape")
        await seen(pilot, "● attic")


async def test_a_failed_job_says_why_and_its_last_words() -> None:
    failed = job_view(77, JobState.FAILED)
    lost = AttemptView(
        number=1,
        agent="nas",
        state=AttemptState.LOST,
        started_at=played.CREATED,
        ended_at=played.CREATED,
        exit_code=None,
        signal=None,
        reason="the agent that ran it was lost",
    )
    top, _ = top_with(msgspec.structs.replace(failed, attempts=(lost, *failed.attempts)))
    async with top.run_test(size=(80, 60)) as pilot:
        await top.push_screen(JobPage(top.desk, failed.id, "jobs"))
        await seen(
            pilot,
            "✗ failed",
            "the program ended with exit code 1: Unknown encoder 'libx266'",
            "1 ✗ lost      nas",
            "│ the agent that ran it was lost",
            "Last words",
        )


async def test_a_job_that_waits_says_why() -> None:
    top, _ = top_with()
    async with top.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await seen(pilot, "○ queued")
        await pilot.press("enter")
        text = await seen(pilot, "all 3 agents with encoder h264_nvenc are full")
        assert "› Holiday on the coast" not in text, "no agent has it, so its name is not public"


async def test_the_command_line_is_copied_with_the_paths_of_this_machine() -> None:
    top, _ = top_with()
    top.desk.roots["Movies"] = "/srv/films"
    async with top.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("j", "enter")
        await seen(pilot, "▸ running on attic")
        await pilot.press("y")
        await seen(pilot, "in the clipboard")
    assert top.clipboard.startswith("ffmpeg -y -i /srv/films/in/film.mkv -vf")


async def test_the_log_stands_alone_when_that_is_wanted_and_keys_scroll() -> None:
    top, _ = top_with()
    async with top.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "enter")
        await seen(pilot, "time=00:00:39.00")
        await pilot.press("l")
        await gone(pilot, "Attempts")
        log = top.screen.query_one(Log)
        below = log.scroll_offset.y
        await pilot.press("k", "k")
        await pilot.pause()
        assert log.scroll_offset.y == below - 2
        await pilot.press("l")
        await seen(pilot, "Attempts")
        await pilot.press("j", "k")


async def test_a_job_is_cancelled_from_its_page() -> None:
    top, mesh = top_with()
    async with top.run_test(size=(120, 40)) as pilot:
        await pilot.press("j", "enter")
        await seen(pilot, "▸ running on attic")
        await pilot.press("c", "y")
        await seen(pilot, "⊘ cancelled")
    assert mesh.asked == [("cancel", ID)]


async def test_a_job_that_nobody_knows_and_a_coordinator_that_is_silent_are_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    top, mesh = top_with()
    async with top.run_test(size=(120, 40)) as pilot:
        await top.push_screen(JobPage(top.desk, played.ulid(999_999), "jobs"))
        await seen(pilot, "no job 01J00000000000000000999999 is known")
        await pilot.press("escape")

        async def silent(job: str) -> object:
            raise NoAnswer(f"no answer about {job}")

        monkeypatch.setattr(mesh, "job", silent)
        await top.push_screen(JobPage(top.desk, ID, "jobs"))
        await seen(pilot, f"no answer about {ID}")
        assert text_of(top)

"""The pages of an agent, of workflows and of events."""

import msgspec

from client.tui import played
from client.tui.played import TOPICS, PlayedMesh, played_desk, said
from client.tui.seeing import gone, page_of, search, seen
from ffmesh_client.tui.app import Top
from ffmesh_client.tui.pages.events import EventsTable
from ffmesh_client.tui.pages.job import JobPage
from ffmesh_client.tui.widgets.jobs_table import JobsTable
from ffmesh_protocol.messages.presence import AgentState


async def test_an_agent_says_what_works_and_why_the_rest_does_not_with_its_roots_and_jobs() -> None:
    top = Top(played_desk(12))
    async with top.run_test(size=(160, 50)) as pilot:
        await pilot.press("enter")
        await seen(
            pilot,
            "› attic",
            "● online",
            "cpu slots ■■□□ 2/4",
            "h264_nvenc 640 fps",
            "✗ encoder/h264_vaapi  no render node may be opened",
            "$Movies ━━━━━━━━━╸── 800.0 GB of 4.0 TB free",
            "NVIDIA T4",
            "its last jobs: 2",
            "▸ running   Holiday on the coast",
        )
        await pilot.press("tab")
        await seen(pilot, "● online")
        await pilot.press("tab", "enter")
        assert isinstance(top.screen, JobPage)
        await pilot.press("escape", "escape")
        await seen(pilot, "AGENT")


async def test_an_agent_that_is_away_or_has_lost_a_root_says_so() -> None:
    desk = played_desk(12)
    top = Top(desk)
    async with top.run_test(size=(80, 40)) as pilot:
        await pilot.press("enter")
        await seen(pilot, "● online")
        away = msgspec.structs.replace(played.public_agent(0, 0), state=AgentState.OFFLINE)
        desk.fold.heard(said(TOPICS.agent("attic"), away), desk.clock())
        page_of(top).repaint()
        await seen(pilot, "○ offline, last seen 01-02 03:04")
        torn = msgspec.structs.replace(played.public_agent(4, 0), name="attic")
        desk.fold.heard(said(TOPICS.agent("attic"), torn), desk.clock())
        page_of(top).repaint()
        await seen(pilot, "! root Series is not mounted", "$Series ✗ not mounted  the server does not answer")


async def test_an_agent_is_drained_from_its_page_and_its_job_cancelled() -> None:
    mesh = PlayedMesh(played.played_jobs(2), [played.agent_view(0)])
    top = Top(played_desk(2, mesh=mesh))
    async with top.run_test(size=(160, 40)) as pilot:
        await pilot.press("enter")
        await seen(pilot, "▸ running")
        await pilot.press("d", "y")
        await pilot.press("c")
        await seen(pilot, f"Cancel job {played.ulid(0)}?")
        await pilot.press("escape")
        assert top.screen.query_one(JobsTable).has_focus
    assert mesh.asked == [("drain", "attic")]


async def test_workflows_are_trees_with_the_state_of_each_job() -> None:
    top = Top(played_desk(12))
    async with top.run_test(size=(120, 30)) as pilot:
        await pilot.press("3")
        await seen(
            pilot,
            "cut film 0  ◌ 1 waiting  ▸ 1 running  ✓ 2 succeeded  ✗ 1 failed",
            "├ ✗ chunk 2",
            "└ ◌ join (and after 2 more)",
            "2/5",
        )
        await pilot.press("j", "space", "r")
        await seen(pilot, "cut film 0")
        await pilot.press("enter")
        assert isinstance(top.screen, JobPage)


async def test_without_workflows_it_says_how_one_is_made() -> None:
    top = Top(played_desk(0))
    async with top.run_test(size=(120, 30)) as pilot:
        await pilot.press("3")
        await seen(pilot, "`ffmesh submit --after ID -- …` makes one.")


async def test_events_come_newest_first_are_filtered_and_searched_and_lead_to_their_jobs() -> None:
    desk = played_desk(12)
    top = Top(desk)
    async with top.run_test(size=(120, 30)) as pilot:
        await pilot.press("4")
        await seen(pilot, "40 of 40 events", "✗ failed", "▸ started", "the program ended with an exit code")
        desk.fold.heard(said(TOPICS.events(), played.event(3)), desk.clock())
        page_of(top).repaint()
        events = top.screen.query_one(EventsTable)
        assert (events.cursor, events.current_key) == (0, "41"), "the first line stays the newest"
        await pilot.press("f", "f", "f")
        await seen(pilot, "trouble  ·  11 of 41")
        await search(pilot, "garage")
        await pilot.press("enter")
        await gone(pilot, "office")
        await pilot.press("enter")
        assert isinstance(top.screen, JobPage)


async def test_the_cursor_stays_with_its_event_when_others_come_before_it() -> None:
    desk = played_desk(12)
    top = Top(desk)
    async with top.run_test(size=(120, 20)) as pilot:
        await pilot.press("4", "pagedown", "pagedown", "j")
        events = top.screen.query_one(EventsTable)
        key, row = events.current_key, events.cursor - events.scroll_offset.y
        for number in range(5):
            desk.fold.heard(said(TOPICS.events(), played.event(number)), desk.clock())
        page_of(top).repaint()
        await pilot.pause()
        assert (events.current_key, events.cursor - events.scroll_offset.y) == (key, row)

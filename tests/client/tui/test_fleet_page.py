"""The page of the fleet, by its keys."""

import msgspec
import pytest

from client.tui import played
from client.tui.played import TOPICS, PlayedMesh, played_desk, played_jobs, said
from client.tui.seeing import gone, page_of, seen, strips_of, text_of
from ffmesh_client.tui.app import Top
from ffmesh_client.tui.pages.fleet import FleetTable
from ffmesh_protocol.errors import RefusalCode, Refused


async def test_each_agent_stands_with_what_it_runs_and_why_it_takes_nothing() -> None:
    top = Top(played_desk(12))
    async with top.run_test(size=(120, 40)) as pilot:
        text = await seen(pilot, "● attic")
    assert "└ ▸ Holiday on the coast, part one" in text
    assert "48 %   21 fps   1.05x" in text
    assert "draining: finishes what it has, takes no more" in text
    assert "! root Series is not mounted: the server does" in text
    assert "17 running" in text
    assert "● live" in text


async def test_a_mesh_without_agents_says_what_to_do() -> None:
    top = Top(played_desk(0))
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        await seen(pilot, "No agent is known: `ffmesh principal add")


async def test_keys_move_and_the_cursor_stays_with_its_agent() -> None:
    desk = played_desk(12)
    top = Top(desk)
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        await pilot.press(
            "j", "j", "j", "k", "down", "up", "pagedown", "pageup", "G", "g", "end", "home", "j", "j", "j"
        )
        assert top.screen.query_one(FleetTable).current_key == "agent basement"
        first = msgspec.structs.replace(played.public_agent(0, 0), name="aaa")
        desk.fold.heard(said(TOPICS.agent("aaa"), first), desk.clock())
        page_of(top).repaint()
        assert top.screen.query_one(FleetTable).current_key == "agent basement"


async def test_search_narrows_and_escape_widens_again() -> None:
    top = Top(played_desk(12))
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        await pilot.press("slash", *"tower")
        assert "● tower" in await gone(pilot, "● attic")
        await pilot.press("enter", "escape", "g")
        await seen(pilot, "● attic")


async def test_draining_is_asked_about_and_resuming_is_not() -> None:
    mesh = PlayedMesh(agents=[played.agent_view(number) for number in range(12)])
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        await pilot.press("d")
        await seen(pilot, "Drain agent attic?")
        await pilot.press("n")
        assert mesh.asked == []
        await pilot.press("d", "y")
        await pilot.pause()
        assert mesh.asked == [("drain", "attic")]
        await pilot.press("u")
        await pilot.pause()
        assert mesh.asked[1:] == [("resume", "attic")]
        await seen(pilot, "agent attic takes jobs again")


async def test_what_is_selected_is_meant_by_an_action_and_jobs_by_theirs() -> None:
    jobs = played_jobs(12)
    mesh = PlayedMesh(jobs)
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        await pilot.press("j", "space", "space", "c")
        await seen(pilot, "Cancel 2 jobs?")
        await pilot.press("y")
        await pilot.pause()
    assert mesh.asked == [("cancel", played.ulid(0)), ("cancel", played.ulid(1))]


async def test_a_refusal_is_said_in_the_words_of_who_refused() -> None:
    mesh = PlayedMesh()
    mesh.refuses = Refused(RefusalCode.NOT_ALLOWED, "only clients [may] drain agents")
    top = Top(played_desk(12, mesh=mesh))
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        await pilot.press("d", "y")
        await seen(pilot, "only clients [may] drain agents")


async def test_without_a_broker_the_last_picture_stays_and_says_since_when() -> None:
    desk = played_desk(12)
    top = Top(desk)
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        desk.fold.closed(desk.clock())
        page_of(top).repaint()
        assert "● attic" in await seen(pilot, "✗ no broker since 03:")
        assert top.screen.has_class("away")
        desk.fold.opened(desk.clock())
        page_of(top).repaint()
        await gone(pilot, "no broker")


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (250, 70)])
async def test_a_strange_title_moves_nothing(size: tuple[int, int]) -> None:
    """Every line has as many cells as the terminal."""
    desk = played_desk(2)
    job = played.public_job(0, 0, name=played.STRANGE)
    desk.fold.heard(said(TOPICS.job(job.id), job), desk.clock())
    top = Top(desk)
    async with top.run_test(size=size) as pilot:
        await pilot.pause()
        strips = strips_of(top)
        assert {strip.cell_length for strip in strips} == {size[0]}
        assert "evil" not in text_of(top) or "\\u202e" in text_of(top)


async def test_a_terminal_without_unicode_or_colours_says_the_same_by_letters() -> None:
    top = Top(played_desk(12), unicode=False, colours=False)
    async with top.run_test(size=(120, 30), notifications=True) as pilot:
        await pilot.press("question_mark")
        assert (await seen(pilot, "light or dark")).isascii()
        await pilot.press("escape")
        assert (await seen(pilot, "* attic")).isascii()
        styles = [segment.style for strip in strips_of(top) for segment in strip]
        assert not any(style.color or style.bgcolor for style in styles if style)
        assert any(style.reverse for style in styles if style), "the cursor is seen"


async def test_t_changes_light_and_dark_and_the_keys_are_all_on_one_page() -> None:
    top = Top(played_desk(1))
    async with top.run_test(size=(120, 40)) as pilot:
        await pilot.press("t")
        assert not top.current_theme.dark
        await pilot.press("t", "question_mark")
        assert top.current_theme.dark
        await seen(pilot, "drain: let an agent finish what it has")
        await pilot.press("escape", "q")
    assert top.return_code == 0


async def test_the_palette_has_every_page_and_what_can_be_done_here() -> None:
    mesh = PlayedMesh(agents=[played.agent_view(0)])
    top = Top(played_desk(1, mesh=mesh))
    async with top.run_test(size=(120, 30)) as pilot:
        await seen(pilot, "● attic")
        await pilot.press("ctrl+p")
        await seen(pilot, "Workflows", "Drain agent attic", "Light or dark")
        await pilot.press(*"resume")
        await gone(pilot, "Light or dark")
        await pilot.press("down", "enter")
        await pilot.pause()
        await seen(pilot, "● attic")
        assert mesh.asked == [("resume", "attic")]
        await pilot.press("ctrl+c")
    assert top.return_code == 0

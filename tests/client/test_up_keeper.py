"""The keeper of one part, with stand-ins for the parts and a real warden."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ffmesh_client.supervisor.home import MeshHome
from ffmesh_client.supervisor.keeper import GaveUp, Keeper, Mood
from ffmesh_client.supervisor.parts import ProcessPart
from ffmesh_client.supervisor.restarts import LIVED, PAUSES, REFUSED, TRIES, Row, is_hopeless
from ffmesh_warden.handle import Warden
from support.mesh import is_alive

SECONDS = 20.0
SLEEPS = "import time; time.sleep(1000)"
IS_DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEPS}"


@pytest.fixture
def home(tmp_path: Path) -> MeshHome:
    made = MeshHome(tmp_path / "home")
    made.make()
    return made


def keeper_of(program: str, warden: Warden, home: MeshHome, mood: Mood) -> Keeper:
    argv = [sys.executable, "-c", program]
    part = ProcessPart(warden, "part", argv, cwd=home.folder, env=os.environ, log=home.log("part"))
    return Keeper(part, warden=warden, home=home, mood=mood)


@asynccontextmanager
async def kept(program: str, home: MeshHome, mood: Mood) -> AsyncGenerator[Keeper, None]:
    """A keeper at work, which is called off at the end."""
    async with asyncio.timeout(SECONDS), Warden.started() as warden, asyncio.TaskGroup() as group:
        keeper = keeper_of(program, warden, home, mood)
        keeping = group.create_task(keeper.keep(), name="keeper")
        await keeper.started.wait()
        yield keeper
        keeping.cancel()


def pid(home: MeshHome) -> int:
    return int(home.pid_file("part").read_text(encoding="ascii"))


async def until_another(home: MeshHome, before: int) -> int:
    async with asyncio.timeout(SECONDS):
        while pid(home) == before:  # noqa: ASYNC110 - nobody tells that a file has changed
            await asyncio.sleep(0.01)
    return pid(home)


async def until_it_says(home: MeshHome, word: str) -> None:
    async with asyncio.timeout(SECONDS):
        while word not in home.log("part").read_text(encoding="utf-8"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def test_a_part_that_is_killed_is_started_again_at_once_and_its_pid_noted(home: MeshHome) -> None:
    async with kept(SLEEPS, home, Mood()):
        first = pid(home)
        os.kill(first, signal.SIGKILL)
        second = await until_another(home, first)
        assert is_alive(second)
    assert not is_alive(second)
    assert not home.pid_file("part").exists()


async def test_a_part_that_is_called_off_is_asked_first_and_killed_after_a_moment(home: MeshHome) -> None:
    async with kept(IS_DEAF, home, Mood()):
        await until_it_says(home, "deaf")
        deaf = pid(home)
    assert not is_alive(deaf)


async def test_who_is_in_a_hurry_does_not_wait_for_that_moment(home: MeshHome) -> None:
    mood, loop = Mood(), asyncio.get_running_loop()
    mood.hurry.set()
    async with kept(IS_DEAF, home, mood):
        await until_it_says(home, "deaf")
        began = loop.time()
    assert loop.time() - began < 0.9


async def test_a_part_whose_configuration_has_changed_is_started_anew_without_a_word(
    home: MeshHome, capsys: pytest.CaptureFixture[str]
) -> None:
    async with kept(SLEEPS, home, Mood()) as keeper:
        first = pid(home)
        keeper.start_anew()
        await until_another(home, first)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("code", [2, 78])
async def test_before_the_first_ready_one_that_will_never_start_ends_the_patience(
    home: MeshHome, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(SECONDS), Warden.started() as warden:
        keeper = keeper_of(f"print('because of this'); raise SystemExit({code})", warden, home, Mood())
        with pytest.raises(GaveUp, match=f"exit code {code}"):
            await keeper.keep()
    assert "because of this" in capsys.readouterr().err


async def test_before_the_first_ready_five_failures_are_enough(
    home: MeshHome, capsys: pytest.CaptureFixture[str]
) -> None:
    async with asyncio.timeout(SECONDS), Warden.started() as warden:
        with pytest.raises(GaveUp, match="exit code 1"):
            await keeper_of("raise SystemExit('no luck')", warden, home, Mood()).keep()
    assert home.log("part").read_text(encoding="utf-8").splitlines() == ["no luck"] * TRIES
    assert capsys.readouterr().err.count("is started again") == TRIES - 1


async def test_later_one_that_exits_78_is_left_alone_and_that_is_said(
    home: MeshHome, capsys: pytest.CaptureFixture[str]
) -> None:
    mood = Mood()
    mood.was_ready = True
    async with asyncio.timeout(SECONDS), Warden.started() as warden:
        await keeper_of("raise SystemExit(78)", warden, home, mood).keep()
    assert "not to be started again" in capsys.readouterr().err


async def test_later_a_part_is_tried_for_ever(home: MeshHome) -> None:
    mood = Mood()
    mood.was_ready = True
    async with asyncio.timeout(SECONDS), Warden.started() as warden, asyncio.TaskGroup() as group:
        keeping = group.create_task(keeper_of("print('here')", warden, home, mood).keep(), name="keeper")
        async with asyncio.timeout(SECONDS):
            while home.log("part").exists() is False or len(home.log("part").read_text().splitlines()) <= 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        keeping.cancel()


def test_the_first_restart_is_at_once_and_later_ones_take_their_time() -> None:
    row, pauses = Row(), list[float]()
    for _ in range(10):
        row = row.after(lived=0.1)
        pauses.append(row.pause)
    assert pauses[: len(PAUSES)] == list(PAUSES)
    assert set(pauses[len(PAUSES) :]) == {PAUSES[-1]}


def test_who_has_lived_for_a_while_begins_a_new_row() -> None:
    assert Row(failures=4).after(lived=LIVED) == Row(failures=1)


def test_who_was_refused_by_the_broker_has_not_lived_however_long_it_tried() -> None:
    assert Row(failures=4).after(lived=2 * LIVED, exit_code=REFUSED) == Row(failures=5)
    assert Row(failures=4).after(lived=2 * LIVED, exit_code=1) == Row(failures=1)


def test_hope_ends_with_the_fifth_failure_or_with_a_code_that_says_so() -> None:
    assert not is_hopeless(Row(failures=TRIES - 1), 1)
    assert is_hopeless(Row(failures=TRIES), None)
    assert is_hopeless(Row(failures=1), 2)
    assert is_hopeless(Row(failures=1), 78)

"""Programs that stand still and go on: where they stand, before they begin, and whoever else has stopped them."""

import asyncio
import os
import signal
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.shell.stage import Stage, granted, stage, until
from ffmesh_agent.core.events import ProgramEnded, ProgramNotStarted, ProgramStarted
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.requests import CallerSignal
from ffmesh_warden.handle import Warden
from ffmesh_warden.link import Link

HERE = RootPath(root="R", path="")
WAITS = "echo $$ >started; mv started pid; read word <go; exit 5"
"""Without a child: a shell that is stopped while it starts one is not in state T but in D."""


@pytest.fixture
def door(tmp_path: Path) -> Generator[Callable[[], None], None, None]:
    """Lets the program go to its end, whether or not it waits already."""
    os.mkfifo(tmp_path / "go")
    descriptor = os.open(tmp_path / "go", os.O_RDWR | os.O_NONBLOCK)

    def opened() -> None:
        os.write(descriptor, b"on\n")

    yield opened
    os.close(descriptor)


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except OSError:
        return ""


async def runs(here: Stage, folder: Path) -> tuple[Grant, int]:
    """A program that waits for the file `go`, and its number."""
    grant = granted("sh", "-c", WAITS, cwd=HERE)
    here.launch(grant)
    await here.heard(ProgramStarted)
    await until((folder / "pid").exists)
    return grant, int((folder / "pid").read_text(encoding="ascii"))


async def test_a_program_stands_still_and_goes_on_where_it_stood(
    warden: Warden, tmp_path: Path, door: Callable[[], None]
) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant, pid = await runs(here, tmp_path)
        here.programs.pause(grant.attempt)
        await until(lambda: state_of(pid) == "T")
        door()
        here.programs.resume(grant.attempt)
        assert (await here.heard(ProgramEnded)).exit_code == 5


async def test_one_that_has_not_begun_waits_to_begin(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant = granted("sh", "-c", "echo >ran", cwd=HERE)
        here.launch(grant)
        here.programs.pause(grant.attempt)
        assert (await here.ended(granted("true"))).exit_code == 0
        assert not (tmp_path / "ran").exists()
        here.programs.resume(grant.attempt)
        assert (await here.heard(ProgramEnded)).attempt == grant.attempt
        assert (tmp_path / "ran").exists()


async def test_one_that_waits_to_begin_has_the_lease_of_when_it_begins(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("true")
        here.launch(grant, seconds=-1.0)
        here.programs.pause(grant.attempt)
        await here.ended(granted("true"))
        here.programs.hold_until(grant.attempt, float("inf"))
        here.programs.resume(grant.attempt)
        assert (await here.heard(ProgramEnded)).exit_code == 0


@pytest.mark.parametrize("order", ["terminate", "kill"])
async def test_one_that_waits_to_begin_can_be_called_off(order: str, warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("true")
        here.launch(grant)
        here.programs.pause(grant.attempt)
        await here.ended(granted("true"))
        getattr(here.programs, order)(grant.attempt)
        assert (await here.heard(ProgramNotStarted)).attempt == grant.attempt


async def test_one_that_is_beginning_stands_still_before_what_is_ordered_next_begins(
    warden: Warden, tmp_path: Path, door: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        await here.ended(granted("true"))
        grant = granted("sh", "-c", WAITS, cwd=HERE)
        os.kill(warden.pid, signal.SIGSTOP)
        try:
            ordered = _start_ordered(monkeypatch)
            here.launch(grant, seconds=-1.0)
            await ordered.wait()
            here.programs.pause(grant.attempt)
            here.programs.hold_until(grant.attempt, float("inf"))
            looks = granted("sh", "-c", "cat /proc/$PPID/task/$PPID/children >children", cwd=HERE)
            here.launch(looks)
        finally:
            os.kill(warden.pid, signal.SIGCONT)
        while (await here.heard(ProgramEnded)).attempt != looks.attempt:
            pass
        states = [state_of(int(pid)) for pid in (tmp_path / "children").read_text(encoding="ascii").split()]
        assert states.count("T") == 1
        door()
        here.programs.resume(grant.attempt)
        assert (await here.heard(ProgramEnded)).exit_code == 5


def _start_ordered(patch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the warden is told to start something."""
    ordered, post = asyncio.Event(), Link.post

    def posted(link: Link, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        post(link, message, descriptors)
        if message["verb"] == "start":
            ordered.set()

    patch.setattr(Link, "post", posted)
    return ordered


@pytest.mark.parametrize("how", ["kill", "lease"])
@pytest.mark.usefixtures("door")
async def test_one_that_stands_still_can_be_killed_and_its_lease_ends_it(
    how: str, warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant, pid = await runs(here, tmp_path)
        here.programs.pause(grant.attempt)
        await until(lambda: state_of(pid) == "T")
        if how == "kill":
            here.programs.kill(grant.attempt)
        else:
            here.programs.hold_until(grant.attempt, 0.0)
        assert (await here.heard(ProgramEnded)).signal == signal.SIGKILL


async def test_what_has_ended_is_not_missed(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("true")
        await here.ended(grant)
        here.programs.pause(grant.attempt)
        here.programs.resume(grant.attempt)
        assert (await here.ended(granted("true"))).exit_code == 0


async def test_what_its_caller_has_stopped_is_not_woken_by_us_nor_by_him_what_we_have(
    warden: Warden, tmp_path: Path, door: Callable[[], None]
) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant, pid = await runs(here, tmp_path)
        here.programs.pass_on(grant.attempt, [CallerSignal.STOP])
        here.programs.pause(grant.attempt)
        await until(lambda: state_of(pid) == "T")
        door()
        here.programs.resume(grant.attempt)
        assert (await here.ended(granted("true"))).exit_code == 0
        assert state_of(pid) == "T"
        here.programs.pause(grant.attempt)
        here.programs.pass_on(grant.attempt, [CallerSignal.CONT])
        assert (await here.ended(granted("true"))).exit_code == 0
        assert state_of(pid) == "T"
        here.programs.resume(grant.attempt)
        assert (await here.heard(ProgramEnded)).exit_code == 5

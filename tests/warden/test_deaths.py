"""Who dies with whom."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from ffmesh_warden.errors import WardenDied
from ffmesh_warden.handle import Ended, Warden
from warden.living import FOREVER, PATH, SOURCE, gone, is_stopped, lives, owner_of, until, written_pid

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the user")


def family(folder: Path) -> list[str]:
    """A program with a child in its group and a daemon in a session of its own."""
    daemon = f"(setsid sh -c 'echo $$ >{folder / 'daemon'}; exec sleep 1000' &)"
    return ["sh", "-c", f"{daemon}; sleep 1000 & echo $! >{folder / 'child'}; wait"]


async def members(folder: Path) -> list[int]:
    return [await written_pid(folder / "child"), await written_pid(folder / "daemon")]


async def test_when_the_owner_is_killed_everything_is_gone(tmp_path: Path) -> None:
    with owner_of(family(tmp_path)) as owner:
        others = await members(tmp_path)
        os.kill(owner.pid, signal.SIGKILL)
        await gone(owner.warden, owner.program, *others)


async def test_a_frozen_owner_does_not_keep_a_program_alive_past_its_deadline() -> None:
    with owner_of(FOREVER, deadline_in=1) as owner:
        os.kill(owner.pid, signal.SIGSTOP)
        await until(lambda: is_stopped(owner.pid))
        assert lives(owner.program), "the machine is too slow for this test"
        await gone(owner.program)
        assert is_stopped(owner.pid)


async def test_a_program_dies_with_its_warden_even_if_the_owner_is_frozen() -> None:
    with owner_of(FOREVER) as owner:
        os.kill(owner.pid, signal.SIGSTOP)
        os.kill(owner.warden, signal.SIGKILL)
        await gone(owner.program)


@as_root
async def test_a_program_of_another_user_dies_with_its_warden() -> None:
    with owner_of(FOREVER, user="nobody") as owner:
        os.kill(owner.pid, signal.SIGSTOP)
        os.kill(owner.warden, signal.SIGKILL)
        await gone(owner.program)


async def test_when_the_warden_is_killed_everything_is_gone_and_the_handle_says_so(tmp_path: Path) -> None:
    async with Warden.started() as warden:
        program = await warden.start(family(tmp_path), env=PATH, cwd="/")
        others = await members(tmp_path)
        os.kill(warden.pid, signal.SIGKILL)
        assert await program.ended() == Ended(None, signal.SIGKILL, warden_died=True)
        await warden.died()
        assert not warden.alive
        await gone(program.pid, *others)
        with pytest.raises(WardenDied):
            await warden.start(["true"], env=PATH, cwd="/")


async def test_a_start_under_way_when_the_warden_dies_is_told(warden: Warden) -> None:
    os.kill(warden.pid, signal.SIGSTOP)
    asyncio.get_running_loop().call_soon(os.kill, warden.pid, signal.SIGKILL)
    with pytest.raises(WardenDied):
        await warden.start(["true"], env=PATH, cwd="/")


async def test_a_signal_meant_for_the_owner_does_not_end_the_warden(warden: Warden) -> None:
    assert os.getsid(warden.pid) == os.getpgid(warden.pid) == warden.pid, "a Ctrl-C in the terminal would reach it"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(warden.pid, number)
    program = await warden.start(["true"], env=PATH, cwd="/")
    assert await program.ended() == Ended(0, None)


async def test_an_interrupt_of_the_owners_group_reaches_no_program_before_its_owner_says_so() -> None:
    with owner_of(FOREVER) as owner:
        os.kill(owner.pid, signal.SIGSTOP)  # it gets the interrupt, and cannot act on it
        os.killpg(owner.pid, signal.SIGINT)
        await until(lambda: is_stopped(owner.pid))
        assert lives(owner.warden)
        assert lives(owner.program)
        os.kill(owner.pid, signal.SIGCONT)
        await gone(owner.warden, owner.program)


async def test_when_an_owner_that_is_itself_a_program_ends_its_own_programs_are_gone(
    warden: Warden, tmp_path: Path
) -> None:
    other = await warden.start(FOREVER, env=PATH, cwd="/")
    wanted = json.dumps({"argv": family(tmp_path), "deadline_in": None, "user": None})
    read, write = os.pipe()
    inner = await warden.start(
        [sys.executable, Path(__file__).with_name("owner.py"), wanted],
        env=PATH | {"PYTHONPATH": str(SOURCE.parent)},
        cwd="/",
        stdout=write,
        stderr=2,
    )
    os.close(write)
    others = await members(tmp_path)
    pids = json.loads(os.read(read, 1000))
    os.close(read)
    # The inner warden would do it too. Here it cannot, and the outer one has only the marks to go by.
    os.kill(pids["warden"], signal.SIGSTOP)
    inner.signal(signal.SIGKILL)
    await inner.ended()
    assert not any(lives(pid) for pid in [*pids.values(), *others])
    assert lives(other.pid)

"""How ends are told, and that nothing of a program runs when its end is told."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from ffmesh_warden.handle import Ended, Warden
from ffmesh_warden.wire import boottime
from warden.living import FOREVER, PATH, children, gone, lives, until, written_pid

DAEMON = "(setsid sh -c 'echo $$ >%s; exec sleep 1000' &)"
"""A process in a session of its own, whose parent has ended."""

UNMARKED_DAEMON = "(env -i setsid sh -c 'echo $$ >%s; exec /bin/sleep 1000' &)"


@pytest.mark.parametrize("code", [0, 1, 127, 255])
async def test_an_exit_code_is_told_as_it_was(warden: Warden, code: int) -> None:
    program = await warden.start(["sh", "-c", f"exit {code}"], env=PATH, cwd="/")
    assert await program.ended() == Ended(code, None)
    assert program.end == Ended(code, None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGHUP, signal.SIGPIPE])
async def test_a_death_by_signal_is_told_as_it_was(warden: Warden, number: signal.Signals) -> None:
    program = await warden.start(FOREVER, env=PATH, cwd="/")
    program.signal(number)
    assert await program.ended() == Ended(None, int(number))


async def test_a_signal_reaches_the_whole_group(warden: Warden, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"trap : USR1; sleep 1000 & echo $! >{file}; wait; read line"
    read, write = os.pipe()
    program = await warden.start(["sh", "-c", script], env=PATH, cwd="/", stdin=read)
    os.close(read)
    grandchild = await written_pid(file)
    await until(lambda: Path(f"/proc/{grandchild}/comm").read_text() == "sleep\n")
    program.signal(signal.SIGUSR1)
    await gone(grandchild)
    assert lives(program.pid)
    os.close(write)
    assert (await program.ended()).exit_code == 1


async def test_orders_to_a_program_that_has_ended_do_nothing(warden: Warden) -> None:
    program = await warden.start(["true"], env=PATH, cwd="/")
    await program.ended()
    program.signal(signal.SIGTERM)
    program.kill_at(boottime())
    assert await program.ended() == Ended(0, None)


async def test_orders_that_make_no_sense_are_refused_before_they_reach_the_warden(warden: Warden) -> None:
    program = await warden.start(FOREVER, env=PATH, cwd="/")
    with pytest.raises(ValueError, match="no signal has the number 999"):
        program.signal(999)
    with pytest.raises(ValueError, match="would never pass"):
        program.kill_at(float("nan"))
    assert lives(program.pid)


async def test_fifty_programs_run_at_once_and_each_has_its_own_end(warden: Warden) -> None:
    read, write = os.pipe()
    async with asyncio.TaskGroup() as group:
        starts = [
            group.create_task(warden.start(["sh", "-c", f"read x; exit {n}"], env=PATH, cwd="/", stdin=read))
            for n in range(50)
        ]
    programs = [start.result() for start in starts]
    assert all(lives(program.pid) for program in programs)
    os.close(read)
    os.close(write)
    assert [await program.ended() for program in programs] == [Ended(n, None) for n in range(50)]


async def test_a_grandchild_does_not_outlive_its_program(warden: Warden, tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! >{tmp_path / 'pid'}; exit 5"
    program = await warden.start(["sh", "-c", script], env=PATH, cwd="/")
    assert await program.ended() == Ended(5, None)
    assert not lives(await written_pid(tmp_path / "pid"))


async def test_a_grandchild_in_a_session_of_its_own_does_not_outlive_its_program(
    warden: Warden, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    script = f"{DAEMON % file}; while ! [ -s {file} ]; do sleep 0.01; done; exit 5"
    other = await warden.start(FOREVER, env=PATH, cwd="/")
    program = await warden.start(["sh", "-c", script], env=PATH, cwd="/")
    assert await program.ended() == Ended(5, None)
    assert not lives(await written_pid(file))
    assert lives(other.pid)


async def test_the_daemon_of_a_running_program_is_left_alone_when_another_ends(warden: Warden, tmp_path: Path) -> None:
    program = await warden.start(["sh", "-c", f"{DAEMON % (tmp_path / 'pid')}; exec sleep 1000"], env=PATH, cwd="/")
    daemon = await written_pid(tmp_path / "pid")
    await until(lambda: daemon in children(warden.pid))
    other = await warden.start(["true"], env=PATH, cwd="/")
    await other.ended()
    assert lives(daemon)
    program.signal(signal.SIGTERM)
    await program.ended()
    assert not lives(daemon)


async def test_a_daemon_without_a_mark_is_killed_when_no_program_runs(warden: Warden, tmp_path: Path) -> None:
    script = f"{UNMARKED_DAEMON % (tmp_path / 'pid')}; exec sleep 1000"
    program = await warden.start(["sh", "-c", script], env=PATH, cwd="/")
    daemon = await written_pid(tmp_path / "pid")
    await until(lambda: daemon in children(warden.pid))
    other = await warden.start(["true"], env=PATH, cwd="/")
    await other.ended()
    assert lives(daemon), "it may be the running program's"
    program.signal(signal.SIGTERM)
    await program.ended()
    assert not lives(daemon)


async def test_a_program_is_killed_at_its_deadline(warden: Warden) -> None:
    deadline = boottime() + 0.2
    program = await warden.start(["sh", "-c", "trap '' TERM; sleep 1000"], env=PATH, cwd="/", kill_at=deadline)
    assert await program.ended() == Ended(None, signal.SIGKILL, by_deadline=True)
    assert deadline <= boottime()


async def test_a_deadline_that_has_passed_kills_at_once(warden: Warden) -> None:
    program = await warden.start(FOREVER, env=PATH, cwd="/")
    program.kill_at(boottime() - 1)
    assert (await program.ended()).by_deadline


async def test_a_stopped_program_is_killed_at_its_deadline(warden: Warden) -> None:
    program = await warden.start(FOREVER, env=PATH, cwd="/")
    program.signal(signal.SIGSTOP)
    program.kill_at(boottime() + 0.1)
    assert (await program.ended()).by_deadline


async def test_a_deadline_that_is_moved_or_lifted_does_not_kill(warden: Warden) -> None:
    read, write = os.pipe()
    deadline = boottime() + 0.2
    moved = await warden.start(["cat"], env=PATH, cwd="/", stdin=read, kill_at=deadline)
    lifted = await warden.start(["cat"], env=PATH, cwd="/", stdin=read, kill_at=deadline)
    moved.kill_at(deadline + 1000)
    lifted.kill_at(None)
    os.close(read)
    await until(lambda: boottime() > deadline)
    probe = await warden.start(["true"], env=PATH, cwd="/")  # the warden has looked at its deadlines since
    await probe.ended()
    os.close(write)
    assert await moved.ended() == await lifted.ended() == Ended(0, None)


async def test_a_program_that_ended_before_its_deadline_is_not_called_late(warden: Warden) -> None:
    program = await warden.start(["true"], env=PATH, cwd="/", kill_at=boottime() + 1000)
    assert await program.ended() == Ended(0, None)


async def test_a_wait_that_is_cancelled_disturbs_no_other(warden: Warden) -> None:
    program = await warden.start(FOREVER, env=PATH, cwd="/")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await program.ended()
    program.signal(signal.SIGTERM)
    assert await program.ended() == Ended(None, signal.SIGTERM)


async def test_leaving_the_block_ends_everything_and_says_so(tmp_path: Path) -> None:
    script = f"{DAEMON % (tmp_path / 'daemon')}; sleep 1000 & echo $! >{tmp_path / 'child'}; wait"
    async with Warden.started() as warden:
        program = await warden.start(["sh", "-c", script], env=PATH, cwd="/")
        others = [await written_pid(tmp_path / "daemon"), await written_pid(tmp_path / "child")]
    assert not any(lives(pid) for pid in [warden.pid, program.pid, *others])
    assert await program.ended() == Ended(None, signal.SIGKILL)
    assert not Path(f"/proc/{warden.pid}").exists(), "it was not waited for"


async def test_leaving_the_block_by_an_error_ends_everything() -> None:
    pids: list[int] = []

    async def fail() -> None:
        async with Warden.started() as warden:
            program = await warden.start(FOREVER, env=PATH, cwd="/")
            pids.extend([warden.pid, program.pid])
            raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await fail()
    assert not any(lives(pid) for pid in pids)

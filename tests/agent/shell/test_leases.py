"""The warden holds a program's lease, whatever becomes of the agent."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agent.shell.stage import granted, stage, until
from ffmesh_agent.core.events import ProgramEnded, ProgramStarted
from ffmesh_agent.shell.clock import boottime
from ffmesh_protocol.media import RootPath
from ffmesh_warden.handle import Warden
from warden.living import gone, is_stopped, lives, written_pid


async def test_a_program_is_killed_at_the_end_of_its_lease_and_the_end_says_so(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        here.launch(granted("sleep", "1000"), seconds=0.2)
        ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.signal, ended.by_deadline) == (None, signal.SIGKILL, True)


async def test_a_program_whose_lease_begins_anew_is_not_killed_at_the_moment_before(
    warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path, {"R": str(tmp_path)}) as here:
        os.mkfifo(tmp_path / "go")
        grant = granted("sh", "-c", "read line <go; exit 7", cwd=RootPath(root="R", path=""))
        before = boottime() + 0.3
        here.programs.launch(grant, before)
        await here.heard(ProgramStarted)
        here.programs.hold_until(grant.attempt, before + 1000)
        await until(lambda: boottime() > before + 0.3)
        (tmp_path / "go").write_text("go\n")
        ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.by_deadline) == (7, False)
        here.programs.hold_until(grant.attempt, before)  # of one that has ended: nothing


async def test_a_lease_that_changes_while_the_program_starts_is_the_one_that_counts(
    warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        longer, shorter = granted("sh", "-c", "exit 7"), granted("sleep", "1000")
        os.kill(warden.pid, signal.SIGSTOP)
        here.programs.launch(longer, boottime())
        here.programs.hold_until(longer.attempt, boottime() + 1000)
        here.programs.launch(shorter, boottime() + 1000)
        await until(lambda: len(list(here.scratch.iterdir())) == 2)  # then both are ordered
        here.programs.hold_until(shorter.attempt, boottime() + 0.1)
        os.kill(warden.pid, signal.SIGCONT)
        ends = {ended.attempt: ended for ended in [await here.heard(ProgramEnded), await here.heard(ProgramEnded)]}
        assert (ends[longer.attempt].exit_code, ends[longer.attempt].by_deadline) == (7, False)
        assert ends[shorter.attempt].by_deadline


@contextmanager
def _launcher(home: Path) -> Generator[subprocess.Popen[bytes], None, None]:
    tests = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("launcher.py"), home, "1.5"],
        env=os.environ | {"PYTHONPATH": f"{tests}:{':'.join(sys.path)}"},
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_an_agent_that_is_frozen_past_a_lease_has_no_program_any_more_and_hears_so_when_it_wakes(
    tmp_path: Path,
) -> None:
    with _launcher(tmp_path / "a" / "b") as process:
        program = await written_pid(tmp_path / "pid")
        process.send_signal(signal.SIGSTOP)
        await until(lambda: is_stopped(process.pid))
        assert lives(program), "the machine is too slow for this test"
        await gone(program)
        assert is_stopped(process.pid)
        process.send_signal(signal.SIGCONT)
        assert process.stdout is not None
        assert process.stdout.readline() == b"9 True\n"

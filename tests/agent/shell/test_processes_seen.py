"""All processes in one pass, and which of them are meant by a name."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ffmesh_agent.shell.processes import NoProcesses, below, processes, running
from ffmesh_warden.handle import Warden

LONG = "a-program-with-a-long-name"


@contextmanager
def called(name: str, folder: Path) -> Generator[subprocess.Popen[bytes], None, None]:
    """A program of this name that runs until the end of the block."""
    program = shutil.copy("/bin/cat", folder / name)
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.communicate()


def test_a_program_is_found_by_its_name_while_it_runs(tmp_path: Path) -> None:
    assert running(["steam", "obs"]) == []
    with called("steam", tmp_path):
        assert running(["obs", "steam"]) == ["steam"]
    assert running(["steam"]) == []


def test_a_name_longer_than_the_kernel_keeps_is_found_and_no_other_that_begins_like_it(tmp_path: Path) -> None:
    with called(LONG, tmp_path):
        assert running([LONG, f"{LONG}er", LONG[:15]]) == [LONG, LONG[:15]]


def test_one_that_has_ended_and_waits_for_its_parent_does_not_run(tmp_path: Path) -> None:
    with called("ended", tmp_path) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert running(["ended"]) == []


async def test_what_a_warden_has_started_does_not_count(tmp_path: Path, warden: Warden) -> None:
    program = shutil.copy("/bin/sleep", tmp_path / "of-a-job")
    started = await warden.start([program, "600"], env={}, cwd=tmp_path)
    assert "of-a-job" in {each.name for each in processes()}
    assert running(["of-a-job"]) == []
    assert {started.pid, warden.pid, os.getpid()} <= below(os.getpid(), processes())
    assert started.pid in below(warden.pid, processes())
    assert os.getpid() not in below(warden.pid, processes())


def test_without_proc_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(NoProcesses, match="shows no process"):
        processes(tmp_path)
    with pytest.raises(NoProcesses, match="cannot be read"):
        processes(tmp_path / "none")

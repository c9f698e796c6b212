"""A whole mesh goes back to a backup while its agent works on: what that runs is stopped, and nothing runs twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.mesh import RunningMesh, mesh_up, wait_until


def coordinator(mesh: RunningMesh, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ffmesh_coordinator", *words, "--home", mesh.home]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def jobs(mesh: RunningMesh) -> dict[str, Any]:
    listed = mesh.ffmesh("jobs", "--json")
    assert listed.returncode == 0, listed
    return {job["id"]: job for job in json.loads(listed.stdout)}


def submitted(mesh: RunningMesh) -> str:
    done = mesh.ffmesh("submit", "--", "sleep", "600")
    assert done.returncode == 0, done
    return done.stdout.strip()


def sleepers(mesh: RunningMesh) -> int:
    return sum(called.startswith("sleep ") for called in mesh.living().values())


@contextmanager
def without_coordinator(mesh: RunningMesh) -> Generator[None, None, None]:
    """It is killed, and not started again within the block; the agent and its programs go on."""
    before = mesh.pid("coordinator")
    mesh.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(before, signal.SIGKILL)
        yield
    finally:
        mesh.process.send_signal(signal.SIGCONT)
    mesh.wait_until_back("coordinator", other_than=before)


def test_a_mesh_that_goes_back_to_a_backup_stops_what_it_does_not_know_and_runs_nothing_twice(tmp_path: Path) -> None:
    with mesh_up(tmp_path / "home", "--slots", "2", "--program", "sleep") as mesh:
        known = {submitted(mesh) for _ in range(3)}
        wait_until(lambda: sleepers(mesh) == 2, "two of three jobs do not run", 30)
        backup = tmp_path / "backup.db"
        done = coordinator(mesh, "backup", backup)
        assert done.returncode == 0, done
        (running, *_) = (job for job, view in jobs(mesh).items() if view["state"] == "running")
        assert mesh.ffmesh("cancel", running).returncode == 0
        later = submitted(mesh)
        wait_until(lambda: sleepers(mesh) == 2, "the third job does not run", 30)

        assert coordinator(mesh, "restore", backup).returncode == 2, "it runs"
        with without_coordinator(mesh):
            done = coordinator(mesh, "restore", backup)
            assert done.returncode == 0, done
            assert "3 of them were open" in done.stdout

        wait_until(lambda: sleepers(mesh) == 0, "what nobody knows any more still runs", 30)
        found = jobs(mesh)
        assert {(job, view["state"], view["reason_code"]) for job, view in found.items()} == {
            (job, "failed", "restored") for job in known
        }
        assert later not in found
        again = submitted(mesh)
        wait_until(lambda: jobs(mesh)[again]["state"] == "running", "nothing new runs", 30)
        assert sleepers(mesh) == 1

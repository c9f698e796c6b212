"""How soon a loss is noticed: an agent is killed, or falls silent, while it runs something; and what then happens when.

    python -m benchmarks.faults

Two agents with one slot each. `up` starts a killed agent again, so what is measured is whatever comes first: the
broker's word that it is gone (which counts after a grace of half a second) or the hello of its next life. A stopped
process (SIGSTOP) is to the others a machine that lost its power: its connection stands, and it says nothing.
"""

import json
import os
import signal
import subprocess
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Report, Samples, counted, parser, rows, run, turns
from benchmarks.mesh import FFMESH, Mesh, mesh

ROUNDS: Final = 10
POLL: Final = 0.005
PATIENCE: Final = 60.0

HELD: Final = 'date +%s%N >> "$2"; : > "$1"; exec sleep 1000'
"""Says when it starts, writes its output, and goes on."""

STAGED: Final = "killed: its staged job runs again on the other agent"
INTERACTIVE: Final = "killed: `run` of what it ran has ended"
SILENT: Final = "silent: its staged job runs again on the other agent"


def benchmark(arguments: Namespace) -> Sequence[Report]:
    with mesh("--agents", "2", programs={"held": HELD}) as ours:
        sides: dict[str, Callable[[], float]] = {
            STAGED: lambda: _staged(ours, signal.SIGKILL),
            INTERACTIVE: lambda: _interactive(ours),
            SILENT: lambda: _staged(ours, signal.SIGSTOP),
        }
        samples: Samples = {side: [] for side in sides}
        for side in turns(tuple(sides), arguments.rounds):
            _is_calm(ours)
            samples[side].append(sides[side]())
    return [Report(title="From a loss to what follows", rounds=arguments.rounds, rows=rows(counted(samples), unit="s"))]


def _staged(ours: Mesh, number: signal.Signals) -> float:
    output, starts = ours.files / "out", ours.files / "starts"
    starts.unlink(missing_ok=True)
    job = _said(ours, "submit", "--staged", "--output", str(output), "--", "held", str(output), str(starts)).strip()
    _until(lambda: _lines(starts) == 1)
    pid = _agent_of(ours, job)
    began = time.time_ns()
    os.kill(pid, number)
    _until(lambda: _lines(starts) == 2)
    again = int(starts.read_text(encoding="ascii").split()[1])
    if number is signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    _said(ours, "cancel", job)
    return (again - began) / 1e9


def _interactive(ours: Mesh) -> float:
    output, starts = ours.files / "out", ours.files / "starts"
    starts.unlink(missing_ok=True)
    command = ours.run("held", str(output), str(starts))
    waiting = subprocess.Popen(command, cwd=ours.files, env=ours.environment, stderr=subprocess.DEVNULL)
    _until(lambda: _lines(starts) == 1)
    (job,) = [each["id"] for each in json.loads(_said(ours, "jobs", "--state", "running", "--json"))]
    began = time.monotonic()
    os.kill(_agent_of(ours, job), signal.SIGKILL)
    waiting.wait(PATIENCE)
    return time.monotonic() - began


def _agent_of(ours: Mesh, job: str) -> int:
    said: dict[str, Any] = json.loads(_said(ours, "job", job, "--json"))
    return ours.pid_of(str(said["agent"]))


def _is_calm(ours: Mesh) -> None:
    """Both agents are there, and nothing runs."""

    def calm() -> bool:
        agents = json.loads(_said(ours, "agents", "--json"))
        return all(each["state"] == "online" and each["slots"]["cpu"]["used"] == 0 for each in agents)

    _until(calm)


def _said(ours: Mesh, *words: str) -> str:
    done = subprocess.run([FFMESH, *words], env=ours.environment, capture_output=True, text=True, check=True)
    return done.stdout


def _lines(file: Path) -> int:
    return file.read_text(encoding="ascii").count("\n") if file.exists() else 0


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise SystemExit("the mesh does not do what the benchmark waits for")
        time.sleep(POLL)


if __name__ == "__main__":
    run(parser(__doc__, rounds=ROUNDS).parse_args(), benchmark)

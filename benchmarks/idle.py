"""What a mesh with nothing to do costs: memory and CPU of each part, beside the least that an agent could be.

    python -m benchmarks.idle

The floor is `floor.py` with a broker of its own. All run at the same time, and each window of some seconds is a round:
that is interleaved enough for processes that sleep.
"""

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from benchmarks.broker import broker
from benchmarks.measure import Report, Samples, ended, parser, rows, run
from benchmarks.mesh import PARTS, Mesh, mesh
from benchmarks.processes import MIB, cpu_seconds, pss_bytes, rss_bytes

LOGIN, PASSWORD = "agents/floor", "benchmark"
FLOOR: Final = "floor"

SETTLE_SECONDS: Final = 6.0
"""An agent looks around after its start; that is not idling."""

WINDOW_SECONDS: Final = 4.0
"""Two beats."""


def benchmark(arguments: Namespace) -> Sequence[Report]:
    with mesh() as ours, _floor() as floor:
        time.sleep(SETTLE_SECONDS)
        pids = {**_parts(ours), FLOOR: floor}
        cpu, rss, pss = _measured(pids, arguments.rounds)
    against_floor = {FLOOR: {"agent-1": FLOOR, "agent-1 with its warden": FLOOR}}
    return [
        Report(title=title, rounds=arguments.rounds, rows=rows(_summed(samples), unit=unit, ratios=against_floor))
        for title, samples, unit in (
            ("CPU", cpu, "ms a second"),
            ("Memory, what is shared counted once (PSS)", pss, "MiB"),
            ("Memory, what is shared counted in full (RSS)", rss, "MiB"),
        )
    ]


def _parts(ours: Mesh) -> dict[str, int]:
    pids = {part: ours.pid_of(part) for part in PARTS}
    parents = {"agent-1": pids["agent-1"], "up": ours.pid}
    wardens = {f"warden of {name}": psutil.Process(pid).children()[0].pid for name, pid in parents.items()}
    return {**pids, **wardens, "up": ours.pid}


def _summed(samples: Samples) -> Samples:
    pairs = zip(samples["agent-1"], samples["warden of agent-1"], strict=True)
    return {**samples, "agent-1 with its warden": [agent + warden for agent, warden in pairs]}


def _measured(pids: Mapping[str, int], rounds: int) -> tuple[Samples, Samples, Samples]:
    cpu: Samples = {name: [] for name in pids}
    rss: Samples = {name: [] for name in pids}
    pss: Samples = {name: [] for name in pids}
    for _ in range(rounds):
        began = time.perf_counter()
        before = _each(pids, cpu_seconds)
        time.sleep(WINDOW_SECONDS)
        seconds = time.perf_counter() - began
        for name, used in _each(pids, cpu_seconds).items():
            cpu[name].append((used - before[name]) / seconds * 1000)
        for samples, measure in ((rss, rss_bytes), (pss, pss_bytes)):
            for name, size in _each(pids, measure).items():
                samples[name].append(size / MIB)
    return cpu, rss, pss


def _each(pids: Mapping[str, int], measure: Callable[[int], float]) -> dict[str, float]:
    return {name: measure(pid) for name, pid in pids.items()}


@contextmanager
def _floor() -> Generator[int, None, None]:
    """Its pid."""
    with (
        tempfile.TemporaryDirectory(prefix="ffmesh-bench-") as folder,
        broker(Path(folder, "broker"), {LOGIN: PASSWORD}) as port,
    ):
        command = [sys.executable, "-m", "benchmarks.floor", str(port), LOGIN, PASSWORD]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            yield process.pid
        finally:
            ended(process)


if __name__ == "__main__":
    run(parser(__doc__).parse_args(), benchmark)

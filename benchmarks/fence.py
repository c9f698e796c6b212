"""What the fence around a program costs its start: `true` without one, by Landlock, and by bubblewrap.

    python -m benchmarks.fence

From the order to the warden until the program runs, and until its end is told. The fence is as wide as one for ffmpeg:
the system's programs and libraries, two folders to read, two to write. What `fences.found` takes, once in an agent's
life, and what the warden's memory grows by with its first fence, is told too.
"""

import asyncio
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.measure import Report, Samples, counted, parser, row, rows, run, turns
from benchmarks.processes import MIB, pss_bytes

from ffmesh_warden.fence import Fence
from ffmesh_warden.fences import BEST_FIRST, found
from ffmesh_warden.handle import Warden

ROUNDS: Final = 100
FREE: Final = "no fence"
RUNS, ENDED = ": order → runs", ": order → its end is told"

SYSTEM: Final = (
    *(b"/usr", b"/lib", b"/lib64", b"/bin", b"/sbin", b"/opt", b"/etc/ld.so.cache", b"/etc/ld.so.conf.d"),
    *(b"/etc/alternatives", b"/etc/fonts", b"/etc/ssl", b"/proc", b"/sys/devices/system/cpu"),
)
DEVICES: Final = (b"/dev/dri", b"/dev/nvidiactl", b"/dev/nvidia0", b"/dev/nvidia-uvm")


def benchmark(arguments: Namespace) -> Sequence[Report]:
    here = found()
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-") as name:
        samples, grown = asyncio.run(_starts(Path(name), [FREE, *here.kinds], arguments.rounds))
    trials: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        found()
        trials.append(time.perf_counter() - began)
    ratios = {side + part: FREE + part for side in (FREE, *here.kinds) for part in (RUNS, ENDED)}
    more = {
        f"{kind} less {FREE}{RUNS}": [
            fenced - free for fenced, free in zip(samples[kind + RUNS], samples[FREE + RUNS], strict=True)
        ]
        for kind in here.kinds
    }
    return [
        Report(
            title="The start of `true`",
            rounds=arguments.rounds,
            rows=rows({**samples, **more}, unit="ms", scale=1000, ratios={FREE: ratios}),
            notes=tuple(f"{kind} is left out: {why}" for kind, why in here.missing.items()),
        ),
        Report(
            title="Once",
            rounds=len(trials),
            rows=[
                row("found()", [seconds * 1000 for seconds in trials], unit="ms"),
                row("the warden's memory (PSS): more since its first fence", [grown / MIB], unit="MiB"),
            ],
        ),
    ]


async def _starts(folder: Path, sides: Sequence[str], rounds: int) -> tuple[Samples, int]:
    """Seconds for each side, and by how many bytes the warden grew."""
    read, write = [folder / "read-1", folder / "read-2"], [folder / "write", folder / "scratch"]
    for each in (*read, *write):
        each.mkdir()
    readable, writable = (*SYSTEM, *map(bytes, read)), tuple(map(bytes, write))
    fences: dict[str, Fence | None] = {FREE: None}
    for kind in BEST_FIRST:
        fences[kind] = Fence(kind, readable, writable, DEVICES)
    samples: Samples = {side + part: [] for part in (RUNS, ENDED) for side in sides}
    async with Warden.started() as warden:
        await _started(warden, write[1], None)
        before = pss_bytes(warden.pid)
        for side in turns(sides, rounds):
            runs, ended = await _started(warden, write[1], fences[side])
            samples[side + RUNS].append(runs)
            samples[side + ENDED].append(ended)
        return counted(samples), pss_bytes(warden.pid) - before


async def _started(warden: Warden, folder: Path, fence: Fence | None) -> tuple[float, float]:
    began = time.perf_counter()
    program = await warden.start(["/bin/true"], env={}, cwd=folder, fence=fence)
    runs = time.perf_counter() - began
    await program.ended()
    return runs, time.perf_counter() - began


if __name__ == "__main__":
    run(parser(__doc__, rounds=ROUNDS).parse_args(), benchmark)

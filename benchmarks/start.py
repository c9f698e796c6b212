"""How long `ffmesh up` takes until it says `ready`.

    python -m benchmarks.start

Cold is a home that was not there before: keys, logins and a database are made. Warm is the next start of the same
home. (The files of Python and Mosquitto themselves are in the system's cache for both.) The parts of the time are read
off the times of the files that the parts leave in their home.
"""

import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.measure import Report, Samples, counted, ended, parser, rows, run, turns
from benchmarks.mesh import started

COLD, WARM, READY = "cold", "warm", "ready"

SIGNS: Final = {
    "the broker runs": "run/broker.pid",
    "the coordinator is started": "run/coordinator.pid",
    "the agent is started": "run/agent-1.pid",
    "the coordinator answers at its socket": "run/coordinator.sock",
}
"""What has happened once a file in the home is there."""


def benchmark(arguments: Namespace) -> Sequence[Report]:
    samples: Samples = {f"{side}: {sign}": [] for side in (COLD, WARM) for sign in (*SIGNS, READY)}
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-") as name:
        folder = Path(name)
        (folder / "files").mkdir()
        warm = folder / "warm"
        _times_of_start(warm, folder / "files")
        for number, side in enumerate(turns((COLD, WARM), arguments.rounds)):
            home = warm if side == WARM else folder / f"cold-{number}"
            for sign, seconds in _times_of_start(home, folder / "files").items():
                samples[f"{side}: {sign}"].append(seconds)
    return [
        Report(
            title="From the start of `ffmesh up`",
            rounds=arguments.rounds,
            rows=rows(
                counted(samples),
                unit="s",
                ratios={"cold": {f"{WARM}: {sign}": f"{COLD}: {sign}" for sign in (*SIGNS, READY)}},
            ),
        )
    ]


def _times_of_start(home: Path, files: Path) -> dict[str, float]:
    """Seconds until each sign, and until `ready`. The mesh has ended again when this returns."""
    began, clock = time.time(), time.perf_counter()
    up = started(home, files)
    try:
        ready = time.perf_counter() - clock
        return {sign: (home / file).stat().st_mtime - began for sign, file in SIGNS.items()} | {READY: ready}
    finally:
        assert up.stdout is not None
        up.stdout.close()
        ended(up)


if __name__ == "__main__":
    run(parser(__doc__).parse_args(), benchmark)

"""What it costs to run a program on the mesh, beside running it here and through warm ssh.

    python -m benchmarks.run

Three tables: commands from start to end; the way to the program's own start, and back from its end; and where the time
of `ffmesh run -- true` goes before it has said a word.

The program of the second table is `date`, which prints the time at which it runs; machine and clock are the same for
all sides. What `date` itself needs to start is in the figures of each.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.measure import Report, Samples, counted, interleaved, output, parser, rows, run, took, turns
from benchmarks.mesh import FFMESH, Mesh, mesh
from benchmarks.ssh import WarmSsh, warm_ssh

ENCODE: Final = (
    *("ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=duration=1:size=640x360:rate=25"),
    *("-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-f", "matroska"),
)
DATE: Final = ("date", "+%s%N")
THERE, BACK = ": start → the program runs", ": the program runs → end"
LOCAL, SSH, RUN = "local", "warm ssh", "ffmesh run"
NO_SSHD: Final = "no sshd here: the side of warm ssh is left out"

WHOLE, IMPORTS, REST = "ffmesh run -- true", "python -c 'import ffmesh_client.mesh'", "the whole less these imports"
STAGES: Final[Mapping[str, Sequence[str | Path]]] = {
    "python -S -I -c pass": (sys.executable, "-S", "-I", "-c", "pass"),
    "python -c pass": (sys.executable, "-c", "pass"),
    "ffmesh --version": (FFMESH, "--version"),
    "python -c 'import asyncio'": (sys.executable, "-c", "import asyncio"),
    IMPORTS: (sys.executable, "-c", "import ffmesh_client.mesh"),
}


def benchmark(arguments: Namespace) -> Sequence[Report]:
    rounds: int = arguments.rounds
    programs = ("--program", "true", "--program", "date")
    with mesh(*programs) as ours, warm_ssh() as ssh:
        return [
            _whole_commands(ours, ssh, rounds),
            _to_the_program_and_back(ours, ssh, rounds),
            _stages(ours, rounds),
        ]


def _whole_commands(ours: Mesh, ssh: WarmSsh | None, rounds: int) -> Report:
    sides: dict[str, Callable[[], float]] = {}
    ratios: dict[str, dict[str, str]] = {LOCAL: {}, SSH: {}}
    commands: dict[str, Sequence[str]] = {
        "true": ("true",),
        "ffmpeg -version": ("ffmpeg", "-version"),
        "encode of 1 s": (*ENCODE, str(ours.files / "out.mkv")),
    }
    for command, line in commands.items():
        for way, words in _ways(ours, ssh, line).items():
            side = f"{way}: {command}"
            sides[side] = partial(took, words, cwd=ours.files, env=ours.environment)
            for base, sides_of_base in ratios.items():
                sides_of_base[side] = f"{base}: {command}"
    samples = interleaved(sides, rounds)
    return Report(
        title="Commands, from start to end",
        rounds=rounds,
        rows=rows(samples, unit="ms", scale=1000, ratios=ratios),
        notes=() if ssh is not None else (NO_SSHD,),
    )


def _to_the_program_and_back(ours: Mesh, ssh: WarmSsh | None, rounds: int) -> Report:
    ways = _ways(ours, ssh, DATE)
    samples: Samples = {f"{way}{part}": [] for part in (THERE, BACK) for way in ways}
    for way in turns(tuple(ways), rounds):
        began = time.time_ns()
        said = output(ways[way], cwd=ours.files, env=ours.environment)
        end = time.time_ns()
        at = int(said)
        samples[f"{way}{THERE}"].append((at - began) / 1e9)
        samples[f"{way}{BACK}"].append((end - at) / 1e9)
    bases = {f"{way}{part}": f"{SSH}{part}" for part in (THERE, BACK) for way in ways}
    return Report(
        title="The way to the program, and back",
        rounds=rounds,
        rows=rows(counted(samples), unit="ms", scale=1000, ratios={SSH: bases}),
    )


def _ways(ours: Mesh, ssh: WarmSsh | None, line: Sequence[str]) -> dict[str, Sequence[str | Path]]:
    """The three ways to run this, each to be started in the mesh's files."""
    ways: dict[str, Sequence[str | Path]] = {LOCAL: line}
    if ssh is not None:
        ways[SSH] = ssh.run(*line)
    return {**ways, RUN: ours.run(*line)}


def _stages(ours: Mesh, rounds: int) -> Report:
    commands: dict[str, Sequence[str | Path]] = {**STAGES, WHOLE: ours.run("true")}
    samples = interleaved(
        {name: partial(took, command, cwd=ours.files, env=ours.environment) for name, command in commands.items()},
        rounds,
    )
    rest = [whole - imports for whole, imports in zip(samples[WHOLE], samples[IMPORTS], strict=True)]
    return Report(
        title="Where the time goes",
        rounds=rounds,
        rows=rows(
            {**samples, REST: rest},
            unit="ms",
            scale=1000,
            ratios={WHOLE: dict.fromkeys((*samples, REST), WHOLE)},
        ),
    )


if __name__ == "__main__":
    run(parser(__doc__).parse_args(), benchmark)

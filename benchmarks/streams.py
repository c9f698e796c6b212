"""A program's standard output, as fast as it goes: `ffmesh run` beside warm ssh and a local pipe.

    python -m benchmarks.streams

`head` writes zeros, and this process reads them off a pipe and throws them away. ssh encrypts what it carries, the mesh
signs it. The peaks of memory are of the mesh's processes over the whole benchmark; what `ffmesh run` and ssh need is
theirs in each round.
"""

import os
import subprocess
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.measure import Report, Row, Samples, check, counted, parser, row, rows, run, turns
from benchmarks.mesh import PARTS, Mesh, mesh
from benchmarks.processes import MIB, peak_rss_bytes, rss_bytes
from benchmarks.ssh import WarmSsh, warm_ssh

LOCAL, SSH, RUN = "local pipe", "warm ssh", "ffmesh run"
ZEROS: Final = 'exec head -c "$1" /dev/zero'
READ_BYTES: Final = 1024 * 1024


def benchmark(arguments: Namespace) -> Sequence[Report]:
    rounds: int = arguments.rounds
    size: int = arguments.mib * MIB
    with mesh(programs={"zeros": ZEROS}) as ours, warm_ssh() as ssh:
        before = {part: rss_bytes(ours.pid_of(part)) / MIB for part in PARTS}
        speed, memory = _measured(_commands(ours, ssh, size), ours.environment, size, rounds)
        peaks = {part: peak_rss_bytes(ours.pid_of(part)) / MIB for part in PARTS}
    return [
        Report(
            title=f"{arguments.mib} MiB of standard output",
            rounds=rounds,
            rows=rows(speed, unit="MB/s", scale=1e-6, ratios={SSH: dict.fromkeys(speed, SSH)}),
        ),
        Report(title="Peak of resident memory", rounds=rounds, rows=[*_peaks(before, peaks), *_of_commands(memory)]),
    ]


def _commands(ours: Mesh, ssh: WarmSsh | None, size: int) -> dict[str, Sequence[str | Path]]:
    local = ("head", "-c", str(size), "/dev/zero")
    commands: dict[str, Sequence[str | Path]] = {LOCAL: local}
    if ssh is not None:
        commands[SSH] = ssh.run(*local)
    return {**commands, RUN: ours.run("zeros", str(size))}


def _measured(
    commands: Mapping[str, Sequence[str | Path]], environment: Mapping[str, str], size: int, rounds: int
) -> tuple[Samples, Samples]:
    """Bytes a second, and peaks in MiB."""
    speed: Samples = {name: [] for name in commands}
    memory: Samples = {name: [] for name in commands}
    for name in turns(tuple(commands), rounds):
        began = time.perf_counter()
        peak = _drained(commands[name], environment, size)
        speed[name].append(size / (time.perf_counter() - began))
        memory[name].append(peak / MIB)
    return counted(speed), counted(memory)


def _drained(command: Sequence[str | Path], environment: Mapping[str, str], size: int) -> int:
    """Reads a command's output to its end; the most memory in bytes that the command had."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    buffer = bytearray(READ_BYTES)
    got = 0
    with process.stdout as pipe:
        while count := os.readv(pipe.fileno(), [buffer]):
            got += count
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    check(process.returncode, command, b"")
    assert got == size, f"{got} bytes of {size} came"
    return usage.ru_maxrss * 1024


def _peaks(before: Mapping[str, float], peaks: Mapping[str, float]) -> list[Row]:
    return [row(part, [peak], unit="MiB", ratios={"before": peak / before[part]}) for part, peak in peaks.items()]


def _of_commands(memory: Samples) -> list[Row]:
    return rows({name: figures for name, figures in memory.items() if name != LOCAL}, unit="MiB")


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--mib", type=int, default=256, metavar="N", help="how much each time (256)")
    run(arguments.parse_args(), benchmark)

"""How all benchmarks measure and tell.

All sides of a comparison are measured in one run, in turns: each round has every side once, and which one comes first
changes from round to round. So whatever else the machine does meets all of them. A first round is not counted. What is
printed is the median and the tenth and ninetieth percentile; a ratio is the median of the rounds' own ratios, since a
machine that becomes busy half-way makes both sides of a round slower.
"""

import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

ROUNDS: Final = 15
STOP_SECONDS: Final = 10.0

Samples = dict[str, list[float]]
"""By side, one figure a round, in the order of the rounds."""

_TITLES: Final = ("", "median", "10 % … 90 %", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table. `ratios` are by the name of what is divided by."""

    name: str
    median: float
    low: float
    high: float
    unit: str
    ratios: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    title: str
    rounds: int
    rows: Sequence[Row]
    notes: Sequence[str] = ()


def turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Whose turn it is, with one round more than asked for: the first is for warming up (see `counted`)."""
    for number in range(rounds + 1):
        first = number % len(names)
        yield from (*names[first:], *names[:first])


def counted(samples: Samples) -> Samples:
    """Without the first round."""
    return {name: figures[1:] for name, figures in samples.items()}


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Each side does its work and gives a figure, mostly seconds."""
    samples: Samples = {name: [] for name in sides}
    for name in turns(tuple(sides), rounds):
        samples[name].append(sides[name]())
    return counted(samples)


def rows(
    samples: Samples, *, unit: str, scale: float = 1.0, ratios: Mapping[str, Mapping[str, str]] | None = None
) -> list[Row]:
    """A row a side. `ratios` says for each column which side is divided by which, as far as both were measured."""
    columns = ratios or {}
    return [
        row(
            name,
            [figure * scale for figure in figures],
            unit=unit,
            ratios={
                title: ratio(figures, samples[bases[name]])
                for title, bases in columns.items()
                if bases.get(name) in samples
            },
        )
        for name, figures in samples.items()
    ]


def row(name: str, figures: Sequence[float], *, unit: str, ratios: dict[str, float] | None = None) -> Row:
    low, high = spread(figures)
    return Row(
        name=name,
        median=statistics.median(figures),
        low=low,
        high=high,
        unit=unit,
        ratios=ratios if ratios is not None else {},
    )


def ratio(figures: Sequence[float], base: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(figure / divisor for figure, divisor in zip(figures, base, strict=True))


def spread(figures: Sequence[float]) -> tuple[float, float]:
    """The tenth and ninetieth percentile."""
    if len(figures) == 1:
        return figures[0], figures[0]
    tenths = statistics.quantiles(figures, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def took(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Seconds that a command takes, from its start to its end."""
    began = time.perf_counter()
    output(command, cwd=cwd, env=env)
    return time.perf_counter() - began


def output(command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> bytes:
    """What a command says on standard output. One that fails ends the benchmark, with what it said."""
    done = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    check(done.returncode, command, done.stderr)
    return done.stdout


def check(exit_code: int, command: Sequence[str | Path], said: bytes) -> None:
    if exit_code != 0:
        words = said.decode(errors="replace").strip()
        raise SystemExit(f"{' '.join(map(str, command))} ended with {exit_code}: {words}")


def ended(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process that was started here, if it has not ended: SIGTERM, after ten seconds SIGKILL."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """One that nobody listens at just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def parser(description: str | None, *, rounds: int = ROUNDS) -> ArgumentParser:
    """What every benchmark understands."""
    made = ArgumentParser(description=(description or "").split("\n", maxsplit=1)[0])
    made.add_argument("--rounds", type=int, default=rounds, metavar="N", help=f"counted rounds ({rounds})")
    made.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    return made


def run(arguments: Namespace, benchmark: Callable[[Namespace], Sequence[Report]]) -> None:
    """Runs a benchmark and tells what came out. SIGTERM ends it as Ctrl-C does: nothing is left running."""
    signal.signal(signal.SIGTERM, _interrupted)
    began, load = time.time(), os.getloadavg()[0]
    reports = benchmark(arguments)
    machine = {
        "date": time.strftime("%Y-%m-%d", time.localtime(began)),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": _system(),
        "python": platform.python_version(),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "took_seconds": round(time.time() - began),
    }
    if arguments.json:
        print(json.dumps({**machine, "reports": [asdict(report) for report in reports]}, indent=2, ensure_ascii=False))
        return
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    for report in reports:
        print(f"\n{report.title} ({report.rounds} rounds)\n{_table(report.rows)}")
        for note in report.notes:
            print(f"  {note}")


def _table(lines: Sequence[Row]) -> str:
    bases = list(dict.fromkeys(base for line in lines for base in line.ratios))
    cells = [[*_TITLES, *(f"÷ {base}" for base in bases)]]
    for line in lines:
        ratios = (_number(line.ratios[base]) if base in line.ratios else "" for base in bases)
        cells.append(
            [line.name, _number(line.median), f"{_number(line.low)} … {_number(line.high)}", line.unit, *ratios]
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join("  " + "  ".join(_aligned(line, widths)).rstrip() for line in cells)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for column, (cell, width) in enumerate(zip(line, widths, strict=True)):
        yield cell.ljust(width) if _TITLES[column : column + 1] == ("",) else cell.rjust(width)


def _number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)

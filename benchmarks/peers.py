"""The queues that one would use instead of a mesh: taskiq on Redis, procrastinate on PostgreSQL.

Each has one worker process that runs eight jobs at a time, and one process that submits; its server listens on
127.0.0.1 and keeps what it keeps in a temporary folder, with its own defaults (PostgreSQL syncs each commit, Redis
holds it in memory). All of it ends with the block. A peer whose programs or packages are not there is left out, and
what is missing is said.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import ended, free_port, output

SLOTS: Final = 8
START_SECONDS: Final = 20.0
BURST_SECONDS: Final = 300.0
LOOK_AGAIN: Final = 0.02

CHECKOUT: Final = Path(__file__).parent.parent
UNPRIVILEGED: Final = "nobody"
"""PostgreSQL refuses to run as root."""

POSTGRES_FOLDERS: Final = "/usr/lib/postgresql"
"""Debian keeps initdb and postgres out of PATH, in a folder of their version."""

Command = list[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a peer needs, and by what names it is installed."""

    programs: Sequence[str]
    modules: Sequence[str]
    install: str


TASKIQ, PROCRASTINATE = "taskiq", "procrastinate"
WANTED: Final = {
    TASKIQ: Wanted(
        programs=("redis-server",),
        modules=("taskiq", "taskiq_redis"),
        install="redis-server (Debian), taskiq and taskiq-redis (Python)",
    ),
    PROCRASTINATE: Wanted(
        programs=("initdb", "postgres"),
        modules=("procrastinate", "psycopg"),
        install="postgresql (Debian), procrastinate and psycopg[binary] (Python)",
    ),
}


class Peer:
    """Jobs are handed in by another process, which is asked over its standard input."""

    def __init__(self, submitter: "subprocess.Popen[bytes]", ends: Path) -> None:
        self._submitter = submitter
        self._ends = ends

    def burst(self, jobs: int) -> tuple[float, float]:
        """Seconds from the first submit until the last was accepted, and until the last was done."""
        self._ends.write_bytes(b"")
        began, accepted = self._asked({"jobs": jobs})
        return accepted, max(self._ended(jobs)) - began

    def start(self, stamp: Path) -> float:
        """Seconds from the submit until the program runs, by what it writes there."""
        self._ends.write_bytes(b"")
        began, _ = self._asked({"stamp": str(stamp)})
        self._ended(1)
        return int(stamp.read_text(encoding="ascii")) / 1e9 - began

    def _asked(self, order: Mapping[str, object]) -> tuple[float, float]:
        assert self._submitter.stdin is not None
        assert self._submitter.stdout is not None
        self._submitter.stdin.write(json.dumps(order).encode() + b"\n")
        self._submitter.stdin.flush()
        answer: dict[str, Any] = json.loads(self._submitter.stdout.readline())
        return answer["began"], answer["accepted"]

    def _ended(self, jobs: int) -> list[float]:
        until = time.monotonic() + BURST_SECONDS
        while len(lines := self._ends.read_bytes().splitlines()) < jobs:
            if time.monotonic() > until:
                raise SystemExit(f"of {jobs} jobs of a peer {len(lines)} have ended")
            time.sleep(LOOK_AGAIN)
        return [float(line) for line in lines]


def missing(python: str | None) -> dict[str, str]:
    """By peer that cannot be measured, why."""
    if python is None:
        return dict.fromkeys(WANTED, "no --peers PYTHON is named, one with its packages")
    return {name: f"it needs {wanted.install}" for name, wanted in WANTED.items() if not _is_there(wanted, python)}


def _is_there(wanted: Wanted, python: str) -> bool:
    imports = [python, "-c", f"import {', '.join(wanted.modules)}"]
    try:
        imported = subprocess.run(imports, check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise SystemExit(f"--peers {python}: {error.strerror}") from None
    return imported.returncode == 0 and all(_program(program) for program in wanted.programs)


@contextmanager
def peers(python: str | None, stamp: Path) -> Generator[dict[str, Peer], None, None]:
    """Those that are there, by name. `stamp` is the program of `Peer.start`."""
    lacking = missing(python)
    with ExitStack() as stack:
        started = {TASKIQ: _taskiq, PROCRASTINATE: _procrastinate}
        yield {
            name: stack.enter_context(start(python, stamp))
            for name, start in started.items()
            if python is not None and name not in lacking
        }


@contextmanager
def _taskiq(python: str, stamp: Path) -> Generator[Peer, None, None]:
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-redis-") as name:
        folder, port = Path(name), free_port()
        server: Command = [_found("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        module = "benchmarks.peer.with_taskiq"
        worker = ["-m", "taskiq", "worker", f"{module}:broker", "--workers", "1", "--max-async-tasks", str(SLOTS)]
        sides = _Sides(python, folder, stamp, {"FFMESH_BENCH_REDIS": f"redis://127.0.0.1:{port}"})
        with _running(server, folder / "server.log"):
            _wait_until(lambda: b"Ready to accept" in (folder / "server.log").read_bytes(), folder / "server.log")
            with sides.worker(*worker, "--log-level", "WARNING"), sides.submitter(module) as peer:
                yield peer


@contextmanager
def _procrastinate(python: str, stamp: Path) -> Generator[Peer, None, None]:
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-postgres-") as name, tempfile.TemporaryDirectory() as own:
        folder, port, user = Path(name), free_port(), UNPRIVILEGED if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(folder, user)
        made: Command = [_found("initdb"), "-A", "trust", "-U", "bench", "-E", "UTF8", "-D", folder / "data"]
        subprocess.run(
            made, check=True, cwd=folder, user=user, extra_groups=_no_groups(user), stdout=subprocess.DEVNULL
        )
        server: Command = [_found("postgres"), "-D", folder / "data", "-p", str(port), "-k", folder]
        module = "benchmarks.peer.with_procrastinate"
        database = f"host=127.0.0.1 port={port} user=bench dbname=postgres"
        sides = _Sides(python, Path(own), stamp, {"FFMESH_BENCH_POSTGRES": database})
        command = ["-m", "procrastinate", "--app", f"{module}.app"]
        with _running([*server, "-c", "listen_addresses=127.0.0.1"], Path(own, "server.log"), user=user):
            _wait_until(lambda: b"is ready to accept" in Path(own, "server.log").read_bytes(), Path(own, "server.log"))
            output([python, *command, "schema", "--apply"], cwd=CHECKOUT, env=sides.environment)
            with sides.worker(*command, "worker", "--concurrency", str(SLOTS)), sides.submitter(module) as peer:
                yield peer


class _Sides:
    """The two Python processes of a peer."""

    def __init__(self, python: str, folder: Path, stamp: Path, server: Mapping[str, str]) -> None:
        self._python = python
        self._folder = folder
        self._ends = folder / "ends"
        self._ends.write_bytes(b"")
        ours = {"FFMESH_BENCH_ENDS": str(self._ends), "FFMESH_BENCH_STAMP": str(stamp)}
        self.environment = {**os.environ, **ours, **server}

    @contextmanager
    def worker(self, *words: str) -> Generator[None, None, None]:
        with _running([self._python, *words], self._folder / "worker.log", env=self.environment):
            yield

    @contextmanager
    def submitter(self, module: str) -> Generator[Peer, None, None]:
        """Once a first job has been done, so that the worker is there."""
        with (self._folder / "submitter.log").open("wb") as said:
            process = subprocess.Popen(
                [self._python, "-m", module],
                cwd=CHECKOUT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                raise SystemExit(f"{module} is not ready: {(self._folder / 'submitter.log').read_text()}")
            peer = Peer(process, self._ends)
            peer.burst(1)
            yield peer
        finally:
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()
            ended(process)


@contextmanager
def _running(
    command: Command, log: Path, *, env: Mapping[str, str] | None = None, user: str | None = None
) -> Generator[None, None, None]:
    """In a session of its own, so that what it started itself ends with it."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=env,
            user=user,
            extra_groups=_no_groups(user),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield
    finally:
        ended(process)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _no_groups(user: str | None) -> list[int] | None:
    return [] if user is not None else None


def _wait_until(ready: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > until:
            raise SystemExit(f"a peer's server is not ready: {log.read_text(errors='replace')}")
        time.sleep(LOOK_AGAIN)


def _program(name: str) -> str | None:
    versions = sorted(Path(POSTGRES_FOLDERS).glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *map(str, versions))))


def _found(name: str) -> str:
    found = _program(name)
    assert found is not None, "`missing` has looked for it"
    return found

"""A whole mesh for one test: `ffmesh up` as a process of its own, with everything real.

    with mesh_up(tmp_path / "home", "--agents", "2", "--root", f"Films={films}") as mesh:
        done = mesh.ffmesh("run", "--", "ffmpeg", …)
        os.kill(mesh.pid("broker"), signal.SIGKILL)

At the end of the block it is stopped if it still runs, and nothing of it may be left.
"""

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from ffmesh_warden.strays import MARK

READY_SECONDS: Final = 60.0
GONE_SECONDS: Final = 10.0
"""Generous: what is promised is 2 s, and a machine that runs many tests at once is slow."""

COMMAND_SECONDS: Final = 60.0

_OF_TEST: Final = "FFMESH_OF_TEST"
_FFMESH: Final = (sys.executable, "-m", "ffmesh_client")


class RunningMesh:
    """Made by `mesh_up`."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes], mark: str, stderr: Path) -> None:
        self.home = home
        self.process = process
        self.client_toml = home / "client.toml"
        self.watcher_toml = home / "watcher.toml"
        self.seconds_to_ready = 0.0
        self._marks = {f"{_OF_TEST}={mark}".encode()}
        self._stderr = stderr
        self._others: list[subprocess.Popen[bytes]] = []

    def pid(self, part: str) -> int:
        """As `run/PART.pid` says: broker, coordinator, agent-1, …"""
        return int((self.home / "run" / f"{part}.pid").read_text(encoding="ascii"))

    def pids(self) -> dict[str, int]:
        return {file.stem: self.pid(file.stem) for file in (self.home / "run").glob("*.pid")}

    def said(self) -> str:
        """What `up` has said on standard error so far."""
        return self._stderr.read_text(encoding="utf-8", errors="replace")

    def ffmesh(self, *words: str | Path, seconds: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """A command of this mesh's client, to its end."""
        return subprocess.run(
            [*_FFMESH, *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def start(
        self,
        *words: str | Path,
        cwd: Path | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """A command of this mesh's client that goes on meanwhile. What still runs at the end of the block is killed."""
        command = subprocess.Popen(
            [*_FFMESH, *words], cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        self._others.append(command)
        return command

    @property
    def environment(self) -> dict[str, str]:
        """For a client of this mesh."""
        return os.environ | {"FFMESH_CONFIG": str(self.client_toml)}

    def living(self) -> dict[int, str]:
        """All processes of the mesh, wardens and programs too, and what they are called."""
        return {pid: _called(pid) for pid in _all_processes() if self._is_ours(pid)}

    def warden_of(self, pid: int) -> int:
        """The warden that this process of the mesh has started."""
        wardens = [child for child in _children(pid) if "ffmesh_warden" in _called(child)]
        assert len(wardens) == 1, wardens
        return wardens[0]

    def wait_until_back(self, part: str, *, other_than: int, seconds: float = GONE_SECONDS) -> int:
        """The part's pid once it is another one."""

        def is_back() -> bool:
            try:
                return self.pid(part) != other_than
            except (FileNotFoundError, ValueError):
                return False

        wait_until(is_back, f"{part} was not started again", seconds)
        return self.pid(part)

    def wait_until_gone(self, seconds: float = GONE_SECONDS) -> float:
        """Returns when nothing of the mesh runs any more: how many seconds that took."""
        began = time.monotonic()
        wait_until(lambda: not self.living(), lambda: f"still there: {self.living()}", seconds)
        return time.monotonic() - began

    @contextmanager
    def nothing_restarted(self) -> Generator[None, None, None]:
        """A part that dies in the block stays dead until its end: whoever would start it again is frozen."""
        with frozen(self.process.pid):
            yield

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(number)
        return self.process.wait(GONE_SECONDS)

    def learn_marks(self) -> None:
        """Programs get an environment of their own, but carry the mark of the wardens that they hang on."""
        for entry in _environment(self.pid("coordinator")):
            if entry.startswith(f"{MARK}=".encode()):
                self._marks.add(entry.partition(b".")[0] + b".")

    def end(self) -> None:
        for each in self._others:
            if each.poll() is None:
                each.kill()
            each.communicate()  # closes its pipes
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GONE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _is_ours(self, pid: int) -> bool:
        return (
            any(entry.startswith(mark) for entry in _environment(pid) for mark in self._marks)
            or str(self.home) in _called(pid)
            or _works_in(pid, self.home)
        )


@contextmanager
def mesh_up(
    home: Path, *options: str | Path, environment: Mapping[str, str] | None = None
) -> Generator[RunningMesh, None, None]:
    """A mesh that is ready. `options` are those of `ffmesh up`."""
    with mesh_starting(home, *options, environment=environment) as mesh:
        began = time.monotonic()
        line = first_line(mesh.process, READY_SECONDS)
        mesh.seconds_to_ready = time.monotonic() - began
        assert line == os.fsencode(f"ready {mesh.client_toml}\n"), (line, mesh.said())
        mesh.learn_marks()
        yield mesh


@contextmanager
def mesh_starting(
    home: Path, *options: str | Path, environment: Mapping[str, str] | None = None
) -> Generator[RunningMesh, None, None]:
    """The same from its first moment, when it is not ready."""
    home = home.absolute()
    mark = uuid.uuid4().hex
    stderr = home.with_name(f"{home.name}.stderr")
    stderr.parent.mkdir(parents=True, exist_ok=True)
    with stderr.open("ab") as file:
        process = subprocess.Popen(
            [*_FFMESH, "up", "--home", home, *options],
            env={**os.environ, **(environment or {}), _OF_TEST: mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
        )
    mesh = RunningMesh(home, process, mark, stderr)
    try:
        yield mesh
    finally:
        mesh.end()
        mesh.wait_until_gone()


def first_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The first line on its standard output, or what there was when that ended or the time was over."""
    assert process.stdout is not None
    descriptor, line, until = process.stdout.fileno(), b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
            break
        read = os.read(descriptor, 4096)
        if not read:
            break
        line += read
    return line


def wait_until(condition: Callable[[], bool], otherwise: str | Callable[[], str], seconds: float) -> None:
    """Looks again and again: for what nobody tells, as in /proc or in a file of another process."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, otherwise if isinstance(otherwise, str) else otherwise()
        time.sleep(0.01)


@contextmanager
def frozen(*pids: int) -> Generator[None, None, None]:
    """SIGSTOP, in force when the block begins, and SIGCONT at its end for those that still live."""
    freeze(*pids)
    try:
        yield
    finally:
        thaw(*pids)


def freeze(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all(_state(pid) in (b"T", b"t") for pid in pids), f"not frozen: {pids}", GONE_SECONDS)


def thaw(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def is_alive(pid: int) -> bool:
    """Whether that process runs; one that nobody has buried yet does not."""
    return _state(pid) not in (b"", b"Z", b"X")


def _state(pid: int) -> bytes:
    """As in /proc; empty: there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return b""


def _all_processes() -> list[int]:
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and int(entry.name) != os.getpid()
    ]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _called(pid: int) -> str:
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip())
    except OSError:
        return ""


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder.resolve())
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()]
    except OSError:
        return []

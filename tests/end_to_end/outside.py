"""A mesh as its users see it: commands, their JSON, topics, files and pids. Nothing here knows what is inside.

    with mesh(folder, "--agents", "2") as mesh:
        job = mesh.submit("--", "sh", "-c", "echo hello")
        mesh.wait(job)

What `up` has started is ended with the block, and with the test's process.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from support.mesh import RunningMesh, is_alive, mesh_up

T = TypeVar("T")

GENEROUS = 90.0
"""Seconds that an event may take on a machine that has other things to do. A limit, never a pause."""

PYTHON = (sys.executable, "-P", "-m")
JOB = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")

Words = Sequence[str | bytes | Path]


def until(look: Callable[[], T | None], what: str, seconds: float = GENEROUS) -> T:
    """What `look` gives, as soon as that is true."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:.0f} s still not so: {what}")
        time.sleep(0.02)


def gone(*pids: int, seconds: float = GENEROUS) -> None:
    until(lambda: not any(map(is_alive, pids)), f"dead: {pids}", seconds)


def number_in(file: Path) -> int:
    """What a program has written, with a line end, into a file: its pid."""

    def look() -> str | None:
        text = file.read_text() if file.exists() else ""
        return text if text.endswith("\n") else None

    return int(until(look, f"a number in {file}"))


def programs_with(name: str, word: str) -> list[int]:
    """The living processes of that program that have this word in their command line. A script of that name is none."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdecimal()
                and (entry / "exe").readlink().name == name
                and os.fsencode(word) in (entry / "cmdline").read_bytes()
                and is_alive(int(entry.name))
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def state_of(pid: int) -> str:
    """A letter, as in /proc: R, S, T (stopped), Z; of one that is gone, nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


class Mesh:
    """Made by `mesh`. Commands run as the client `local`, unless another client.toml is said."""

    def __init__(self, running: RunningMesh) -> None:
        self.running = running
        self.home = running.home
        self.client = running.client_toml

    # --- commands ---

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "FFMESH_CONFIG": str(self.client), **(more or {})}

    def ffmesh(
        self,
        *words: str | bytes | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = GENEROUS,
        stdin: bytes = b"",
        umask: int = -1,
    ) -> "subprocess.CompletedProcess[bytes]":
        """To its end, whatever that is."""
        return subprocess.run(
            [*PYTHON, "ffmesh_client", *words],
            cwd=cwd or self.home,
            env=self.environment(env),
            capture_output=True,
            timeout=timeout,
            input=stdin,
            umask=umask,
            check=False,
        )

    def say(self, *words: str | bytes | Path, env: Mapping[str, str] | None = None) -> str:
        """What a command that must succeed prints."""
        done = self.ffmesh(*words, env=env)
        assert done.returncode == 0, f"{words}: {done.returncode}, {done.stderr.decode()}"
        return done.stdout.decode()

    def json(self, *words: str | bytes | Path) -> Any:
        return json.loads(self.say("--json", *words))

    def begin(
        self,
        *words: str | bytes | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        own_group: bool = False,
    ) -> "subprocess.Popen[bytes]":
        """A command that goes on; see `ending`. `own_group`: as a shell starts its jobs, so that it can be stopped."""
        return subprocess.Popen(
            [*PYTHON, "ffmesh_client", *words],
            cwd=cwd or self.home,
            env=self.environment(env),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0 if own_group else None,
            bufsize=0,  # what a buffer had read ahead, `communicate` would not find again
        )

    # --- jobs ---

    def run(self, *line: str | bytes | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[bytes]":
        return self.ffmesh("run", "--", *line, cwd=cwd)

    def submit(self, *words: str | bytes | Path) -> str:
        """The job's id. `words` are options, `--` and the program."""
        printed = self.say("submit", *words)
        assert JOB.fullmatch(printed.removesuffix("\n")), printed
        return printed.strip()

    def job(self, job: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.json("job", job)
        return shown

    def until_job(self, job: str, *states: str) -> dict[str, Any]:
        """As soon as it is in one of these states."""

        def look() -> dict[str, Any] | None:
            shown = self.job(job)
            return shown if shown["state"] in states else None

        return until(look, f"job {job} is {' or '.join(states)}")

    def wait(self, *jobs: str) -> "subprocess.CompletedProcess[bytes]":
        return self.ffmesh("wait", *jobs)

    def jobs_called(self, title: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json("jobs", "--label", f"title={title}")
        return found

    def agent(self, name: str = "agent-1") -> dict[str, Any]:
        shown: dict[str, Any] = self.json("agent", name)
        return shown

    def until_agent(self, state: str, name: str = "agent-1") -> dict[str, Any]:
        """As soon as it is known, and in that state."""

        def look() -> dict[str, Any] | None:
            shown: list[dict[str, Any]] = self.json("agents")
            return next((agent for agent in shown if (agent["name"], agent["state"]) == (name, state)), None)

        return until(look, f"{name} is {state}")

    # --- processes ---

    def pid(self, part: str) -> int:
        return number_in(self.home / "run" / f"{part}.pid")

    def kill(self, part: str) -> int:
        """SIGKILL; returns the pid that it had, once it is dead."""
        pid = self.pid(part)
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        return pid

    def until_back(self, part: str, before: int) -> None:
        """`up` has started it again."""
        self.running.wait_until_back(part, other_than=before, seconds=GENEROUS)

    # --- files ---

    @property
    def watcher(self) -> dict[str, Any]:
        return tomllib.loads(self.running.watcher_toml.read_text())

    def config(self) -> dict[str, Any]:
        return tomllib.loads(self.client.read_text())


@contextmanager
def mesh(home: Path, *options: str | Path, unfenced: int = 0) -> Generator[Mesh, None, None]:
    """`ffmesh up` with these options, ready. Whoever has ended it must do so within the block; nothing may be left.

    The programs of so many agents, the first ones, have no fence: staged ones that leave signs beside their outputs.
    """
    for number in range(1, unfenced + 1):
        file = home / "agents" / f"agent-{number}" / "agent.toml"
        file.parent.mkdir(parents=True, mode=0o700)
        file.write_text('fence = "off"\n', encoding="ascii")
        file.chmod(0o600)
    with mesh_up(home, *options) as running:
        yield Mesh(running)


@contextmanager
def ending(process: "subprocess.Popen[bytes]") -> Generator["subprocess.Popen[bytes]", None, None]:
    """The process lives no longer than the block."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def taken(process: "subprocess.Popen[bytes]", count: int) -> bytes:
    """The next so many bytes of its standard output; fewer if it ends before."""
    assert process.stdout is not None
    taken = b""
    while len(taken) < count and (block := process.stdout.read(count - len(taken))):
        taken += block
    return taken


def finished(process: "subprocess.Popen[bytes]") -> tuple[int, bytes, bytes]:
    """Exit code and what it wrote."""
    stdout, stderr = process.communicate(timeout=GENEROUS)
    return process.returncode, stdout, stderr

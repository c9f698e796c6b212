"""Jobs that tell what was done with them, for tests that break the mesh on which they run.

Each program writes down that it has started, and ends when it is told. A program that finds an earlier start of the
same job alive writes that down too. What takes its place in the folder is counted by the kernel.
"""

import asyncio
import ctypes
import json
import os
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ulid import ULID

from end_to_end.outside import GENEROUS, Mesh, until
from ffmesh_client import config
from ffmesh_client.mesh import Mesh as Conversation
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind, JobState, JobView
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.messages.requests import Submit

T = TypeVar("T")

ROOT = "Place"
"""The root that every mesh of these tests has: the folder in which its home lies."""

SCRIPT = """
if grep -qs '^State:.[^ZX]' "/proc/$(cat "$0/$1.pid" 2>/dev/null)/status"; then echo "$1" >> "$0/at once"; fi
echo $$ > "$0/$1.pid"
echo "$1" >> "$0/ran"
if [ -n "$2" ]; then echo "begun by $$" > "$2"; fi
while [ ! -e "$0/let $1 go" ] && [ ! -e "$0/let all go" ]; do sleep 0.1; done
if [ -n "$2" ]; then echo "ended by $$" >> "$2"; fi
echo "$1" >> "$0/over"
"""
"""$0 is the folder, $1 the job's name, $2 its output, if it has one."""

MOVED_TO = 0x80


class Wish(NamedTuple):
    name: str
    kind: JobKind = JobKind.DIRECT
    on: str | None = None
    tries: int = 1
    after: tuple[str, ...] = ()
    """By name."""
    weight: int = 0
    """Letters that its program does not look at."""


class Company:
    """Jobs in one folder, by name. Speaks to the mesh as its client `local`."""

    def __init__(self, running: Mesh, place: Path) -> None:
        self.running = running
        self.place = place
        self.ids: dict[str, str] = {}
        self._kinds: dict[str, JobKind] = {}
        self._arrivals = _Arrivals(place)

    # --- asking ---

    def hand_in(self, *wishes: Wish) -> None:
        """Returns when they are accepted, in this order."""
        submits = self.submits(*wishes)

        async def handed_in(mesh: Conversation) -> None:
            for each in submits:
                await mesh.submit(each)

        conversed(self.running, handed_in)

    def submits(self, *wishes: Wish) -> list[Submit]:
        """Of jobs that are of the company from now on. Somebody else hands them in."""
        return [self._submit(wish) for wish in wishes]

    def forget(self, *names: str) -> None:
        """They were not accepted."""
        for name in names:
            del self.ids[name], self._kinds[name]

    def begin_run(self, name: str, *, on: str | None = None) -> "subprocess.Popen[bytes]":
        """An attached one; see `attached`."""
        words = ("--on", on) if on else ()
        line = ("sh", "-c", SCRIPT, self.place, name, "")
        return self.running.begin("run", *words, "--label", f"title={self.title(name)}", "--", *line)

    def attached(self, name: str, kind: JobKind = JobKind.INTERACTIVE) -> None:
        """A `run` was begun: from when it is known, it is one of the company."""

        async def found(mesh: Conversation) -> JobView | None:
            jobs = (await mesh.jobs(labels={"title": self.title(name)})).jobs
            return jobs[0] if jobs else None

        self._kinds[name] = kind
        self.ids[name] = until(lambda: conversed(self.running, found), f"{name} is known").id

    def views(self) -> dict[str, JobView]:
        """All of them, by name; whoever would answer is waited for."""
        found = conversed(self.running, lambda mesh: mesh.jobs_named(self.ids.values(), patience=None))
        return {name: found[job] for name, job in self.ids.items() if job in found}

    def until_are(self, names: Collection[str], *states: JobState, seconds: float = GENEROUS) -> dict[str, JobView]:
        """As soon as all of these are in one of those states."""

        views: dict[str, JobView] = {}

        def look() -> bool:
            nonlocal views
            views = self.views()
            return all(views[name].state in states for name in names)

        try:
            until(look, "the jobs", seconds)
        except AssertionError:
            others = {name: views[name] for name in names if views[name].state not in states}
            raise AssertionError(f"after {seconds:.0f} s not {' or '.join(states)}: {_told(others)}") from None
        return views

    def until_ended(self, *names: str, seconds: float = GENEROUS) -> dict[str, JobView]:
        """These, or all."""
        ends = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
        return self.until_are(names or tuple(self.ids), *ends, seconds=seconds)

    def title(self, name: str) -> str:
        """By which a command's job is found again."""
        return f"{self.place.name}/{name}"

    # --- programs ---

    def let_go(self, *names: str) -> None:
        """These, or all: they end."""
        for name in names or ("all",):
            (self.place / f"let {'all' if name == 'all' else name} go").touch()

    def until_over(self, *names: str) -> None:
        until(lambda: set(names) <= self.lines("over").keys(), f"the programs of {names} are over")

    def until_runs(self, *names: str) -> None:
        until(lambda: set(names) <= self.lines("ran").keys(), f"the programs of {names} run")

    def program(self, name: str) -> int:
        """The pid of its last start."""
        return int(until(lambda: _text(self.place / f"{name}.pid").strip(), f"{name} has started"))

    def lines(self, file: str) -> Counter[str]:
        """`ran`: each start; `over`: each end; `at once`: each start that found an earlier one alive."""
        return Counter(_text(self.place / file).splitlines())

    # --- what must be so in the end ---

    def check(self, views: Mapping[str, JobView], *, but: Collection[str] = ()) -> None:
        """All succeeded but those; nothing ran more often than it was granted, nor what writes in place at once with
        itself; what writes aside is in its place, once and whole, and nothing is left beside it."""
        ran, at_once = self.lines("ran"), self.lines("at once")
        told = _told(views)
        assert {name for name, view in views.items() if view.state is not JobState.SUCCEEDED} == set(but), told
        for name, view in views.items():
            assert ran[name] <= len(view.attempts), (name, ran, told)
            assert ran[name] >= (view.state is JobState.SUCCEEDED), (name, ran, told)
            if self._kinds[name] is not JobKind.STAGED:
                assert at_once[name] == 0, (name, told)
        staged = {name for name, kind in self._kinds.items() if kind is JobKind.STAGED} - set(but)
        assert self._arrivals.counted() == Counter(f"{name}.out" for name in staged), told
        for name in staged:
            begun, ended = (self.place / f"{name}.out").read_text().splitlines()
            assert begun.removeprefix("begun by ") == ended.removeprefix("ended by "), name
        self.until_nothing_is_aside()

    def until_nothing_is_aside(self) -> None:
        until(lambda: not [*self.place.glob(".ffmesh-*")], "nothing stands aside any more")

    # --- inside ---

    def _submit(self, wish: Wish) -> Submit:
        self._kinds[wish.name] = wish.kind
        job = self.ids[wish.name] = str(ULID())
        folder = self.place.relative_to(self.running.home.parent)
        output = RootPath(root=ROOT, path=f"{folder}/{wish.name}.out")
        is_staged = wish.kind is JobKind.STAGED
        place = RootPath(root=ROOT, path=f"{folder}")
        return Submit(
            job=job,
            kind=wish.kind,
            program="sh",
            args=(("-c",), (SCRIPT,), (place,), (wish.name,), (output if is_staged else "",), ("x" * wish.weight,)),
            cwd=None,
            env={},
            umask=0o022,
            stdin_is_terminal=False,
            needs=Needs(program="sh", roots=(ROOT,), on=wish.on),
            priority=0,
            timeout_seconds=None,
            labels={"title": wish.name},
            after=tuple(self.ids[name] for name in wish.after),
            max_attempts=wish.tries,
            outputs=(output,) if is_staged else (),
        )


def conversed(running: Mesh, action: Callable[[Conversation], Awaitable[T]]) -> T:
    """What the action gives, as the mesh's client `local`."""

    async def conversation() -> T:
        async with Conversation.connected(config.load(running.client)) as mesh:
            return await action(mesh)

    return asyncio.run(conversation())


def until_online(running: Mesh, *names: str) -> None:
    def look() -> bool:
        agents = conversed(running, lambda mesh: mesh.agents())
        return set(names) <= {agent.name for agent in agents if agent.state is AgentState.ONLINE}

    until(look, f"{names} are online")


# --- the disk of an agent ---


def agent_home(running: Mesh, agent: str) -> Path:
    return running.home / "agents" / agent


def until_kept(home: Path, job: str) -> None:
    """The agent has the result of that job on its disk."""
    until(lambda: _notes(home / "spool", job), f"{home.name} keeps the result of {job}")


def until_stage(home: Path, job: str, stage: str) -> None:
    """The agent's own note of what that job has written aside says so."""
    until(lambda: any(note["stage"] == stage for note in _notes(home / "staged", job)), f"{job} is {stage}")


def until_all_settled(home: Path) -> None:
    """It keeps nothing of any job any more."""
    until(lambda: not [*home.glob("spool/*.json"), *home.glob("staged/*.json")], f"{home.name} keeps nothing")


def _notes(folder: Path, job: str) -> list[Any]:
    found: list[Any] = []
    for line in [line for file in folder.glob("*.json") for line in _text(file).splitlines()]:
        note: dict[str, Any] = json.loads(line)
        result: dict[str, Any] = note.get("result") or {}
        if job in (note.get("job"), result.get("job")):
            found.append(note)
    return found


# --- the moment between a permission and its rename ---

NO_STRACE = "the moment of a rename cannot be held here: strace is not installed, or may not look at processes"


@contextmanager
def held_rename(pid: int, company: Company, name: str) -> "Generator[subprocess.Popen[bytes] | None, None, None]":
    """That process stops at its rename of this job's output, before the kernel begins it, until the block ends or the
    tracer is killed. None: there is no way here."""
    (hidden,) = until(lambda: [*company.place.glob(f".ffmesh-*/{name}.out")], f"{name} is made")
    calls = "rename,renameat,renameat2"
    strace = shutil.which("strace")
    if strace is None:
        yield None
        return
    said = company.place / f"strace of {name}"
    # Renames go by descriptors of the folders: what is known of one is its folder.
    line: list[str | Path] = [strace, "-f", "-p", f"{pid}", "-P", hidden, "-P", hidden.parent, "-e", f"trace={calls}"]
    with (
        said.open("wb") as stderr,
        subprocess.Popen(
            [*line, "-e", f"inject={calls}:delay_enter=600s"], stdin=subprocess.DEVNULL, stderr=stderr
        ) as tracer,
    ):
        try:
            until(lambda: b"attached" in said.read_bytes() or tracer.poll() is not None, "strace has begun")
            yield tracer if tracer.poll() is None else None
        finally:
            tracer.kill()


def until_at_its_rename(company: Company, name: str) -> None:
    until(lambda: "rename" in _text(company.place / f"strace of {name}"), f"{name} is about to take its place")


class _Arrivals:
    """What has taken its place in a folder by a rename, each time."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        watch: int = libc.inotify_add_watch(self._descriptor, os.fsencode(folder), MOVED_TO)
        assert min(self._descriptor, watch) >= 0, os.strerror(ctypes.get_errno())
        self._counted = Counter[str]()

    def __del__(self) -> None:
        os.close(self._descriptor)

    def counted(self) -> Counter[str]:
        try:
            events = os.read(self._descriptor, 1 << 20)
        except BlockingIOError:
            events = b""
        while events:
            _watch, _mask, _cookie, length = struct.unpack_from("iIII", events)
            self._counted[os.fsdecode(events[16 : 16 + length].rstrip(b"\0"))] += 1
            events = events[16 + length :]
        return self._counted


def _told(views: Mapping[str, JobView]) -> str:
    """One line each."""
    lines = [""]
    for name, view in views.items():
        attempts = ", ".join(f"{each.state} on {each.agent}" for each in view.attempts)
        lines.append(f"{name}: {view.state}, {view.reason_code}, {view.reason}; {attempts}")
    return "\n".join(lines)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""

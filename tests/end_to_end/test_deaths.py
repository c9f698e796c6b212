"""A part of the mesh is killed while jobs run. `up` has it back, and what was promised holds."""

import hashlib
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import GENEROUS, Mesh, ending, finished, gone, mesh, number_in, taken, until
from end_to_end.watching import P, watching

STREAMED = shlex.split("-v error -re -f lavfi -i testsrc2=size=320x180:rate=25 -t 4 -f rawvideo -pix_fmt yuv420p -")
"""8.6 MB in four seconds, the same bytes at each run."""

AT_ONCE = [word for word in STREAMED if word != "-re"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("deaths")
    options = ("--agents", "2", "--slots", "2", "--root", f"Place={folder}", "--program", "sh")
    with mesh(folder / "home", *options) as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def bytes_of_ffmpeg() -> bytes:
    return subprocess.run(["ffmpeg", *AT_ONCE], capture_output=True, check=True, timeout=GENEROUS).stdout


class ThreeJobs:
    """One `run` that streams, and two that were handed in: one ends with 0, the other with 7, each when it is told."""

    SCRIPT = 'echo $1 >> "$0/ran"; while [ ! -e "$0/let $1 go" ]; do sleep 0.02; done; echo $1 >> "$0/over"; exit $1'

    def __init__(self, running: Mesh, place: Path, *, on: str | None = None) -> None:
        self.running = running
        self.place = place
        words = ("--on", on) if on else ()
        self.submitted = {
            code: running.submit(*words, "--", "sh", "-c", self.SCRIPT, place, f"{code}") for code in (0, 7)
        }
        for job in self.submitted.values():
            running.until_job(job, "running")
        script = 'echo stream >> "$0/ran"; exec ffmpeg "$@"'
        self.command = running.begin("run", "--label", f"title={place}", "--", "sh", "-c", script, place, *STREAMED)
        self.first = taken(self.command, 100_000)

    def let_go(self, code: int) -> None:
        (self.place / f"let {code} go").touch()
        until(lambda: f"{code}" in self.lines("over"), f"the program that ends with {code} is over")

    def all_came_whole_and_ran_once(self, expected: bytes) -> None:
        code, rest, stderr = finished(self.command)
        assert (code, stderr) == (0, b"")
        assert len(self.first + rest) == len(expected)
        assert hashlib.sha256(self.first + rest).digest() == hashlib.sha256(expected).digest()
        for expected_code, job in self.submitted.items():
            assert self.running.wait(job).returncode == expected_code
            assert len(self.running.job(job)["attempts"]) == 1
        (streamed,) = self.running.jobs_called(str(self.place))
        assert (streamed["state"], len(streamed["attempts"])) == ("succeeded", 1)
        assert sorted(self.lines("ran")) == ["0", "7", "stream"]
        assert sorted(self.lines("over")) == ["0", "7"]

    def lines(self, name: str) -> list[str]:
        file = self.place / name
        return file.read_text().split() if file.exists() else []


def test_three_jobs_survive_the_death_of_the_broker(running: Mesh, place: Path, bytes_of_ffmpeg: bytes) -> None:
    """It forgets all that it kept. One job ends while it is away, one later, and one streams through it all."""
    jobs = ThreeJobs(running, place)
    with ending(jobs.command):
        dead = running.kill("broker")
        jobs.let_go(7)
        running.until_back("broker", dead)
        with watching(running) as watcher:
            watcher.until_says(f"{P}/coordinator/status", state="online")
            for name in ("agent-1", "agent-2"):
                watcher.until_says(f"{P}/agents/{name}/status", state="online")
                watcher.until_says(f"{P}/agents/{name}/advert", tried=False)
                watcher.until_says(f"{P}/agents/{name}/advert/programs", tried=False)
                watcher.until_says(f"{P}/coordinator/agents/{name}", name=name, state="online")
            watcher.until_says(f"{P}/coordinator/jobs/{jobs.submitted[0]}", state="running")
            watcher.until_says(f"{P}/coordinator/summary", agents_online=2)
            jobs.let_go(0)
            jobs.all_came_whole_and_ran_once(bytes_of_ffmpeg)
            watcher.until(lambda now: not _jobs_in(now.topics()), "no ended job is retained")


def test_three_jobs_survive_the_death_of_the_coordinator(running: Mesh, place: Path, bytes_of_ffmpeg: bytes) -> None:
    jobs = ThreeJobs(running, place)
    with ending(jobs.command), watching(running) as watcher:
        life = watcher.until_says(f"{P}/coordinator/status", state="online")["life"]
        dead = running.kill("coordinator")
        jobs.let_go(7)
        watcher.until_says(f"{P}/coordinator/status", state="offline", life=life)
        running.until_back("coordinator", dead)
        new = watcher.until_says(f"{P}/coordinator/status", state="online")["life"]
        assert new != life
        jobs.let_go(0)
        jobs.all_came_whole_and_ran_once(bytes_of_ffmpeg)
        watcher.until(lambda now: not _jobs_in(now.topics()), "no ended job is retained")


def test_the_jobs_of_a_killed_agent_are_lost_and_no_others(running: Mesh, place: Path) -> None:
    """Its programs die with it, its clients are told at once, and its next life takes new work."""
    script = 'echo $$ > "$0/$1.pid"; while [ ! -e "$0/go" ]; do sleep 0.05; done; exit 7'

    def on(agent: str, name: str) -> tuple[str | Path, ...]:
        return ("--on", agent, "--", "sh", "-c", script, place, name)

    theirs = running.submit(*on("agent-2", "theirs"))
    direct = running.submit(*on("agent-1", "direct"))
    attached = running.begin("run", "--label", f"title={place}", *on("agent-1", "attached"))
    with ending(attached), watching(running) as watcher:
        programs = [number_in(place / f"{name}.pid") for name in ("direct", "attached")]
        (shown,) = running.jobs_called(str(place))
        lost = (direct, shown["id"])
        for job in (*lost, theirs):
            watcher.until_says(f"{P}/coordinator/jobs/{job}", state="running")
        dead = running.kill("agent-1")
        gone(*programs)
        code, stdout, stderr = finished(attached)
        assert (code, stdout, stderr.count(b"\n")) == (1, b"", 1)
        assert b"lost" in stderr
        assert running.wait(direct).returncode == 1
        for job in lost:
            shown = running.job(job)
            assert (shown["state"], shown["reason_code"], shown["exit_code"]) == ("failed", "lost", None)
            assert [attempt["state"] for attempt in shown["attempts"]] == ["lost"]
        watcher.until(lambda now: not {job for job in lost if job in _jobs_in(now.topics())}, "they are cleared")
        running.until_back("agent-1", dead)
        running.until_agent("online", "agent-1")
        assert running.ffmesh("run", "--on", "agent-1", "--", "sh", "-c", "echo again").stdout == b"again\n"
        assert running.job(theirs)["state"] == "running"
        (place / "go").touch()
        assert running.wait(theirs).returncode == 7


def test_what_a_killed_agent_said_of_its_progress_is_cleared(running: Mesh, place: Path) -> None:
    line = shlex.split("ffmpeg -v error -re -f lavfi -i testsrc=size=64x64:rate=25 -f null -")
    job = running.submit("--on", "agent-1", "--", *line)
    topic = f"{P}/agents/agent-1/progress/{job}"
    with watching(running) as watcher:
        watcher.until(lambda now: now.last(topic), "its progress")
        running.until_back("agent-1", running.kill("agent-1"))
        assert running.wait(job).returncode == 1
        watcher.until(lambda now: topic not in now.topics(), "it is cleared")


def test_an_agent_whose_warden_is_killed_loses_its_jobs_and_comes_back(running: Mesh, place: Path) -> None:
    script = 'echo $$ > "$0/pid"; while :; do sleep 0.05; done'
    job = running.submit("--on", "agent-1", "--", "sh", "-c", script, place)
    program = number_in(place / "pid")
    agent = running.pid("agent-1")
    os.kill(running.running.warden_of(agent), signal.SIGKILL)
    gone(program)
    running.until_back("agent-1", agent)
    assert running.wait(job).returncode == 1
    assert running.job(job)["reason_code"] == "lost"
    assert running.ffmesh("run", "--on", "agent-1", "--", "sh", "-c", "echo again").stdout == b"again\n"


def test_a_result_that_nobody_could_hear_is_told_later(running: Mesh, place: Path) -> None:
    """The job ends while neither the coordinator nor the broker is there."""
    script = 'echo ran >> "$0/ran"; while [ ! -e "$0/go" ]; do sleep 0.02; done; touch "$0/over"; exit 9'
    job = running.submit("--", "sh", "-c", script, place)
    running.until_job(job, "running")
    dead = {part: running.kill(part) for part in ("coordinator", "broker")}
    (place / "go").touch()
    until(lambda: (place / "over").exists(), "the program is over")
    for part, pid in dead.items():
        running.until_back(part, pid)
    assert running.wait(job).returncode == 9
    assert ((place / "ran").read_text(), len(running.job(job)["attempts"])) == ("ran\n", 1)


def test_what_waited_in_the_queue_runs_after_the_death_of_the_coordinator(running: Mesh, place: Path) -> None:
    """Accepted is accepted: it was on the disk before the id was printed."""
    hold = 'while [ ! -e "$0/go" ]; do sleep 0.05; done'
    blocking = [running.submit("--", "sh", "-c", hold, place) for _ in range(4)]
    waiting = [running.submit("--", "sh", "-c", 'echo $1 >> "$0/ran"', place, f"{number}") for number in range(5)]
    dead = running.kill("coordinator")
    running.until_back("coordinator", dead)
    assert [running.job(job)["state"] for job in waiting] == ["queued"] * 5
    (place / "go").touch()
    assert running.wait(*blocking, *waiting).returncode == 0
    assert sorted((place / "ran").read_text().split()) == ["0", "1", "2", "3", "4"]


def test_a_drained_agent_stays_drained_when_it_and_the_coordinator_die(running: Mesh, place: Path) -> None:
    running.say("drain", "agent-2")
    job = running.submit("--on", "agent-2", "--", "sh", "-c", 'touch "$0/ran"', place)
    for part in ("agent-2", "coordinator"):
        running.until_back(part, running.kill(part))
        running.until_agent("draining", "agent-2")
        assert (running.job(job)["state"], (place / "ran").exists()) == ("queued", False)
    running.say("resume", "agent-2")
    assert running.wait(job).returncode == 0


def test_wait_goes_on_through_the_deaths_of_broker_and_coordinator(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", 'while [ ! -e "$0/go" ]; do sleep 0.02; done; exit 5', place)
    running.until_job(job, "running")
    with ending(running.begin("wait", "--json", job)) as waiting:
        for part in ("broker", "coordinator"):
            running.until_back(part, running.kill(part))
        running.until_job(job, "running")
        (place / "go").touch()
        code, stdout, _ = finished(waiting)
        assert (code, [each["exit_code"] for each in json.loads(stdout)]) == (5, [5])


def _jobs_in(topics: set[str]) -> set[str]:
    return {topic.rpartition("/")[2] for topic in topics if topic.startswith(f"{P}/coordinator/jobs/")}

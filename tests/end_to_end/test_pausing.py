"""What somebody waits for lets what nobody waits for stand still, on a real mesh with the real ffmpeg."""

import hashlib
import subprocess
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from end_to_end.outside import Mesh, ending, finished, mesh, programs_with, state_of, taken, until

SECONDS = 5
"""How long a batch encode takes at least, wherever it runs: it reads no faster than the film plays."""

PICTURE = ("-f", "lavfi", "-i", f"testsrc=size=128x72:rate=25:duration={SECONDS}")
SAME_EACH_TIME = ("-c:v", "libx264", "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "matroska")
WAITS = 'echo began; while [ ! -e "$0/go" ]; do sleep 0.02; done; echo done'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("pausing")
    (folder / "films").mkdir()
    with mesh(folder / "home", "--root", f"Films={folder / 'films'}", "--program", "sh") as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / "films" / tmp_path.name
    folder.mkdir()
    return folder


def encode(output: Path) -> tuple[str | Path, ...]:
    return ("ffmpeg", "-v", "error", "-re", *PICTURE, *SAME_EACH_TIME, output)


def hash_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", [(), ("--staged",)])
def test_a_batch_encode_stands_still_while_an_interactive_job_runs_and_its_output_is_the_same(
    kind: tuple[str, ...], running: Mesh, place: Path
) -> None:
    expected, output = place / "expected.mkv", place / "output.mkv"
    subprocess.run([*encode(expected)], check=True, stdin=subprocess.DEVNULL)
    job = running.submit(*kind, "--", *encode(output))
    (batch,) = until(lambda: programs_with("ffmpeg", place.name), "the batch encode runs")
    with ending(running.begin("run", "--", "sh", "-c", WAITS, place)) as command:
        assert taken(command, 6) == b"began\n"
        until(lambda: state_of(batch) == "T", "the batch encode stands still while the interactive job runs")
        shown = until(lambda: view if (view := running.job(job))["paused"] else None, "the job says so")
        assert (shown["state"], shown["reason_code"]) == ("running", "paused")
        assert shown["reason"] == "paused on agent-1: an interactive job has its slot"
        agent = running.agent()
        assert (agent["paused"], agent["slots"]["cpu"]) == ([job], {"total": 1, "used": 1})
        assert state_of(batch) == "T"
        (place / "go").touch()
        assert finished(command)[:2] == (0, b"done\n")
    assert running.wait(job).returncode == 0
    shown = running.job(job)
    assert (shown["state"], shown["paused"], len(shown["attempts"])) == ("succeeded", False, 1)
    assert hash_of(output) == hash_of(expected)


def test_a_batch_job_that_stands_still_can_be_cancelled(running: Mesh, place: Path) -> None:
    job = running.submit("--", *encode(place / "output.mkv"))
    (batch,) = until(lambda: programs_with("ffmpeg", place.name), "the batch encode runs")
    with ending(running.begin("run", "--", "sh", "-c", WAITS, place)) as command:
        assert taken(command, 6) == b"began\n"
        until(lambda: state_of(batch) == "T", "the batch encode stands still")
        running.say("cancel", job)
        assert running.wait(job).returncode == 130
        (place / "go").touch()
        assert finished(command)[0] == 0


def test_of_twelve_jobs_on_two_slots_no_more_than_two_programs_run_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    mark = f"comment={tmp_path.name}"
    picture = ("-re", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=2")
    line = ("ffmpeg", "-v", "error", "-nostdin", *picture, "-metadata", mark, "-c:v", "mpeg4", "-f", "null", "-")
    options = ("--slots", "2", "--root", f"Films={tmp_path / 'films'}")
    with mesh(tmp_path / "home", *options) as running, counted("ffmpeg", mark) as counts, ExitStack() as open_runs:
        jobs = [running.submit("--", *line) for _ in range(8)]
        runs = [open_runs.enter_context(ending(running.begin("run", "--", *line))) for _ in range(4)]
        assert [finished(each)[0] for each in runs] == [0, 0, 0, 0]
        assert running.wait(*jobs).returncode == 0
        assert len(jobs) + len(runs) == 12
    assert max(counts) == 2


@contextmanager
def counted(name: str, word: str) -> Generator[list[int], None, None]:
    """How many programs ran at one moment, not stopped, again and again."""
    counts: list[int] = []
    over = threading.Event()

    def going() -> set[int]:
        return {pid for pid in programs_with(name, word) if state_of(pid) not in ("T", "Z", "")}

    def count() -> None:
        while not over.is_set():
            # Who is in the first look and in the second ran all the while between them.
            counts.append(len(going() & going()))

    counting = threading.Thread(target=count)
    counting.start()
    try:
        yield counts
    finally:
        over.set()
        counting.join()


@pytest.mark.parametrize("kind", [(), ("--staged",)])
def test_a_job_whose_agent_is_stopped_is_done_by_another_at_once(kind: tuple[str, ...], tmp_path: Path) -> None:
    (films := tmp_path / "films").mkdir()
    with mesh(tmp_path / "home", "--agents", "2", "--root", f"Films={films}") as running:
        job = running.submit(*kind, "--", "ffmpeg", "-y", *encode(films / "output.mkv")[1:])
        (first,) = until(lambda: programs_with("ffmpeg", tmp_path.name), "it runs")
        agent = running.until_job(job, "running")["agent"]
        assert running.json("stop", agent)["manner"] == "stop"
        until(lambda: set(programs_with("ffmpeg", tmp_path.name)) - {first}, "it runs elsewhere")
        assert running.wait(job).returncode == 0
        lost, done = running.job(job)["attempts"]
        assert (lost["agent"], lost["state"], done["state"]) == (agent, "lost", "succeeded")
        assert lost["reason"] == f"somebody has stopped agent {agent}"
        assert done["agent"] != agent
        expected = tmp_path / "expected.mkv"
        subprocess.run([*encode(expected)], check=True, stdin=subprocess.DEVNULL)
        assert hash_of(films / "output.mkv") == hash_of(expected)

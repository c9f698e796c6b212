"""However `run` ends, its program ends; and however its program ends, `run` says so."""

import shlex
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import (
    GENEROUS,
    PYTHON,
    Mesh,
    ending,
    finished,
    gone,
    mesh,
    number_in,
    programs_with,
    state_of,
    taken,
    until,
)
from ffmesh_protocol.times import CLIENT_SILENCE, KEEPALIVE

ENDLESS = shlex.split("-re -f lavfi -i testsrc=size=64x64:rate=25 -metadata")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("ends")
    with mesh(folder / "home", "--slots", "4", "--root", f"Place={folder}", "--program", "sh") as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


def test_a_killed_run_takes_its_ffmpeg_with_it(running: Mesh, place: Path) -> None:
    with _endless(running, place) as (command, ffmpeg, job):
        command.send_signal(signal.SIGKILL)
        gone(ffmpeg)
        assert running.until_job(job, "cancelled")["reason_code"] == "client_gone"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_is_ffmpegs_and_so_is_the_end_that_it_comes_to(
    running: Mesh, place: Path, number: signal.Signals
) -> None:
    with _endless(running, place) as (command, ffmpeg, job):
        command.send_signal(number)
        assert finished(command)[0] == 255
        gone(ffmpeg)
        assert running.until_job(job, "failed")["exit_code"] == 255


def test_each_of_many_signals_reaches_the_program_once_and_in_order(running: Mesh, place: Path) -> None:
    script = """
trap 'echo INT; seen=$((seen+1))' INT; trap 'echo TERM; seen=$((seen+1))' TERM; trap 'echo HUP; seen=$((seen+1))' HUP
seen=0; echo ready; while [ $seen -lt 6 ]; do sleep 0.02; done; exit 9
"""
    with ending(running.begin("run", "--", "sh", "-c", script)) as command:
        assert taken(command, 6) == b"ready\n"
        for name in ("INT", "TERM", "INT", "HUP", "INT", "TERM"):
            command.send_signal(signal.Signals[f"SIG{name}"])
            assert taken(command, len(name) + 1).decode() == f"{name}\n"
        assert finished(command)[:2] == (9, b"")  # the shell tells of each `sleep` that went with them


def test_a_program_that_a_signal_of_ours_has_killed_gives_128_and_its_number(running: Mesh, place: Path) -> None:
    with ending(running.begin("run", "--", "sh", "-c", "echo ready; exec sleep 1000")) as command:
        assert taken(command, 6) == b"ready\n"
        command.send_signal(signal.SIGHUP)
        assert finished(command) == (128 + signal.SIGHUP, b"", b"")


def test_a_stopped_run_stops_its_program_and_one_that_goes_on_lets_it_go_on(running: Mesh, place: Path) -> None:
    script = 'echo $$ > "$0/pid"; while [ ! -e "$0/go" ]; do sleep 0.02; done; echo to its end'
    with ending(running.begin("run", "--", "sh", "-c", script, place, own_group=True)) as command:
        program = number_in(place / "pid")
        command.send_signal(signal.SIGTSTP)
        until(lambda: state_of(program) in {"T", "D"}, "the program is stopped")
        until(lambda: state_of(command.pid) == "T", "run is stopped")
        (place / "go").touch()
        command.send_signal(signal.SIGCONT)
        assert finished(command) == (0, b"to its end\n", b"")


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_that_our_parent_ignores_ends_nothing(running: Mesh, place: Path, name: str) -> None:
    number = signal.Signals[f"SIG{name}"]
    script = 'touch "$0/runs"; while [ ! -e "$0/go" ]; do sleep 0.02; done; echo to its end'
    ours: list[str | Path] = [*PYTHON, "ffmesh_client", "run", "--", "sh", "-c", script, place]
    command = subprocess.Popen(
        ["sh", "-c", f'trap "" {name}; exec "$@"', "sh", *ours],
        env=running.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with ending(command):
        until((place / "runs").exists, "the program runs")
        assert _ignores(command.pid, number)
        command.send_signal(number)
        (place / "go").touch()
        assert finished(command) == (0, b"to its end\n", b"")


def test_a_run_that_stays_stopped_longer_than_anybody_may_be_silent_still_goes_on(running: Mesh, place: Path) -> None:
    script = 'echo $$ > "$0/pid"; while [ ! -e "$0/go" ]; do sleep 0.02; done; echo to its end'
    with ending(running.begin("run", "--", "sh", "-c", script, place, own_group=True)) as command:
        program = number_in(place / "pid")
        command.send_signal(signal.SIGTSTP)
        until(lambda: state_of(command.pid) == "T", "run is stopped")
        # Time enough for the broker, the agent and the coordinator to miss somebody.
        running.say("run", "--", "sh", "-c", f"sleep {KEEPALIVE * 1.5 + CLIENT_SILENCE}")
        assert state_of(program) in {"T", "D"}, "D: it waits for a `sleep` that was stopped before it began"
        (place / "go").touch()
        command.send_signal(signal.SIGCONT)
        assert finished(command) == (0, b"to its end\n", b"")


def test_a_stopped_run_that_is_killed_takes_its_program_with_it(running: Mesh, place: Path) -> None:
    script = 'echo $$ > "$0/pid"; while :; do sleep 0.1; done'
    with ending(running.begin("run", "--", "sh", "-c", script, place, own_group=True)) as command:
        program = number_in(place / "pid")
        command.send_signal(signal.SIGTSTP)
        until(lambda: state_of(command.pid) == "T", "run is stopped")
        command.kill()
        gone(program)


def _ignores(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_run_whose_reader_has_left_ends_its_program(running: Mesh, place: Path) -> None:
    """As in `ffmesh run -- ffmpeg … | head -c 100`: with ffmpeg's own words and exit code."""
    line = ["ffmpeg", "-v", "error", *ENDLESS, f"comment={place}", "-f", "rawvideo", "-"]
    with ending(running.begin("run", "--label", f"title={place}", "--", *line)) as command:
        assert len(taken(command, 100)) == 100
        assert command.stdout is not None
        programs = programs_with("ffmpeg", str(place))
        command.stdout.close()
        assert command.stderr is not None
        assert b"Broken pipe" in command.stderr.read()
        assert command.wait(GENEROUS) == 1
        gone(*programs)
        assert running.until_job(_only(running, place), "failed")["exit_code"] == 1


def test_a_program_that_dies_of_a_closed_pipe_gives_141_as_it_would_here(running: Mesh) -> None:
    with ending(running.begin("run", "--", "sh", "-c", "while :; do echo more; done")) as command:
        assert len(taken(command, 100)) == 100
        assert command.stdout is not None
        command.stdout.close()
        assert command.wait(GENEROUS) == 128 + signal.SIGPIPE


def test_a_run_that_somebody_else_cancels_ends_with_130(running: Mesh, place: Path) -> None:
    with _endless(running, place) as (command, ffmpeg, job):
        assert running.ffmesh("cancel", job).returncode == 0
        code, stdout, stderr = finished(command)
        assert (code, stdout) == (130, b"")
        assert stderr.decode().endswith(f"ffmesh: job {job} was cancelled\n")
        gone(ffmpeg)


def test_a_run_that_is_cancelled_before_it_starts_ends_with_130_and_starts_nothing(running: Mesh, place: Path) -> None:
    line = ("sh", "-c", 'touch "$0"', place / "started")
    with ending(
        running.begin("run", "--need", "encoder=of_nobody", "--label", f"title={place}", "--", *line)
    ) as command:
        job = until(lambda: running.jobs_called(str(place)), "it is handed in")[0]["id"]
        running.say("cancel", job)
        assert finished(command)[0] == 130
        assert not (place / "started").exists()


def test_a_run_whose_job_no_agent_can_take_says_why_it_waits(running: Mesh, place: Path) -> None:
    """Ten seconds of silence first, and then one line."""
    words = ("run", "--need", "encoder=of_nobody", "--label", f"title={place}", "--", "sh", "-c", "true")
    with ending(running.begin(*words)) as command:
        assert command.stderr is not None
        said = command.stderr.readline().decode()
        job = running.job(_only(running, place))
        assert said == f"ffmesh: waiting: {job['reason']}\n"
        assert "of_nobody" in said
        running.say("cancel", job["id"])
        assert finished(command)[0] == 130


def test_a_program_that_takes_longer_than_its_timeout_ends_with_124(running: Mesh, place: Path) -> None:
    done = running.ffmesh(
        *("run", "--timeout", "0.3", "--label", f"title={place}", "--"),
        *("sh", "-c", 'echo $$ > "$0"; echo before; while :; do sleep 0.1; done', place / "pid"),
    )
    assert (done.returncode, done.stdout) == (124, b"before\n")
    assert done.stderr.count(b"\n") == 1
    gone(number_in(place / "pid"))
    job = running.job(_only(running, place))
    assert (job["state"], job["reason_code"]) == ("failed", "timed_out")


def test_a_program_that_ignores_sigterm_is_killed(running: Mesh, place: Path) -> None:
    script = 'trap "" TERM; echo $$ > "$0"; while :; do sleep 0.1; done'
    words = ("run", "--label", f"title={place}", "--", "sh", "-c", script, place / "pid")
    with ending(running.begin(*words)) as command:
        program = number_in(place / "pid")
        running.say("cancel", _only(running, place))
        assert finished(command)[0] == 130
        gone(program)


def test_what_a_program_has_started_ends_with_it(running: Mesh, place: Path) -> None:
    script = 'sh -c "echo \\$\\$ > \\"$0\\"; exec sleep 1000" & wait'
    with ending(running.begin("run", "--", "sh", "-c", script, place / "pid")) as command:
        grandchild = number_in(place / "pid")
        command.send_signal(signal.SIGKILL)
        gone(grandchild)


def test_a_submitted_job_does_not_care_that_its_client_is_gone(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", 'while [ ! -e go ]; do sleep 0.02; done; touch "$0"', place / "done")
    running.until_job(job, "running")
    running.ffmesh("cancel", job)
    assert running.wait(job).returncode == 130
    assert not (place / "done").exists()


class _Endless:
    """A `run` of an ffmpeg that never ends by itself: the command, the pid of its ffmpeg, and its job's id."""

    def __init__(self, running: Mesh, place: Path) -> None:
        self._running = running
        self._place = place

    def __enter__(self) -> "tuple[subprocess.Popen[bytes], int, str]":
        running, word = self._running, str(self._place)
        line = ["ffmpeg", "-v", "error", *ENDLESS, f"comment={word}", "-f", "null", "-"]
        self._command = running.begin("run", "--label", f"title={word}", "--", *line)
        try:
            (ffmpeg,) = until(lambda: self._found(word), "ffmpeg runs")
            job = _only(running, self._place)
            running.until_job(job, "running")
        except BaseException:
            self.__exit__()
            raise
        return self._command, ffmpeg, job

    def _found(self, word: str) -> list[int]:
        """Its ffmpeg; one that will never come is not waited for."""
        assert self._command.poll() is None, finished(self._command)
        return programs_with("ffmpeg", word)

    def __exit__(self, *_why: object) -> None:
        with self._command as command:
            command.kill()


def _endless(running: Mesh, place: Path) -> _Endless:
    return _Endless(running, place)


def _only(running: Mesh, place: Path) -> str:
    (job,) = running.jobs_called(str(place))
    found: str = job["id"]
    return found

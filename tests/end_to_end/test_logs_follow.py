"""`ffmesh logs -f`: every line once, from a job that has not begun to its end, whatever is killed meanwhile."""

import json
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import Mesh, ending, finished, mesh, until

SAYS_WHEN_TOLD = r"""
number=1
while [ ! -e "$0/end" ]; do
    if [ -e "$0/go-$number" ]; then
        printf 'line %d\n' "$number" >&2
        touch "$0/said-$number"
        number=$((number + 1))
    else
        sleep 0.02
    fi
done
printf 'the end' >&2
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("follow")
    options = ("--root", f"Place={folder}", "--program", "sh")
    with mesh(folder / "home", *options) as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


def _next_line(command: "subprocess.Popen[bytes]") -> bytes:
    assert command.stdout is not None
    return command.stdout.readline()


def _say(place: Path, number: int) -> None:
    (place / f"go-{number}").touch()
    until((place / f"said-{number}").exists, f"line {number} was said")


def test_lines_come_as_they_are_said_and_it_ends_with_the_job(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", SAYS_WHEN_TOLD, place)
    _say(place, 1)
    with ending(running.begin("logs", "-f", job)) as follow:
        assert _next_line(follow) == b"line 1\n"
        for number in (2, 3, 4):
            _say(place, number)
            assert _next_line(follow) == b"line %d\n" % number
        (place / "end").touch()
        assert finished(follow) == (0, b"the end\n", b"")


def test_a_job_that_waits_for_its_turn_is_waited_for(running: Mesh, place: Path) -> None:
    (place / "first").mkdir()
    first = running.submit("--", "sh", "-c", SAYS_WHEN_TOLD, place / "first")
    running.until_job(first, "running")
    second = running.submit("--", "sh", "-c", "echo at last >&2; exit 3", place)
    with ending(running.begin("logs", "--follow", second, "--json")) as follow:
        (place / "first" / "end").touch()
        code, out, err = finished(follow)
    (line,) = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, b"")
    assert (line["stream"], line["text"], set(line)) == ("stderr", "at last", {"time", "stream", "text"})
    assert running.job(second)["exit_code"] == 3


def test_of_a_job_that_has_ended_it_shows_what_logs_show(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", r"printf 'one\rtwo\r\n\377three\n' >&2; exit 1", place)
    running.wait(job)
    assert running.say("logs", "-f", job) == running.say("logs", job)
    cancelled = running.submit("--on", "agent-none", "--", "sh", "-c", "true")
    running.say("cancel", cancelled)
    done = running.ffmesh("logs", "-f", cancelled)
    assert (done.returncode, done.stdout, b"was never started" in done.stderr) == (0, b"", True)


def test_a_retry_is_followed_and_said(running: Mesh, place: Path) -> None:
    script = f"cd {place}; if mkdir once 2>&-; then echo first >&2; exit 1; fi; echo second >&2"
    job = running.submit("--max-attempts", "2", "--", "sh", "-c", script)
    until((place / "once").exists, "the first attempt ran")
    code, out, err = finished(running.begin("logs", "-f", job))
    assert (code, out.splitlines()[-1]) == (0, b"second")
    if out.splitlines()[0] == b"first":  # else we came when the second one ran already
        assert out == b"first\nsecond\n"
    assert err == b"ffmesh: attempt 2 on agent-1\n"


def test_no_line_is_lost_or_repeated_when_broker_and_coordinator_are_killed(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", SAYS_WHEN_TOLD, place)
    with ending(running.begin("logs", "-f", job)) as follow:
        _say(place, 1)
        assert _next_line(follow) == b"line 1\n"
        for number, part in enumerate(("broker", "coordinator"), start=2):
            before = running.kill(part)
            _say(place, number)
            running.until_back(part, before)
            assert _next_line(follow) == b"line %d\n" % number
        (place / "end").touch()
        assert finished(follow) == (0, b"the end\n", b"")


def test_when_the_agent_is_killed_the_next_attempt_is_followed(running: Mesh, place: Path) -> None:
    script = f"cd {place}; if mkdir once 2>&-; then echo first >&2; exec sleep 1000; fi; echo second >&2"
    job = running.submit("--max-attempts", "2", "--", "sh", "-c", script)
    with ending(running.begin("logs", "-f", job)) as follow:
        assert _next_line(follow) == b"first\n"
        running.kill("agent-1")
        code, out, err = finished(follow)
    assert (code, out) == (0, b"second\n")
    assert err.splitlines()[-1] == b"ffmesh: attempt 2 on agent-1"


def test_what_the_agent_could_not_keep_is_said(running: Mesh, place: Path) -> None:
    script = r"""echo begin >&2; while [ ! -e "$0/go" ]; do sleep 0.02; done; seq 100000 >&2; : > "$0/done"
        while [ ! -e "$0/end" ]; do sleep 0.02; done; echo end >&2"""
    job = running.submit("--", "sh", "-c", script, place)
    with ending(running.begin("logs", "-f", job)) as follow:
        assert _next_line(follow) == b"begin\n"
        (place / "go").touch()
        until((place / "done").exists, "it has said more than is kept")
        (place / "end").touch()
        code, out, err = finished(follow)
    lines = out.splitlines()
    assert (code, lines[-1], lines[-2]) == (0, b"end", b"100000")
    numbers = [int(line) for line in lines[:-1]]
    assert len(numbers) == len(set(numbers))
    assert b"some lines are missing here" in err


def test_ctrl_c_ends_it_and_not_the_job(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", SAYS_WHEN_TOLD, place)
    _say(place, 1)
    with ending(running.begin("logs", "-f", job)) as follow:
        assert _next_line(follow) == b"line 1\n"
        follow.send_signal(signal.SIGINT)
        assert finished(follow) == (130, b"", b"")
    assert running.job(job)["state"] == "running"
    (place / "end").touch()
    running.wait(job)


def test_a_pipe_that_nobody_reads_ends_it_quietly_although_nothing_is_said(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", SAYS_WHEN_TOLD, place)
    _say(place, 1)
    with ending(running.begin("logs", "-f", job)) as follow:
        assert _next_line(follow) == b"line 1\n"
        assert follow.stdout is not None
        assert follow.stderr is not None
        follow.stdout.close()
        assert follow.stderr.read() == b""
        assert follow.wait() == 141
    (place / "end").touch()
    running.wait(job)


def test_a_job_that_nobody_knows_is_1(running: Mesh) -> None:
    done = running.ffmesh("logs", "-f", "01JD00000000000000000000J9")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)

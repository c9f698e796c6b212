"""Attempts: how many a job gets by itself, what is not worth another one, and what a person's `retry` does."""

import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from end_to_end.outside import Mesh, ending, finished, mesh, number_in, until

NOBODYS = "01JD0000000000000000000000"

FAILS_AT_FIRST = """
echo try >> "$0/tries"
[ "$(wc -l < "$0/tries")" -gt "$1" ] || exit 9
"""
"""Counts in a file, and fails until it has been called more often than that."""

WAITS_FOR_GO = """
echo $$ > "$0/pid"
while [ ! -e "$0/go" ]; do sleep 0.02; done
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("retry")
    hello = folder / "hello"
    hello.write_text("#!/bin/sh\necho hello\n")
    hello.chmod(0o755)
    programs = ("--program", "sh", "--program", f"hello={hello}")
    with mesh(folder / "home", "--slots", "2", "--root", f"Place={folder}", *programs) as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


# --- by itself


def test_a_job_has_one_attempt_unless_more_are_asked_for(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", FAILS_AT_FIRST, place, "1")
    assert running.wait(job).returncode == 9
    shown = running.job(job)
    assert (shown["state"], shown["permanent"], states(shown)) == ("failed", True, ["failed"])


def test_what_fails_twice_and_then_succeeds_has_succeeded(running: Mesh, place: Path) -> None:
    job = running.submit("--max-attempts", "3", "--", "sh", "-c", FAILS_AT_FIRST, place, "2")
    assert running.wait(job).returncode == 0
    shown = running.job(job)
    assert (shown["state"], shown["exit_code"], shown["reason"], shown["permanent"]) == ("succeeded", 0, None, False)
    assert states(shown) == ["failed", "failed", "succeeded"]
    assert [each["number"] for each in shown["attempts"]] == [1, 2, 3]
    assert [each["exit_code"] for each in shown["attempts"]] == [9, 9, 0]
    assert all("9" in each["reason"] for each in shown["attempts"][:2])


def test_no_job_has_more_attempts_than_were_asked_for(running: Mesh, place: Path) -> None:
    job = running.submit("--max-attempts", "2", "--", "sh", "-c", FAILS_AT_FIRST, place, "9")
    assert running.wait(job).returncode == 9
    assert states(running.job(job)) == ["failed", "failed"]
    assert tries(place) == 2


def test_what_ffmpeg_can_do_nowhere_is_not_tried_again(running: Mesh, place: Path) -> None:
    source = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=0.2")
    job = running.submit(
        "--max-attempts", "5", "--", "ffmpeg", *source, "-c:v", "mpeg4", "-nonsense", "1", place / "a.mkv"
    )
    assert running.wait(job).returncode not in (0, 130, 124)
    shown = running.job(job)
    assert (shown["state"], shown["permanent"], states(shown)) == ("failed", True, ["failed"])


def test_what_an_encoder_refuses_is_not_tried_again(running: Mesh, place: Path) -> None:
    source = ("-f", "lavfi", "-i", "testsrc=size=64x64:rate=25:duration=0.2")
    encoder = ("-c:v", "libx264", "-preset", "nonsense")
    job = running.submit("--max-attempts", "5", "--", "ffmpeg", *source, *encoder, place / "a.mkv")
    assert running.wait(job).returncode not in (0, 130, 124)
    shown = running.job(job)
    assert (shown["state"], shown["permanent"], states(shown)) == ("failed", True, ["failed"])


def test_an_input_that_cannot_be_read_is_tried_twice_at_most(running: Mesh, place: Path) -> None:
    (place / "in.mkv").write_bytes(b"no film at all\n" * 100)
    job = running.submit("--max-attempts", "5", "--", "ffmpeg", "-i", place / "in.mkv", place / "out.mkv")
    assert running.wait(job).returncode not in (0, 130, 124)
    shown = running.job(job)
    assert (shown["state"], shown["permanent"], states(shown)) == ("failed", True, ["failed", "failed"])


def test_run_is_tried_again_as_long_as_its_program_did_not_start(running: Mesh) -> None:
    hello, away = running.home.parent / "hello", running.home.parent / "away"
    hello.rename(away)
    words = ("run", "--label", "title=again", "--max-attempts", "50", "--", "hello")
    with ending(running.begin(*words)) as run:
        until(lambda: any("failed" in states(job) for job in running.jobs_called("again")), "it was tried in vain")
        away.rename(hello)
        assert finished(run) == (0, b"hello\n", b"")
    (job,) = running.jobs_called("again")
    assert (states(job)[0], states(job)[-1]) == ("failed", "succeeded")


def test_run_is_not_tried_again_once_its_program_ran(running: Mesh, place: Path) -> None:
    done = running.ffmesh("run", "--max-attempts", "5", "--", "sh", "-c", "echo out;" + FAILS_AT_FIRST, place, "1")
    assert (done.returncode, done.stdout, tries(place)) == (9, b"out\n", 1)


# --- by a person


def test_retry_keeps_the_id_and_goes_on_numbering_attempts(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", FAILS_AT_FIRST, place, "1")
    assert running.wait(job).returncode == 9
    shown = running.json("retry", job)
    assert (shown["id"], shown["state"] in ("queued", "offered", "granted", "running")) == (job, True)
    assert (shown["exit_code"], shown["ended_at"], shown["permanent"]) == (None, None, False)
    assert running.wait(job).returncode == 0
    shown = running.job(job)
    assert (states(shown), [each["number"] for each in shown["attempts"]]) == (["failed", "succeeded"], [1, 2])


def test_retry_gives_as_many_attempts_as_the_job_had_at_first(running: Mesh, place: Path) -> None:
    job = running.submit("--max-attempts", "2", "--", "sh", "-c", FAILS_AT_FIRST, place, "3")
    assert running.wait(job).returncode == 9
    assert running.say("retry", job).split()[0] == job
    assert running.wait(job).returncode == 0
    assert states(running.job(job)) == ["failed", "failed", "failed", "succeeded"]


def test_retry_of_what_is_open_is_0_and_changes_nothing(running: Mesh, place: Path) -> None:
    job = running.submit("--", "sh", "-c", WAITS_FOR_GO, place)
    program = number_in(place / "pid")
    assert running.json("retry", job)["state"] == "running"
    (place / "go").touch()
    assert running.wait(job).returncode == 0
    assert (states(running.job(job)), number_in(place / "pid")) == (["succeeded"], program)


def test_a_cancelled_job_comes_back_with_retry(running: Mesh, place: Path) -> None:
    never_ran = running.submit("--need", "slot=nobodys", "--", "sh", "-c", "true")
    was_stopped = running.submit("--", "sh", "-c", WAITS_FOR_GO, place)
    number_in(place / "pid")
    running.say("cancel", never_ran, was_stopped)
    assert running.wait(was_stopped).returncode == 130
    (place / "go").touch()
    both = running.json("retry", was_stopped, never_ran)
    assert [each["id"] for each in both] == [never_ran, was_stopped], "the oldest first"
    assert running.wait(was_stopped).returncode == 0
    assert states(running.job(was_stopped)) == ["cancelled", "succeeded"]
    shown = running.job(never_ran)
    assert (shown["state"], shown["reason_code"], shown["attempts"]) == ("queued", "waiting_for_agent", [])
    running.say("cancel", never_ran)


def test_what_cannot_be_tried_again_is_1_and_a_sentence(running: Mesh) -> None:
    good = running.submit("--", "sh", "-c", "true")
    running.wait(good)
    assert running.ffmesh("run", "--label", "title=attached", "--", "sh", "-c", "exit 3").returncode == 3
    (attached,) = running.jobs_called("attached")
    for job, said in ((good, "succeeded"), (attached["id"], "ffmesh run"), (NOBODYS, "ffmesh jobs")):
        done = running.ffmesh("retry", job, "--json")
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
        assert (job in done.stderr.decode(), said in done.stderr.decode()) == (True, True)
    assert running.job(good)["state"] == "succeeded"


def test_one_that_is_refused_does_not_keep_others_from_being_tried(running: Mesh, place: Path) -> None:
    bad = running.submit("--", "sh", "-c", FAILS_AT_FIRST, place, "1")
    running.wait(bad)
    done = running.ffmesh("retry", "--json", NOBODYS, bad)
    assert (done.returncode, [each["id"] for each in json.loads(done.stdout)]) == (1, [bad])
    assert running.wait(bad).returncode == 0


def states(job: dict[str, Any]) -> Sequence[str]:
    """Of its attempts."""
    return [each["state"] for each in job["attempts"]]


def tries(place: Path) -> int:
    return len((place / "tries").read_text().splitlines())

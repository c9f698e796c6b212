"""Jobs that come after others."""

from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import Mesh, ending, finished, mesh, until

NOBODYS = "01JD0000000000000000000000"

WAITS_FOR_GO = 'while [ ! -e "$0/go" ]; do sleep 0.02; done; echo "$1" >> "$0/diary"'
FAILS_UNTIL_MENDED = '[ -e "$0/mended" ] || exit 7; echo "$1" >> "$0/diary"'
WRITES = 'echo "$1" >> "$0/diary"'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("chains")
    with mesh(folder / "home", "--slots", "2", "--root", f"Place={folder}", "--program", "sh") as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return folder


def test_a_chain_is_made_in_one_loop_and_runs_in_its_order(running: Mesh, place: Path) -> None:
    ids: list[str] = []
    for name, script in (("one", WAITS_FOR_GO), ("two", WRITES), ("three", WRITES)):
        after = ("--after", ids[-1]) if ids else ()
        ids.append(running.submit(*after, "--", "sh", "-c", script, place, name))
    shown = [running.job(each) for each in ids]
    assert [each["after"] for each in shown] == [[], ids[:1], ids[1:2]]
    assert [each["workflow"] for each in shown] == [ids[0]] * 3
    assert [(each["state"], each["reason_code"]) for each in shown[1:]] == [("waiting", "waiting_for_jobs")] * 2
    assert ids[0] in shown[1]["reason"]
    found = running.json("jobs", "--state", "waiting")
    assert [each["id"] for each in found] == [ids[2], ids[1]]
    (place / "go").touch()
    assert running.wait(*ids).returncode == 0
    assert (place / "diary").read_text().split() == ["one", "two", "three"]


def test_a_film_is_made_of_what_the_job_before_has_staged(running: Mesh, place: Path) -> None:
    source = ("-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25", "-t", "0.4", "-c:v", "mpeg4")
    first = running.submit("--staged", "--", "ffmpeg", *source, place / "film.mkv")
    small = ("-v", "error", "-i", place / "film.mkv", "-vf", "scale=32:-2", "-c:v", "mpeg4")
    second = running.submit("--staged", "--after", first, "--", "ffmpeg", *small, place / "small.mkv")
    assert running.wait(second).returncode == 0
    assert sorted(each.name for each in place.iterdir()) == ["film.mkv", "small.mkv"]


def test_one_that_fails_ends_what_comes_after_it_and_both_come_back_with_its_retry(running: Mesh, place: Path) -> None:
    parent = running.submit("--", "sh", "-c", FAILS_UNTIL_MENDED, place, "parent")
    child = running.submit("--after", parent, "--", "sh", "-c", WRITES, place, "child")
    last = running.submit("--after", child, "--", "sh", "-c", WRITES, place, "last")
    assert running.wait(parent).returncode == 7
    assert running.wait(child).returncode == 1
    assert running.wait(last).returncode == 1
    shown = running.job(child)
    assert (shown["state"], shown["reason_code"], shown["permanent"]) == ("failed", "parent_failed", False)
    assert (parent in shown["reason"], shown["attempts"], shown["exit_code"]) == (True, [], None)
    refused = running.ffmesh("retry", child)
    assert (refused.returncode, refused.stderr.count(b"\n"), parent.encode() in refused.stderr) == (1, 1, True)
    assert f"ffmesh retry {parent}" in running.say("job", child)
    (place / "mended").touch()
    assert running.json("retry", parent)["id"] == parent
    assert running.wait(parent, child, last).returncode == 0
    assert (place / "diary").read_text().split() == ["parent", "child", "last"]


def test_a_whole_chain_may_be_tried_again_in_any_order(running: Mesh, place: Path) -> None:
    parent = running.submit("--", "sh", "-c", FAILS_UNTIL_MENDED, place, "parent")
    child = running.submit("--after", parent, "--", "sh", "-c", WRITES, place, "child")
    running.wait(parent, child)
    (place / "mended").touch()
    assert running.ffmesh("retry", child, parent).returncode == 0
    assert running.wait(parent, child).returncode == 0


def test_one_that_is_cancelled_cancels_what_comes_after_it(running: Mesh, place: Path) -> None:
    parent = running.submit("--", "sh", "-c", WAITS_FOR_GO, place, "parent")
    child = running.submit("--after", parent, "--", "sh", "-c", WRITES, place, "child")
    running.say("cancel", parent)
    assert running.wait(parent, child).returncode == 130
    shown = running.job(child)
    assert (shown["state"], shown["reason_code"]) == ("cancelled", "parent_cancelled")
    assert parent in shown["reason"]
    assert not (place / "diary").exists()


def test_a_job_may_come_after_several_also_after_what_has_ended(running: Mesh, place: Path) -> None:
    over = running.submit("--", "sh", "-c", WRITES, place, "over")
    assert running.wait(over).returncode == 0
    slow = running.submit("--", "sh", "-c", WAITS_FOR_GO, place, "slow")
    both = running.submit("--after", over, "--after", slow.lower(), "--", "sh", "-c", WRITES, place, "both")
    shown = running.job(both)
    assert (shown["state"], shown["after"], shown["reason"]) == ("waiting", [over, slow], f"it waits for job {slow}")
    (place / "go").touch()
    assert running.wait(both).returncode == 0
    assert (place / "diary").read_text().split() == ["over", "slow", "both"]


def test_after_what_is_not_known_nothing_is_handed_in(running: Mesh) -> None:
    before = running.json("jobs")
    for command in ("submit", "run"):
        for unknown in (NOBODYS, "no-id", ""):
            done = running.ffmesh(command, "--after", unknown, "--", "sh", "-c", "true")
            assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
            assert unknown.encode() in done.stderr
    assert running.json("jobs") == before


def test_run_waits_for_other_jobs_and_has_the_end_of_its_own(running: Mesh, place: Path) -> None:
    parent = running.submit("--", "sh", "-c", WAITS_FOR_GO, place, "parent")
    with ending(
        running.begin("run", "--label", "title=later", "--after", parent, "--", "sh", "-c", "echo hello; exit 4")
    ) as run:
        (job,) = until(lambda: running.jobs_called("later"), "it is handed in")
        assert (job["state"], job["after"], job["kind"]) == ("waiting", [parent], "interactive")
        (place / "go").touch()
        assert finished(run) == (4, b"hello\n", b"")


def test_run_after_a_job_that_fails_is_1_and_says_which(running: Mesh, place: Path) -> None:
    parent = running.submit("--", "sh", "-c", WAITS_FOR_GO + "; exit 7", place, "parent")
    with ending(
        running.begin("run", "--label", "title=never", "--after", parent, "--", "sh", "-c", "echo hello")
    ) as run:
        until(lambda: running.jobs_called("never"), "it is handed in")
        (place / "go").touch()
        code, stdout, stderr = finished(run)
        assert (code, stdout, stderr.count(b"\n"), parent.encode() in stderr) == (1, b"", 1, True)

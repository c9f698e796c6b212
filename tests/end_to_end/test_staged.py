"""Staged jobs: what they write is there whole or not at all, and nothing of theirs is left beside it."""

import json
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import GENEROUS, Mesh, ending, mesh, number_in, until

SOURCE = ("-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25")
OLD = b"what was there before"

WRITES_AND_WAITS = """
printf half > "$1"
echo $$ > "$0/pid"
while [ ! -e "$0/go" ]; do sleep 0.02; done
printf ' and half' >> "$1"
exit "$2"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("staged")
    (folder / "films").mkdir()
    with mesh(folder / "home", "--root", f"Films={folder / 'films'}", "--program", "sh", unfenced=1) as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / "films" / tmp_path.name
    folder.mkdir()
    return folder


def test_an_encode_appears_whole_at_its_place_and_nothing_else(running: Mesh, place: Path) -> None:
    shown = running.json("submit", "--staged", "--", "ffmpeg", *SOURCE, "-t", "1", "-c:v", "mpeg4", place / "out.mkv")
    output = [f"$Films/{place.name}/out.mkv"]
    assert (shown["kind"], shown["outputs"], shown["args"][-1:]) == ("staged", output, output)
    assert running.wait(shown["id"]).returncode == 0
    assert names(place) == ["out.mkv"]
    assert frames(place / "out.mkv") == 25
    assert running.job(shown["id"])["outputs"] == output


def test_until_it_is_whole_the_old_file_stays(running: Mesh, place: Path) -> None:
    target = place / "out.txt"
    target.write_bytes(OLD)
    job = running.submit("--staged", "--output", target, "--", "sh", "-c", WRITES_AND_WAITS, place, target, "0")
    number_in(place / "pid")
    assert target.read_bytes() == OLD
    (place / "go").touch()
    assert running.wait(job).returncode == 0
    assert target.read_bytes() == b"half and half"
    assert names(place) == ["go", "out.txt", "pid"]


def test_one_that_fails_leaves_the_old_file_and_nothing_of_its_own(running: Mesh, place: Path) -> None:
    target = place / "out.txt"
    target.write_bytes(OLD)
    (place / "go").touch()
    words = ("--staged", "--max-attempts", "2", "--output", target)
    job = running.submit(*words, "--", "sh", "-c", WRITES_AND_WAITS, place, target, "3")
    assert running.wait(job).returncode == 3
    assert target.read_bytes() == OLD
    assert names(place) == ["go", "out.txt", "pid"]
    assert [each["state"] for each in running.job(job)["attempts"]] == ["failed", "failed"]


def test_one_that_is_cancelled_leaves_the_old_file_and_nothing_of_its_own(running: Mesh, place: Path) -> None:
    target = place / "out.txt"
    target.write_bytes(OLD)
    job = running.submit("--staged", "--output", target, "--", "sh", "-c", WRITES_AND_WAITS, place, target, "0")
    number_in(place / "pid")
    running.say("cancel", job)
    assert running.wait(job).returncode == 130
    until(lambda: names(place) == ["out.txt", "pid"], "nothing is left beside it")
    assert target.read_bytes() == OLD


def test_ffmpeg_replaces_a_file_only_when_it_is_told_to(running: Mesh, place: Path) -> None:
    target = place / "out.mkv"
    target.write_bytes(OLD)
    line = ("ffmpeg", *SOURCE, "-t", "0.2", "-c:v", "mpeg4", target)
    job = running.submit("--staged", "--", *line)
    assert running.wait(job).returncode == 1
    shown = running.job(job)
    assert (shown["state"], shown["permanent"], "-y" in shown["reason"]) == ("failed", True, True)
    assert target.read_bytes() == OLD
    assert running.wait(running.submit("--staged", "--", "ffmpeg", "-y", *line[1:])).returncode == 0
    assert frames(target) == 5
    assert names(place) == ["out.mkv"]


def test_a_folder_appears_with_all_that_is_in_it(running: Mesh, place: Path) -> None:
    line = ("ffmpeg", *SOURCE, "-t", "2", "-c:v", "mpeg4", "-g", "25", "-f", "hls", "-hls_time", "1")
    refused = running.ffmesh("submit", "--staged", "--", *line, "-strftime", "1", place / "hls" / "index.m3u8")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)
    assert f"--output {place}/hls/".encode() in refused.stderr
    job = running.submit("--staged", "--output", f"{place}/hls/", "--", *line, place / "hls" / "index.m3u8")
    assert running.wait(job).returncode == 0
    assert running.job(job)["outputs"] == [f"$Films/{place.name}/hls/"]
    assert names(place) == ["hls"]
    segments = [line for line in (place / "hls" / "index.m3u8").read_text().splitlines() if not line.startswith("#")]
    assert len(segments) == 2
    assert names(place / "hls") == sorted(["index.m3u8", *segments])


@pytest.mark.parametrize(
    ("output", "last"),
    [
        ((), "out.mkv"),
        ((), "file:out.mkv"),
        ((), "./out.mkv"),
        ((), "file:{}/out.mkv"),
        (("--output", "out.mkv"), "{}/out.mkv"),
        (("--output", "{}/out.mkv"), "out.mkv"),
        (("--output", "{}/out.mkv"), "file:../{name}/out.mkv"),
    ],
)
def test_the_output_is_found_however_the_arguments_name_it(
    running: Mesh, place: Path, output: tuple[str, ...], last: str
) -> None:
    said = [word.format(place) for word in output]
    line = ("ffmpeg", *SOURCE, "-t", "0.2", "-c:v", "mpeg4", last.format(place, name=place.name))
    done = running.ffmesh("submit", "--json", "--staged", *said, "--", *line, cwd=place)
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)
    assert job["outputs"] == [f"$Films/{place.name}/out.mkv"]
    assert running.wait(job["id"]).returncode == 0, running.job(job["id"])["reason"]
    assert names(place) == ["out.mkv"]


def test_the_folder_of_the_caller_may_be_the_output(running: Mesh, place: Path) -> None:
    inside = place / "frames"
    inside.mkdir()
    (inside / "old.png").touch()
    done = running.ffmesh(
        *("submit", "--staged", "--output", ".", "--", "ffmpeg", "-y", *SOURCE, "-frames:v", "3", "%d.png"), cwd=inside
    )
    assert done.returncode == 0, done.stderr
    job = done.stdout.decode().strip()
    assert running.wait(job).returncode == 0, running.job(job)["reason"]
    assert (names(place), names(inside)) == (["frames"], ["1.png", "2.png", "3.png"])


def test_an_output_that_no_argument_names_is_refused_and_says_so(running: Mesh, place: Path) -> None:
    job = running.submit(
        "--staged", "--output", place / "other.mkv", "--", "ffmpeg", *SOURCE, "-t", "1", place / "o.mkv"
    )
    assert running.wait(job).returncode == 1
    shown = running.job(job)
    assert (shown["state"], shown["permanent"], "other.mkv" in shown["reason"]) == ("failed", True, True)
    assert names(place) == []


def test_what_lies_under_no_root_cannot_be_an_output(running: Mesh, place: Path) -> None:
    for output, cwd in (("/etc/ffmesh-out", place), (f"{place}/../../out", place), ("out.mkv", running.home.parent)):
        done = running.ffmesh("submit", "--staged", "--output", output, "--", "sh", "-c", "true", cwd=cwd)
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (77, b"", 1)
        assert output.encode() in done.stderr


def test_one_whose_agent_dies_is_tried_again_and_only_one_writes_its_place(running: Mesh, place: Path) -> None:
    target = place / "out.txt"
    job = running.submit("--staged", "--output", target, "--", "sh", "-c", WRITES_AND_WAITS, place, target, "0")
    number_in(place / "pid")
    (place / "pid").unlink()
    running.kill("agent-1")
    number_in(place / "pid")
    assert not target.exists()
    (place / "go").touch()
    with ending(running.begin("wait", job)) as waiting:
        assert waiting.wait(GENEROUS) == 0
    assert target.read_bytes() == b"half and half"
    until(lambda: names(place) == ["go", "out.txt", "pid"], "nothing is left beside it")
    assert [each["state"] for each in running.job(job)["attempts"]] == ["lost", "succeeded"]


def names(folder: Path) -> list[str]:
    """All that is in it, hidden or not."""
    return sorted(each.name for each in folder.iterdir())


def frames(film: Path) -> int:
    count = ("-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0")
    done = subprocess.run(
        ["ffprobe", "-v", "error", *count, film], capture_output=True, timeout=GENEROUS, check=True, text=True
    )
    return int(done.stdout.strip().rstrip(","))

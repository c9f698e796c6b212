"""What a job leaves for who asks later: its outputs with their sizes, its time, its program's last words."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.outside import Mesh, mesh

SOURCE = ("-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("summary")
    (folder / "films").mkdir()
    with mesh(folder / "home", "--root", f"Films={folder / 'films'}", "--program", "sh") as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    """A folder under the root, for this test alone."""
    folder = running.home.parent / "films" / tmp_path.name
    folder.mkdir()
    return folder


def ended(running: Mesh, job: str, *, code: int) -> Any:
    assert running.wait(job).returncode == code, running.job(job)
    return running.job(job)


@pytest.mark.parametrize("option", [(), ("--staged",)])
def test_a_job_that_succeeded_tells_its_outputs_with_their_sizes_and_its_time(
    running: Mesh, place: Path, option: tuple[str, ...]
) -> None:
    film, sound = place / "out.mkv", place / "out.wav"
    line = ("-f", "lavfi", "-i", "sine", "-t", "1", "-map", "0", "-c:v", "mpeg4", film, "-t", "1", "-map", "1", sound)
    outputs = ("--output", film, "--output", sound) if option else ()
    shown = ended(running, running.submit(*option, *outputs, "--", "ffmpeg", *SOURCE, *line), code=0)
    written = [{"path": f"$Films/{place.name}/{each.name}", "bytes": each.stat().st_size} for each in (film, sound)]
    assert shown["summary"]["outputs"] == written
    assert shown["summary"]["last_lines"] == []
    assert 0 < shown["summary"]["seconds"] < 1000
    said = running.say("job", shown["id"])
    assert f"$Films/{place.name}/out.wav ({film_size(sound)})" in said


def film_size(file: Path) -> str:
    return f"{file.stat().st_size / 1000:.1f} kB"


def test_a_folder_that_was_made_is_told_with_all_that_is_in_it(running: Mesh, place: Path) -> None:
    line = ("ffmpeg", *SOURCE, "-t", "2", "-c:v", "mpeg4", "-g", "25", "-f", "hls", "-hls_time", "1")
    job = running.submit("--staged", "--output", f"{place}/hls/", "--", *line, place / "hls" / "index.m3u8")
    size = ended(running, job, code=0)["summary"]["outputs"][0]["bytes"]
    assert size == sum(file.stat().st_size for file in (place / "hls").iterdir())


def test_a_job_that_failed_tells_its_programs_last_lines_and_no_place_of_its_machine(
    running: Mesh, place: Path
) -> None:
    (place / "broken.mkv").write_bytes(b"this is no film")
    job = running.submit("--", "ffmpeg", "-i", place / "broken.mkv", place / "out.mkv")
    shown = ended(running, job, code=1)
    last = f"$Films/{place.name}/broken.mkv: Invalid data found when processing input"
    assert shown["summary"]["last_lines"][-1] == last
    assert shown["summary"]["outputs"] == []
    assert str(place) not in json.dumps(shown)
    assert str(running.home) not in json.dumps(shown)
    assert f"  {last}" in running.say("job", job)
    (listed,) = [each for each in running.json("jobs") if each["id"] == job]
    assert listed["summary"] == {**shown["summary"], "last_lines": []}


def test_lines_that_end_in_cr_alone_and_bytes_that_are_no_utf_8_are_lines(running: Mesh) -> None:
    job = running.submit("--", "sh", "-c", r"printf 'one\rtwo \377\r\nthree' >&2; exit 3")
    assert ended(running, job, code=3)["summary"]["last_lines"] == ["one", "two \ufffd", "three"]


def test_an_open_job_has_no_summary_and_one_that_never_ran_has_no_time(running: Mesh, place: Path) -> None:
    job = running.submit("--on", "nobody", "--", "sh", "-c", "true")
    assert running.job(job)["summary"] is None
    running.say("cancel", job)
    assert running.job(job)["summary"] == {"seconds": None, "outputs": [], "last_lines": []}


@pytest.mark.parametrize("option", [(), ("--staged",)])
def test_a_missing_input_is_told_before_a_program_starts(running: Mesh, place: Path, option: tuple[str, ...]) -> None:
    job = running.submit(*option, "--max-attempts", "1", "--", "ffmpeg", "-i", place / "a.mkv", place / "out.mkv")
    shown = ended(running, job, code=1)
    assert shown["reason"] == f"input file does not exist: $Films/{place.name}/a.mkv"
    assert (shown["state"], shown["permanent"], shown["exit_code"]) == ("failed", True, None)
    assert [each["started_at"] for each in shown["attempts"]] == [None]
    assert list(place.iterdir()) == []


def test_a_missing_input_of_ffprobe_and_one_with_a_relative_name_are_told_too(running: Mesh, place: Path) -> None:
    for line in (("ffprobe", "-show_format", "b.mkv"), ("ffmpeg", "-i", "./b.mkv", "out.mkv")):
        done = running.ffmesh("submit", "--", *line, cwd=place)
        shown = ended(running, done.stdout.decode().strip(), code=1)
        assert shown["reason"] == f"input file does not exist: $Films/{place.name}/b.mkv"


def test_whoever_is_attached_hears_of_a_missing_input_from_the_program_itself(running: Mesh, place: Path) -> None:
    done = running.run("ffmpeg", "-v", "error", "-i", place / "a.mkv", place / "out.mkv")
    assert done.returncode not in (0, 130)
    assert b"a.mkv: No such file or directory" in done.stderr

"""Room for outputs: a job that does not fit is not started, and what fills a disk all the same leaves nothing there."""

import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.outside import GENEROUS, Mesh, mesh, until
from support.disks import fill, small_disk

OLD = b"what was there before"
RAW = ("-c:v", "rawvideo", "-pix_fmt", "yuv420p")
PICTURES = ("-v", "error", "-f", "lavfi", "-i", "testsrc=size=640x480:rate=25")
"""460 kB each."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    """`agent-1` has a small disk where `agent-2` has a large one."""
    folder = tmp_path_factory.mktemp("room")
    (folder / "films").mkdir()
    (folder / "large").mkdir()
    with small_disk(folder / "small", 16) as small:
        (small / "made").mkdir()
        (folder / "large" / "made").mkdir()
        roots = (f"Films={folder / 'films'}", f"Out={folder / 'large'}", f"agent-1:Out={small}")
        options = [word for root in roots for word in ("--root", root)]
        with mesh(folder / "home", "--agents", "2", *options) as running:
            yield running


@pytest.fixture(scope="module")
def film(running: Mesh) -> Path:
    """32 MB."""
    film = running.home.parent / "films" / "film.mkv"
    line = ("ffmpeg", *PICTURES, "-frames:v", "70", *RAW, film)
    subprocess.run(line, check=True, timeout=GENEROUS, stdin=subprocess.DEVNULL)
    return film


def made(running: Mesh, agent: int) -> Path:
    return running.home.parent / ("small" if agent == 1 else "large") / "made"


def target(running: Mesh, name: str) -> Path:
    """As the client has the root."""
    return made(running, 2) / name


def names(folder: Path) -> list[str]:
    """All that is in it, hidden or not."""
    return sorted(each.name for each in folder.iterdir())


def attempts(shown: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(each["agent"], each["state"], each["started_at"] is not None) for each in shown["attempts"]]


def test_a_job_whose_output_does_not_fit_is_not_started_and_says_the_sizes(running: Mesh, film: Path) -> None:
    line = ("ffmpeg", "-v", "error", "-i", film, "-c", "copy", target(running, "a.mkv"))
    job = running.submit("--on", "agent-1", "--", *line)
    assert running.wait(job).returncode == 1
    shown = running.job(job)
    assert shown["reason"] == "$Out has 16.8 MB free, of which 167.8 kB is kept free; this job needs about 32.3 MB"
    assert attempts(shown) == [("agent-1", "failed", False)]
    assert names(made(running, 1)) == []


def test_a_staged_one_goes_to_another_agent_that_has_the_room(running: Mesh, film: Path) -> None:
    line = ("ffmpeg", "-v", "error", "-i", film, "-c", "copy", target(running, "b.mkv"))
    job = running.submit("--staged", "--", *line)
    assert running.wait(job).returncode == 0, running.job(job)
    shown = running.job(job)
    assert attempts(shown) == [("agent-1", "failed", False), ("agent-2", "succeeded", True)]
    assert "this job needs about 32.3 MB" in shown["attempts"][0]["reason"]
    assert names(made(running, 1)) == []
    assert target(running, "b.mkv").stat().st_size == shown["summary"]["outputs"][0]["bytes"]


def test_a_disk_that_fills_midway_is_the_machines_fault_and_leaves_nothing(running: Mesh) -> None:
    """Nobody can tell from the words of this line how much it writes."""
    old = made(running, 1) / "c.mkv"
    old.write_bytes(OLD)
    line = ("ffmpeg", "-y", *PICTURES, "-frames:v", "70", *RAW, target(running, "c.mkv"))
    job = running.submit("--staged", "--", *line)
    assert running.wait(job).returncode == 0, running.job(job)
    shown = running.job(job)
    assert attempts(shown) == [("agent-1", "failed", True), ("agent-2", "succeeded", True)]
    until(lambda: names(made(running, 1)) == ["c.mkv"], "nothing is left beside it")
    assert old.read_bytes() == OLD
    assert names(made(running, 2).parent) == ["made"]
    old.unlink()


def test_where_no_other_agent_may_have_it_the_job_fails_and_says_why(running: Mesh) -> None:
    line = ("ffmpeg", *PICTURES, "-frames:v", "70", *RAW, target(running, "d.mkv"))
    job = running.submit("--staged", "--max-attempts", "1", "--on", "agent-1", "--", *line)
    assert running.wait(job).returncode != 0
    shown = running.job(job)
    assert (shown["state"], shown["permanent"]) == ("failed", True)
    assert "No space left on device" in " ".join(shown["summary"]["last_lines"])
    until(lambda: names(made(running, 1)) == [], "nothing is left there")


def test_below_the_watermark_new_jobs_wait_until_there_is_room(running: Mesh) -> None:
    def said() -> str:
        return running.agent("agent-1")["roots"]["Out"]["why"] or ""

    until(lambda: said() == "", "the agent says that there is room")
    filler = fill(made(running, 1).parent, all_but=100_000)
    try:
        line = ("ffmpeg", *PICTURES, "-frames:v", "1", *RAW, target(running, "e.mkv"))
        until(lambda: said().startswith("it has 98.3 kB free"), "the agent says how much is left")
        job = running.submit("--staged", "--on", "agent-1", "--", *line)
        shown = running.job(job)
        assert (shown["state"], shown["attempts"]) == ("queued", [])
        assert "takes nothing new in root Out: it has 98.3 kB free" in shown["reason"]
    finally:
        filler.unlink()
    assert running.wait(job).returncode == 0, running.job(job)
    until(lambda: names(made(running, 1)) == ["e.mkv"], "it is there, and nothing else")

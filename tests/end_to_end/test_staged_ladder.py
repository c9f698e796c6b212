"""Ladders of real ffmpegs: staged ones appear whole, direct ones grow in place."""

import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import Mesh, gone, mesh, until

LADDER = (
    *("-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=6"),
    *("-map", "0:v", "-map", "0:v", "-c:v", "mpeg4", "-g", "10", "-s:v:1", "32x32"),
    *(
        "-f",
        "hls",
        "-hls_time",
        "1",
        "-hls_list_size",
        "0",
        "-var_stream_map",
        "v:0 v:1",
        "-master_pl_name",
        "master.m3u8",
    ),
)
WHOLE = ["0", "0.m3u8", "1", "1.m3u8", "master.m3u8"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("ladders")
    (folder / "films").mkdir()
    with mesh(folder / "home", "--root", f"Films={folder / 'films'}") as running:
        yield running


@pytest.fixture
def place(running: Mesh, tmp_path: Path) -> Path:
    folder = running.home.parent / "films" / tmp_path.name
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def into(place: Path) -> tuple[str | Path, ...]:
    return (*LADDER, "-hls_segment_filename", place / "%v" / "seg_%05d.ts", place / "%v.m3u8")


def named_in(playlist: Path) -> list[str]:
    return [line for line in playlist.read_text().splitlines() if line and not line.startswith("#")]


def test_a_ladder_appears_whole_with_its_master_playlist_and_replaces_a_longer_one(running: Mesh, place: Path) -> None:
    job = running.submit("--staged", "--", "ffmpeg", *into(place))
    assert running.wait(job).returncode == 0, running.job(job)["reason"]
    until(lambda: names(place) == WHOLE, "nothing is left beside it")
    assert named_in(place / "master.m3u8") == ["0.m3u8", "1.m3u8"]
    assert named_in(place / "0.m3u8") == names(place / "0") == [f"seg_{number:05d}.ts" for number in range(6)]
    again = running.submit("--staged", "--", "ffmpeg", *into(place))
    assert running.wait(again).returncode == 1
    assert "-y" in running.job(again)["reason"]
    shorter = [word.replace("duration=6", "duration=3") if isinstance(word, str) else word for word in into(place)]
    job = running.submit("--staged", "--", "ffmpeg", "-y", *shorter)
    assert running.wait(job).returncode == 0, running.job(job)["reason"]
    until(lambda: names(place) == WHOLE, "nothing is left beside it")
    assert named_in(place / "0.m3u8") == names(place / "0") == [f"seg_{number:05d}.ts" for number in range(3)]


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (("-hls_time", "1", "{}/film.m3u8"), ["film.m3u8", *(f"film{number}.ts" for number in range(3))]),
        (("-f", "segment", "-segment_time", "1", "{}/s_%02d.mkv"), [f"s_{number:02d}.mkv" for number in range(3)]),
        (("-frames:v", "3", "{}/p%d.png", "-t", "1", "{}/other.mkv"), ["other.mkv", "p1.png", "p2.png", "p3.png"]),
        (("-f", "dash", "{}/x.mpd"), ["chunk-stream0-00001.m4s", "init-stream0.m4s", "x.mpd"]),
    ],
)
def test_what_ffmpeg_writes_beside_its_output_need_not_be_said(
    words: tuple[str, ...], made: list[str], running: Mesh, place: Path
) -> None:
    source = ("-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=3", "-g", "10")
    encoder = () if "png" in "".join(words) else ("-c:v", "mpeg4")
    job = running.submit("--staged", "--", "ffmpeg", *source, *encoder, *(word.format(place) for word in words))
    assert running.wait(job).returncode == 0, running.job(job)["reason"]
    until(lambda: names(place) == made, "all of it, and nothing beside it")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which chooses the moment, is missing")
def test_an_agent_that_dies_among_the_renames_leaves_the_old_ladder_and_its_next_life_the_new_one(
    running: Mesh, place: Path
) -> None:
    for name in ("0.m3u8", "1.m3u8", "master.m3u8"):
        (place / name).write_text("old")
    pid = running.pid("agent-1")
    words = ("-e", "trace=renameat2", "-e", "inject=renameat2:signal=KILL:when=3")
    with subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-p", str(pid), *words], stderr=subprocess.PIPE
    ) as strace:
        try:
            assert strace.stderr is not None
            assert b"attached" in strace.stderr.readline()
            job = running.submit("--staged", "--", "ffmpeg", "-y", *into(place))
            gone(pid)
        finally:
            strace.kill()
    running.until_back("agent-1", before=pid)
    assert running.wait(job).returncode == 0, running.job(job)["reason"]
    assert named_in(place / "master.m3u8") == ["0.m3u8", "1.m3u8"]
    until(lambda: names(place) == WHOLE, "nothing is left beside it")


def test_a_direct_ladder_grows_where_players_look_for_it(running: Mesh, place: Path) -> None:
    endless = ("-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10", "-c:v", "mpeg4", "-g", "5")
    job = running.submit("--", "ffmpeg", *endless, "-f", "hls", "-hls_time", "0.5", place / "live.m3u8")
    playlist = place / "live.m3u8"
    until(lambda: playlist.exists() and len(named_in(playlist)) >= 2, "segments are listed while it runs")
    assert running.job(job)["state"] == "running"
    assert set(named_in(playlist)) <= set(names(place))
    assert not [name for name in names(place) if name.startswith(".")]
    running.say("cancel", job)
    assert running.wait(job).returncode == 130

"""Whoever dies, no ffmpeg goes on for nobody, and no shim waits for nobody."""

import hashlib
import os
import random
import shlex
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from end_to_end.outside import Mesh, ending, finished, gone, mesh, programs_with, taken, until
from end_to_end.shims import LOCAL, Shim, Word, shim_in

ENDLESS = shlex.split("-v error -re -f lavfi -i testsrc=size=64x64:rate=25 -c:v mpeg4 -y")
STREAMED = shlex.split("-v error -re -f lavfi -i testsrc2=size=320x180:rate=25 -t 4 -f rawvideo -pix_fmt yuv420p -")
"""8.6 MB in four seconds, the same bytes at each run."""

AT_ONCE = [word for word in STREAMED if word != "-re"]
MOMENTS = 20
LONGEST_LIFE_SECONDS = 1.2
"""In that time a call begins, is placed, starts, and runs a while."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deaths")


@pytest.fixture(scope="module")
def running(place: Path) -> Generator[Mesh, None, None]:
    with mesh(place / "home", "--slots", "4", "--root", f"Place={place}") as running:
        yield running


@pytest.fixture(scope="module")
def shim(running: Mesh, place: Path) -> Generator[Shim, None, None]:
    with shim_in(running, place / "installed") as shim:
        yield shim


@pytest.mark.parametrize("who", ["the shim", "the shim and its helper", "a shim without a helper"])
def test_no_ffmpeg_outlives_its_shim_at_whatever_moment_that_is_killed(
    running: Mesh, shim: Shim, place: Path, who: str
) -> None:
    """Also none that is about to start: in the end the mesh has no job that is not over, and nothing runs."""
    dice = random.Random(who)
    shim.kill_helpers()
    for number in range(MOMENTS):
        output = place / f"{who} {number}.mkv"
        with begun(shim, output, alone="without" in who) as process:
            time.sleep(dice.uniform(0, LONGEST_LIFE_SECONDS))  # the moment, and no wait for anything
            process.kill()
            if "and its helper" in who:
                shim.kill_helpers()
            killed = time.monotonic()
            until_none_with(output)
            print(f"{who}, {number}: {time.monotonic() - killed:.3f} s from its death to the end of ffmpeg")
    until(lambda: all(job["ended_at"] for job in running.json("jobs", "--limit", "200")), "all jobs are over")
    assert programs_with("ffmpeg", f"{place}/{who}") == []
    assert not shim.ran_here()
    assert not ("without" in who and shim.helpers())


def until_none_with(output: Path) -> None:
    until(lambda: not programs_with("ffmpeg", str(output)), "no ffmpeg goes on")


@contextmanager
def begun(shim: Shim, output: Path, *, alone: bool) -> "Generator[subprocess.Popen[bytes], None, None]":
    """An encode that never ends. A shim whose input is a terminal has no helper."""
    ours, theirs = os.openpty() if alone else (-1, subprocess.DEVNULL)
    try:
        with ending(shim.begin(*ENDLESS, output, stdin=theirs)) as process:
            yield process
    finally:
        for end in (ours, theirs) if alone else ():
            os.close(end)


def test_a_helper_that_dies_ends_its_shims_with_a_sentence_and_the_next_call_has_another(
    shim: Shim, place: Path
) -> None:
    output = place / "helper.mkv"
    with ending(shim.begin(*ENDLESS, output)) as process:
        programs = until(lambda: programs_with("ffmpeg", str(output)), "it runs")
        shim.kill_helpers()
        code, _, stderr = finished(process)
        assert (code, stderr.count(b"\n")) == (1, 1)
        assert b"the helper of the shim died" in stderr
        gone(*programs)
    again = shim.ffmpeg("-v", "error", "-f", "lavfi", "-i", "testsrc2", "-frames:v", "2", "-f", "framemd5", "-")
    assert (again.returncode, again.stderr) == (0, b"")
    assert not shim.ran_here()


@pytest.mark.parametrize("part", ["broker", "coordinator"])
def test_a_stream_survives_the_death_of_what_is_between(
    running: Mesh, shim: Shim, place: Path, part: str, bytes_of_ffmpeg: bytes
) -> None:
    with streaming(shim, place / "all of it.txt") as (process, first):
        running.until_back(part, running.kill(part))
        code, rest, stderr = finished(process)
        assert (code, stderr) == (0, b"")
        assert hashlib.sha256(first + rest).digest() == hashlib.sha256(bytes_of_ffmpeg).digest()


def test_a_stream_whose_agent_dies_ends_with_a_code_and_a_sentence(running: Mesh, shim: Shim, place: Path) -> None:
    with streaming(shim, place / "a part.txt") as (process, _):
        dead = running.kill("agent-1")
        code, _, stderr = finished(process)
        assert (code, stderr.count(b"\n")) == (1, 1)
        assert b"lost" in stderr
        assert not programs_with("ffmpeg", str(place / "a part.txt"))
        running.until_back("agent-1", dead)
        running.until_agent("online")


def test_a_stream_whose_broker_is_away_for_long_ends_with_a_code_and_a_sentence(
    running: Mesh, shim: Shim, place: Path
) -> None:
    """Its ffmpeg does not wait for the broker."""
    word = place / "no more.txt"
    with streaming(shim, word, limit=()) as (process, _):
        with running.running.nothing_restarted():
            dead = running.kill("broker")
            until_none_with(word)
            code, _, stderr = finished(process)
        assert (code, stderr.count(b"\n")) == (1, 1)
        assert stderr.startswith(b"ffmesh: the broker has been away for ")
        running.until_back("broker", dead)
    running.until_agent("online")


@pytest.fixture(scope="module")
def bytes_of_ffmpeg() -> bytes:
    return LOCAL.ffmpeg(*AT_ONCE).stdout


@contextmanager
def streaming(
    shim: Shim, word: Path, *, limit: tuple[str, ...] = ("-t", "4")
) -> "Generator[tuple[subprocess.Popen[bytes], bytes], None, None]":
    """One that has begun, and what has come of it. `word` is written by it too, and so known in its command line."""
    without = [each for each in STREAMED if each not in ("-t", "4")]
    line: list[Word] = [*without[:-1], *limit, "-", "-map", "0:v", *limit, "-f", "framemd5", "-y", word]
    with ending(shim.begin(*line)) as process:
        first = taken(process, 100_000)
        assert len(first) == 100_000
        assert programs_with("ffmpeg", str(word))
        yield process, first

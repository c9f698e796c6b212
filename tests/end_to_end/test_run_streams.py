"""`run` gives the program's own bytes, unmixed, and its own end."""

import hashlib
import re
import shlex
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import GENEROUS, PYTHON, Mesh, ending, finished, mesh

RAW_VIDEO = shlex.split("-f lavfi -i testsrc2=size=640x360:rate=25 -frames:v 87 -pix_fmt yuv420p -f rawvideo -")
"""30 MB, the same at each run."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("run")
    (folder / "films").mkdir()
    with mesh(
        folder / "home", "--root", f"Films={folder / 'films'}", "--program", "sh", "--program", "true"
    ) as running:
        yield running


@pytest.fixture(scope="module")
def films(running: Mesh) -> Path:
    """With a film in it."""
    films = running.home.parent / "films"
    line = shlex.split("ffmpeg -v error -f lavfi -i testsrc2=size=160x120:rate=25 -t 1 -c:v mpeg4")
    subprocess.run([*line, films / "film.mkv"], check=True, timeout=GENEROUS)
    return films


def test_ready_means_that_ffmpeg_can_run_at_once(tmp_path: Path) -> None:
    with mesh(tmp_path / "home") as fresh:
        done = fresh.run("ffmpeg", "-version")
        assert (done.returncode, done.stdout[:14], done.stderr) == (0, b"ffmpeg version", b"")


def test_thirty_megabytes_of_standard_output_are_those_of_ffmpeg_itself(running: Mesh) -> None:
    line = ["ffmpeg", "-hide_banner", "-nostats", *RAW_VIDEO]
    local = _locally(line)
    done = running.run(*line)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == len(local.stdout) > 30_000_000
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(local.stdout).digest()
    assert _without_measurements(done.stderr) == _without_measurements(local.stderr) != b""


def test_ffmpegs_words_about_itself_are_its_own(running: Mesh) -> None:
    for line in (["ffmpeg", "-version"], ["ffprobe", "-version"], ["ffmpeg", "-hide_banner", "-encoders"]):
        local, done = _locally(line), running.run(*line)
        assert (done.returncode, done.stdout, done.stderr) == (0, local.stdout, local.stderr), line


def test_what_ffprobe_finds_out_is_what_it_finds_out_here(running: Mesh, films: Path) -> None:
    line = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(films / "film.mkv")]
    local, done = _locally(line), running.run(*line)
    assert (done.returncode, done.stdout, done.stderr) == (0, local.stdout, local.stderr)


def test_ffmpegs_complaint_and_its_exit_code_are_its_own(running: Mesh, films: Path) -> None:
    line = ["ffmpeg", "-hide_banner", "-i", str(films / "there is none.mkv"), "-f", "null", "-"]
    local, done = _locally(line), running.run(*line)
    assert local.returncode != 0
    assert (done.returncode, done.stdout, done.stderr) == (local.returncode, b"", local.stderr)


@pytest.mark.parametrize("code", [0, 1, 2, 69, 77, 124, 130, 255])
def test_any_exit_code_of_the_program_is_that_of_run(running: Mesh, code: int) -> None:
    done = running.run("sh", "-c", f"exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


@pytest.mark.parametrize("number", [1, 6, 9, 11, 15])
def test_a_program_that_a_signal_has_killed_gives_128_and_its_number(running: Mesh, number: int) -> None:
    done = running.run("sh", "-c", f"echo before; kill -{number} $$")
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"before\n", b"")


def test_the_two_streams_are_never_mixed(running: Mesh) -> None:
    script = "i=0; while [ $i -lt 2000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
    done = running.run("sh", "-c", script)
    assert done.stdout == b"".join(b"out %d\n" % number for number in range(2000))
    assert done.stderr == b"".join(b"err %d\n" % number for number in range(2000))


def test_every_byte_there_is_comes_through(running: Mesh) -> None:
    """Not only text: zero bytes, carriage returns, and no line end at the end."""
    done = running.run("sh", "-c", r"printf '\000\001\r\n\377\376\r0%%\r\033[1m'; printf 'x\r' >&2")
    assert (done.stdout, done.stderr) == (b"\0\x01\r\n\xff\xfe\r0%\r\x1b[1m", b"x\r")


@pytest.mark.parametrize("messages", ["2>&-", "2>/dev/full"])
def test_a_program_whose_messages_nobody_can_take_goes_on_as_it_would_here(running: Mesh, messages: str) -> None:
    done = _redirected(running, messages, "sh", "-c", "echo lost >&2; echo found; echo lost >&2")
    assert (done.returncode, done.stdout) == (0, b"found\n")


def test_a_closed_standard_output_matters_only_to_a_program_that_writes_there(running: Mesh) -> None:
    done = _redirected(running, ">&-", "sh", "-c", "echo message >&2")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"message\n")
    done = _redirected(running, ">&-", "sh", "-c", "echo lost")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert b"stdout cannot be written: Bad file descriptor" in done.stderr


def test_output_is_seen_while_the_program_still_runs(running: Mesh, films: Path) -> None:
    script = 'echo first; while [ ! -e "$0" ]; do sleep 0.02; done; echo last'
    with ending(running.begin("run", "--", "sh", "-c", script, films / "go on")) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"first\n"
        (films / "go on").touch()
        assert finished(command) == (0, b"last\n", b"")


def test_a_slow_reader_slows_the_program_down_and_loses_nothing(running: Mesh) -> None:
    with ending(running.begin("run", "--", "ffmpeg", "-v", "error", *RAW_VIDEO)) as command:
        assert command.stdout is not None
        digest, taken = hashlib.sha256(), 0
        while block := command.stdout.read(4096 if taken < 1_000_000 else 1 << 20):
            digest.update(block)
            taken += len(block)
        assert command.wait(GENEROUS) == 0
    assert digest.digest() == hashlib.sha256(_locally(["ffmpeg", "-v", "error", *RAW_VIDEO]).stdout).digest()


def test_a_program_may_have_no_arguments(running: Mesh) -> None:
    done = running.run("true")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_many_long_arguments_arrive_as_they_are(running: Mesh) -> None:
    words = ["x" * 60_000, "ä" * 30_000, "y" * 50_000]
    done = running.run("sh", "-c", 'for word; do printf "%s\\n" "$word"; done', "sh", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{word}\n" for word in words).encode()


def test_arguments_that_no_message_can_hold_are_wrong_usage(running: Mesh) -> None:
    done = running.run("sh", "-c", "true", *["x" * 1023] * 200)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"too long" in done.stderr
    assert done.stderr.count(b"\n") == 1


def _redirected(running: Mesh, how: str, *line: str) -> "subprocess.CompletedProcess[bytes]":
    """`run`, with its standard streams as the shell makes them."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {how}', "sh", *PYTHON, "ffmesh_client", "run", "--", *line],
        env=running.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=GENEROUS,
        check=False,
    )


def _locally(line: list[str]) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=GENEROUS, check=False)


def _without_measurements(text: bytes) -> bytes:
    """ffmpeg tells how fast it was, which is another figure each time."""
    return re.sub(rb"(fps|speed)= *[0-9.e+]+", rb"\1", text)

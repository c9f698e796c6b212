"""What goes through the shim's standard streams is what went in, however much it is and however slowly it is read."""

import hashlib
import random
import shlex
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from end_to_end.outside import GENEROUS, ending, mesh, programs_with, until
from end_to_end.shims import LOCAL, Programs, Shim, shim_in
from support.mesh import frozen

SIZE = "640x480"
FRAME_BYTES = 640 * 480 * 3 // 2
FRAMES = 228
RAW_VIDEO = shlex.split(f"-v error -f lavfi -i testsrc2=size={SIZE}:rate=25 -frames:v {FRAMES} -pix_fmt yuv420p")
"""105 MB, the same bytes at each run."""

STALL_SECONDS = 5.0
HELPER_MIB = 96
"""Four megabytes of the stream and a Python with all that it has imported."""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shim, None, None]:
    place = tmp_path_factory.mktemp("streams")
    with (
        mesh(place / "home", "--slots", "4", "--root", f"Place={place}") as running,
        shim_in(running, place / "installed") as shim,
    ):
        yield shim


@pytest.fixture(scope="module")
def hash_of_ffmpeg() -> str:
    return hash_of(LOCAL)


def hash_of(programs: Programs, *words: str, stall: float = 0.0) -> str:
    """Of its standard output, as a process of its own reads it. It stands still for a while once it has begun."""
    producer = programs.begin(*RAW_VIDEO, *words, "-f", "rawvideo", "-")
    with ending(producer), ending(_reader(producer)) as reader:
        assert producer.stdout is not None
        producer.stdout.close()
        if stall:
            until(lambda: _has_read(reader.pid) > 1_000_000, "it reads")
            with frozen(reader.pid):
                time.sleep(stall)  # so long nobody reads; that is what is tried
        stdout, _ = reader.communicate(timeout=GENEROUS)
        assert producer.stderr is not None
        stderr = producer.stderr.read()
        assert (producer.wait(GENEROUS), stderr) == (0, b"")
    return stdout.decode().split()[0]


def _reader(producer: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sha256sum"], stdin=producer.stdout, stdout=subprocess.PIPE)


def _has_read(pid: int) -> int:
    (line,) = [each for each in Path(f"/proc/{pid}/io").read_text().splitlines() if each.startswith("rchar:")]
    return int(line.split()[1])


def test_a_hundred_megabytes_of_standard_output_are_those_of_ffmpeg_itself(shim: Shim, hash_of_ffmpeg: str) -> None:
    assert hash_of(shim) == hash_of_ffmpeg
    assert not shim.ran_here()


def test_a_reader_that_stands_still_loses_nothing_and_fills_no_memory(shim: Shim, hash_of_ffmpeg: str) -> None:
    assert hash_of(shim, stall=STALL_SECONDS) == hash_of_ffmpeg
    (helper,) = shim.helpers()
    assert _peak_mib(helper) < HELPER_MIB


def _peak_mib(pid: int) -> int:
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024


def test_what_goes_in_comes_out_at_the_same_time(shim: Shim) -> None:
    """Both ways at once, more than any buffer on the way holds."""
    content = random.Random(7).randbytes(FRAME_BYTES * 100)
    words = shlex.split(
        f"-v error -f rawvideo -video_size {SIZE} -pix_fmt yuv420p -i pipe:0 -c copy -f rawvideo pipe:1"
    )
    done = shim.ffmpeg(*words, stdin=content)
    assert (done.returncode, done.stderr) == (0, b"")
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(content).digest()
    assert not shim.ran_here()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 255), (signal.SIGTERM, 255), (signal.SIGQUIT, 255), (signal.SIGHUP, -signal.SIGHUP)],
)
def test_a_signal_ends_it_as_it_ends_ffmpeg(shim: Shim, number: signal.Signals, code: int) -> None:
    """To most of them ffmpeg says 255, once its file is whole; of others it dies."""
    for side in (LOCAL, shim):
        target = shim.client.with_name(f"{side.side} {number.name}.mkv")
        endless = shlex.split("-v error -re -f lavfi -i testsrc=size=64x64:rate=25 -c:v mpeg4 -flush_packets 1 -y")
        with ending(side.begin(*endless, target)) as process:
            until_written(target)
            process.send_signal(number)
            assert process.wait(GENEROUS) == code, side.side
        assert not programs_with("ffmpeg", str(target))
        assert bool(_duration(target)) == (code == 255)


def until_written(target: Path) -> None:
    until(lambda: target.exists() and target.stat().st_size, f"{target} is written")


def _duration(film: Path) -> bytes:
    """Nothing for one that was not finished."""
    done = LOCAL.run("ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", film)
    return done.stdout.replace(b"N/A", b"").strip()


def test_a_reader_that_has_gone_ends_it_as_it_ends_ffmpeg(shim: Shim) -> None:
    local, ours = _left_alone(LOCAL), _left_alone(shim)
    assert local[0] != 0
    assert ours == local


def _left_alone(programs: Programs) -> tuple[int, list[bytes]]:
    """Exit code and messages of one whose reader leaves. How often it says the first depends on how fast it is."""
    endless = shlex.split("-v error -f lavfi -i testsrc2=size=640x480:rate=25 -f rawvideo -")
    with ending(programs.begin(*endless)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(100)
        process.stdout.close()
        code, said = process.wait(GENEROUS), process.stderr.read().splitlines()
        return code, [line for line in said if b"message repeated" not in line]

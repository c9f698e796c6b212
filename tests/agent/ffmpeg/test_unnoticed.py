"""The real ffmpeg, with and without our own pipe for progress."""

import os
from pathlib import Path

import pytest

from ffmesh_agent.ffmpeg.argv import PROGRESS_DESCRIPTOR, command
from ffmesh_agent.ffmpeg.progress import ProgressReader
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.jobs import JobKind, Progress
from ffmesh_protocol.messages.orders import Grant
from ffmesh_warden.handle import Warden

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NULL = ("-f", "null", "-")
CALLS = [
    (),
    *(("-version",), ("-encoders",), ("-hwaccels",), ("-h",), ("-h", "filter=scale"), ("-L",), ("-y",), ("-i",)),
    *(("-no_such_option",), ("-i", "no such file.mkv"), ("-f", "lavfi", "-i", "nonsense", *NULL)),
    *(("-v", "verbose", "-i", "none"), ("-v", "debug", "-i", "none"), ("-loglevel", "repeat+trace", "-i", "none")),
    ("-v", "quiet", "-f", "lavfi", "-i", "sine=d=1", "-bitexact", "-f", "wav", "-"),
    ("-nostats", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=0.4:s=64x64", "-bitexact", "-f", "rawvideo", "pipe:1"),
    ("-progress", "pipe:1", "-version"),
]


def _grant(arguments: tuple[str, ...]) -> Grant:
    return Grant(
        attempt=ULID,
        job=ULID,
        number=1,
        kind=JobKind.DIRECT,
        program="ffmpeg",
        args=tuple((argument,) for argument in arguments),
        cwd=None,
        env={},
        umask=None,
        needs=Needs(program="ffmpeg"),
        timeout_seconds=None,
        audience=None,
    )


async def _run(warden: Warden, argv: tuple[bytes | str, ...], folder: Path) -> tuple[int | None, bytes, bytes, bytes]:
    """Exit code, stdout, stderr, and what came through descriptor 3."""
    files = [(folder / name).open("wb") for name in ("stdout", "stderr", "progress")]
    stdout, stderr, progress = (file.fileno() for file in files)
    environment = {"PATH": os.environ["PATH"]}
    program = await warden.start(
        argv, env=environment, cwd=folder, stdout=stdout, stderr=stderr, extra={PROGRESS_DESCRIPTOR: progress}
    )
    ended = await program.ended()
    for file in files:
        file.close()
    written = [Path(file.name).read_bytes() for file in files]
    return ended.exit_code, written[0], written[1], written[2]


@pytest.mark.parametrize("arguments", CALLS, ids=" ".join)
async def test_stdout_stderr_and_exit_code_are_the_same_byte_for_byte(
    arguments: tuple[str, ...], warden: Warden, tmp_path: Path
) -> None:
    plain = await _run(warden, ("ffmpeg", *arguments), tmp_path)
    ours = await _run(warden, command(_grant(arguments), {"ffmpeg": ""}, {}).argv, tmp_path)
    assert plain[1] + plain[2]
    if b"0x" in plain[2]:  # addresses of memory, in the lines of trace and debug
        assert (ours[0], len(ours[2].splitlines())) == (plain[0], len(plain[2].splitlines()))
    else:
        assert ours[:3] == plain[:3]


async def test_the_progress_of_a_real_encode_comes_through_the_pipe_and_nowhere_else(
    warden: Warden, tmp_path: Path
) -> None:
    arguments = ("-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=25", "-c:v", "mpeg4", "-f", "avi", "-")
    code, _, stderr, told = await _run(warden, command(_grant(arguments), {"ffmpeg": ""}, {}).argv, tmp_path)
    assert code == 0
    assert b"out_time_us" not in stderr
    last = ProgressReader().feed(told, 2.0)[-1]
    assert isinstance(last, Progress)
    assert (last.frame, last.percent) == (50, 100.0)

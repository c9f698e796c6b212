"""The real ffmpeg, asked to end by a key; and others that will not listen."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from agent.shell.stage import granted, stage
from ffmesh_agent.core.events import ProgramEnded, ProgramStarted, ProgressRead
from ffmesh_protocol.media import RootPath
from ffmesh_warden.handle import Warden

ENDLESS = ("-v", "info", "-re", "-f", "lavfi", "-i", "testsrc=s=64x64:r=10", "-c:v", "mpeg4")


def _at(name: str) -> tuple[RootPath]:
    return (RootPath(root="R", path=name),)


async def test_q_ends_an_encode_with_0_and_a_file_that_is_whole(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant = granted("ffmpeg", "-y", *ENDLESS, _at("out.mp4"))
        here.launch(grant)
        assert (await here.heard(ProgramStarted)).reads_keys
        while ((await here.heard(ProgressRead)).progress.frame or 0) < 3:
            pass
        here.programs.quit(grant.attempt)
        ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.signal) == (0, None)
        tail = await here.tails.read(grant.attempt)
        assert tail is not None
        assert tail.lines is not None
        assert any("[q] command received" in line.text for line in tail.lines)
        probed = await here.ended(granted("ffprobe", "-v", "error", "-count_frames", _at("out.mp4")))
        assert (probed.exit_code, probed.lengths.stderr) == (0, 0)
        here.programs.quit(grant.attempt)  # of one that has ended: nothing


async def test_a_question_whether_to_overwrite_is_answered_no_at_once(warden: Warden, tmp_path: Path) -> None:
    (tmp_path / "there.mkv").touch()
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        here.launch(granted("ffmpeg", *ENDLESS, _at("there.mkv")))
        assert not (await here.heard(ProgramStarted)).reads_keys
        assert (await here.heard(ProgramEnded)).exit_code == 1
    assert (tmp_path / "there.mkv").read_bytes() == b""


@pytest.mark.parametrize("name", ["-", "pipe:", "pipe:0", "/dev/stdin", "cache:pipe:0"])
async def test_an_ffmpeg_that_reads_data_from_standard_input_finds_its_end(
    name: str, warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        here.launch(granted("ffmpeg", "-y", "-f", "s16le", "-i", name, "-f", "null", "-"))
        assert not (await here.heard(ProgramStarted)).reads_keys
        assert (await here.heard(ProgramEnded)).signal is None


async def test_one_that_ignores_q_and_sigterm_is_killed_with_all_that_it_started(
    warden: Warden, tmp_path: Path
) -> None:
    """Its ffmpeg is a script, which keeps its standard input open and never reads it."""
    os.mkfifo(tmp_path / "ready")
    script = f"""#!/bin/sh
trap '' TERM
(trap '' TERM; setsid sleep 1000 & sleep 1000) &
echo >'{tmp_path}/ready'
while :; do sleep 0.01; done
"""
    (tmp_path / "stubborn").write_text(script)
    (tmp_path / "stubborn").chmod(0o755)
    async with stage(warden, tmp_path / "home", programs={"ffmpeg": str(tmp_path / "stubborn")}) as here:
        grant = granted("ffmpeg", "-y", "-i", "in.mkv", "out.mkv")
        here.launch(grant)
        assert (await here.heard(ProgramStarted)).reads_keys
        await asyncio.to_thread((tmp_path / "ready").read_bytes)
        for _ in range(100_000):  # more than its pipe holds
            here.programs.quit(grant.attempt)
        here.programs.terminate(grant.attempt)
        here.programs.kill(grant.attempt)
        ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.signal) == (None, signal.SIGKILL)

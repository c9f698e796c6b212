"""Twenty jobs of the real ffmpeg as the agent runs them, with our pipes, and plainly: nothing that one sees differs."""

import asyncio
import hashlib
import os
import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from agent.shell.stage import Client, granted, stage
from ffmesh_agent.core.events import ProgramEnded, ProgramStarted, ProgressRead
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.topics import Verb
from ffmesh_warden.handle import Warden

FILM: Final = "-f lavfi -i testsrc=d=2:s=64x64:r=25 -f lavfi -i sine=d=2"
EXACT: Final = "-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -c:v mpeg4 -c:a mp2 -threads 1"

JOBS: Final = (
    f"-y {FILM} {EXACT} out.mkv",
    f"{FILM} {EXACT} out.mkv",
    f"-hide_banner -y {FILM} {EXACT} out.mp4",
    f"-nostats -y {FILM} {EXACT} out.avi",
    f"-hide_banner -v error -stats -y {FILM} {EXACT} out.mkv",
    f"-v quiet -y {FILM} {EXACT} out.mkv",
    f"-v warning -n {FILM} {EXACT} out.mkv",
    f"-v verbose -y {FILM} {EXACT} out.mkv",
    f"-v level+info -y {FILM} {EXACT} out.mkv",
    f"-v debug -y {FILM} {EXACT} out.mkv",
    f"-stats_period 0.05 -y -re {FILM} {EXACT} -t 0.5 out.mkv",
    f"-y {FILM} {EXACT} -f matroska -",
    f"-y {FILM} {EXACT} -f mpegts pipe:1",
    f"-y {FILM} -f null -",
    f"-y {FILM} -map 0:v -f framemd5 -",
    f"-y {FILM} {EXACT} -progress pipe:1 out.mkv",
    f"-nostdin {FILM} {EXACT} -f hls -hls_time 1 out.m3u8",
    "-y -i missing.mkv out.mkv",
    f"-y {FILM} -c:v no_such_encoder out.mkv",
    f"-y {FILM} {EXACT} no/such/folder/out.mkv",
    f"-y {FILM} {EXACT} -f segment -segment_time 1 -reset_timestamps 1 out%d.ts {EXACT} -an other.mkv",
    f"-y -f rawvideo -s 64x64 -i - {EXACT} out.mkv",
    f"{FILM} {EXACT} there.mkv",
    "-hide_banner -h encoder=mpeg4",
)
WITHOUT_OURS: Final = ("-v verbose", "-v debug", "-progress pipe:1")


class Seen(NamedTuple):
    exit_code: int | None
    stdout: bytes
    stderr: list[bytes]
    files: dict[str, str]


_number = re.compile(rb"0x[0-9a-f]+")


def _lines(stderr: bytes) -> list[bytes]:
    """Without addresses and speeds, and without the progress lines in between: how many there are tells how fast this
    machine was just now. The last one stays."""
    lines = re.split(rb"(?<=[\r\n])", _number.sub(b"0x", stderr))
    return [re.sub(rb"(fps|speed)= *[^ \r\n]*", rb"\1=", line) for line in lines if not _comes_and_goes(line)]


def _plain(stdout: bytes) -> bytes:
    """Of progress that the caller asked for, the last block, as there are more on a slower machine."""
    if not stdout.endswith(b"progress=end\n"):
        return stdout
    last = stdout.split(b"progress=continue\n")[-1]
    return re.sub(rb"(?m)^(fps|speed)=.*", rb"\1=", last)


def _comes_and_goes(line: bytes) -> bool:
    return line.endswith(b"\r") and b"time=" in line


def _files(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    (folder / "there.mkv").write_bytes(b"was here before")
    return folder


async def _plainly(line: str, folder: Path) -> Seen:
    process = await asyncio.create_subprocess_exec(
        "ffmpeg",
        *line.split(),
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    return Seen(process.returncode, _plain(stdout), _lines(stderr), _files(folder))


async def _by_the_agent(line: str, folder: Path, warden: Warden, home: Path) -> tuple[Seen, bool, bool]:
    """And whether it read keys, and whether its progress was told."""
    async with stage(warden, home, {"R": str(folder)}) as here:
        grant = granted("ffmpeg", *line.split(), kind=JobKind.INTERACTIVE, cwd=RootPath(root="R", path=""))
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        here.streaming.connected(client)
        client.say_credit()
        here.launch(grant)
        reads_keys = (await here.heard(ProgramStarted)).reads_keys
        told = False
        while not isinstance(event := await here.next_event(), ProgramEnded):
            told = told or isinstance(event, ProgressRead)
        await client.until_complete()
        stdout, stderr = bytes(client.got[Verb.STDOUT]), bytes(client.got[Verb.STDERR])
        return Seen(event.exit_code, _plain(stdout), _lines(stderr), _files(folder)), reads_keys, told


@pytest.mark.parametrize("line", JOBS)
async def test_stdout_stderr_exit_code_and_files_are_equal(line: str, warden: Warden, tmp_path: Path) -> None:
    plain, (ours, reads_keys, told) = await asyncio.gather(
        _plainly(line, _fresh(tmp_path / "a")),
        _by_the_agent(line, _fresh(tmp_path / "b"), warden, tmp_path / "home"),
    )
    for name, with_ours, without in zip(Seen._fields, ours, plain, strict=True):
        assert with_ours == without, name
    assert reads_keys == (bool({"-y", "-n"} & set(line.split())) and " -i - " not in line)
    assert not (told and any(each in line for each in WITHOUT_OURS))
    if plain.exit_code == 0 and "-h" not in line.split() and not any(each in line for each in WITHOUT_OURS):
        assert told

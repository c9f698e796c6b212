"""Programs that write more than anybody reads, in odd ways: nothing hangs, memory stays bounded, nothing survives."""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from agent.shell.stage import Client, granted, stage, until
from ffmesh_agent.core.events import ProgramEnded, ProgramStarted
from ffmesh_protocol.limits import WINDOW_BYTES
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.topics import Verb
from ffmesh_warden.handle import Warden
from warden.living import lives

HERE: Final = RootPath(root="R", path="")
MEBIBYTE: Final = 1024 * 1024

KEPT_OF_AN_ATTEMPT: Final = 20 * MEBIBYTE
"""What agent/README.md promises for a program whose client stopped reading …"""

MARGIN: Final = 44 * MEBIBYTE
"""… and for what Python, the test's own client and this very test take for themselves."""


@contextmanager
def memory_stays_below(growth: int) -> Generator[None, None, None]:
    """The highest that this process has had, not what it has at the end."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        before = _kibibytes("VmRSS")
    except OSError:
        pytest.skip("the peak of memory cannot be measured here")
    yield
    assert (_kibibytes("VmHWM") - before) * 1024 < growth


def _kibibytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


async def test_200_megabytes_of_lines_that_end_in_cr_alone_freeze_nothing_and_are_not_kept(
    warden: Warden, tmp_path: Path
) -> None:
    block = (b"frame= 1001 fps= 24 q=28.0 size=    4096kB time=00:00:41.70 speed=1.01x\r" * 14_000)[:1_000_000]
    (tmp_path / "block").write_bytes(block)
    script = "i=0; while [ $i -lt 200 ]; do cat block >&2; i=$((i+1)); done; exit 4"
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        with memory_stays_below(MARGIN):
            grant = granted("sh", "-c", script, cwd=HERE)
            ended = await here.ended(grant)
        assert (ended.exit_code, ended.lengths.stderr) == (4, 200_000_000)
        kept = sum(file.stat().st_size for file in (tmp_path / "home" / "logs").iterdir())
        assert 0 < kept <= 64 * 1024


async def test_one_line_of_20_megabytes_that_never_ends_is_not_kept(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        with memory_stays_below(MARGIN):
            ended = await here.ended(granted("sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x >&2"))
        assert ended.lengths.stderr == 20_000_000


async def test_a_program_that_closes_stdout_and_goes_on_is_read_to_its_end(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("sh", "-c", "printf a; exec >&-; head -c 3000000 /dev/zero >&2; exit 3"))
        assert (ended.exit_code, ended.lengths.stdout, ended.lengths.stderr) == (3, 1, 3_000_000)


async def test_a_gigabyte_for_a_reader_that_stops_waits_and_is_drained_when_nobody_wants_it_any_more(
    warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        with memory_stays_below(KEPT_OF_AN_ATTEMPT + MARGIN):
            grant = granted("sh", "-c", "head -c 1000000000 /dev/zero; echo done >&2", kind=JobKind.INTERACTIVE)
            here.streaming.open(grant.attempt)
            client = Client(here.streaming, grant.attempt)
            client.reads = False
            here.streaming.connected(client)
            client.say_credit()
            here.launch(grant)
            await here.heard(ProgramStarted)
            await until(lambda: client.streams[Verb.STDOUT].received == WINDOW_BYTES)
            await until(lambda: here.streaming.kept_bytes >= WINDOW_BYTES)

            other = granted("sh", "-c", "exit 5")  # does not wait for it
            assert (await here.ended(other)).exit_code == 5
            assert here.streaming.kept_bytes <= KEPT_OF_AN_ATTEMPT

            here.streaming.close(grant.attempt)
            ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.lengths.stdout, ended.lengths.stderr) == (0, 1_000_000_000, 5)
        assert here.streaming.kept_bytes == 0


async def test_a_program_that_waits_for_its_reader_is_killed_with_its_children_and_nothing_survives(
    warden: Warden, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pids")
    script = "sleep 1000 & a=$!; setsid sleep 1000 & echo $$ $a $! >pids; while :; do head -c 1000000 /dev/zero; done"
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant = granted("sh", "-c", script, kind=JobKind.INTERACTIVE, cwd=HERE)
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        client.reads = False
        here.streaming.connected(client)
        client.say_credit()
        here.launch(grant)
        pids = [int(pid) for pid in (await asyncio.to_thread((tmp_path / "pids").read_text)).split()]
        await until(lambda: here.streaming.kept_bytes >= WINDOW_BYTES)
        here.programs.kill(grant.attempt)
        assert (await here.heard(ProgramEnded)).signal == 9
        assert not any(lives(pid) for pid in pids)
    assert list((tmp_path / "home" / "scratch").iterdir()) == []


async def test_a_program_has_a_session_a_group_and_a_folder_of_its_own(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        script = "cat /proc/$$/stat; readlink /proc/$$/cwd"
        await here.ended(granted("sh", "-c", f"({script}) >out", cwd=HERE))
        pid, rest = (tmp_path / "out").read_text().splitlines()[0].split(" ", 1)
        group, session = rest.rpartition(")")[2].split()[2:4]
        assert group == session == pid != str(os.getsid(0))
        assert (tmp_path / "out").read_text().splitlines()[1] == str(tmp_path)

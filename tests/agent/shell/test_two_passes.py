"""Two passes of ffmpeg are two jobs: where the first keeps its notes decides whether the second finds them."""

from pathlib import Path
from typing import Final

import pytest

from agent.shell.crashing import result_of
from agent.shell.stage import PROGRAMS, Stage, granted, stage
from ffmesh_agent.config import AgentConfig, BrokerPlace
from ffmesh_agent.core.effects import CommitOutput, DropOutput, SealOutput
from ffmesh_agent.core.events import OutputCommitted, OutputSealed, ProgramEnded
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.in_force import InForce
from ffmesh_protocol.media import Argument, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_warden import fences
from ffmesh_warden.handle import Warden

FILM: Final = ("-y", "-f", "lavfi", "-i", "testsrc=duration=0.2:size=64x64", "-c:v", "mpeg4", "-b:v", "100k")
FIRST: Final = (*FILM, "-pass", "1")
SECOND: Final = (*FILM, "-pass", "2")
NOWHERE: Final = ("-f", "null", "-")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def piece(path: str) -> Argument:
    return (RootPath(root="R", path=path),)


def fencing(root: Path) -> Fencing:
    """The best that there is here."""
    kind = next(iter(fences.found().kinds), None)
    config = AgentConfig(
        cluster="home",
        name="pi",
        secret=bytes(32),
        broker=BrokerPlace(host="127.0.0.1", port=1),
        roots={"R": str(root)},
        programs=PROGRAMS,
    )
    return Fencing(config, InForce(kind), "/usr/local/bin:/usr/bin:/bin")


async def ended(here: Stage, *args: str | Argument, cwd: RootPath | None = None) -> ProgramEnded:
    return await here.ended(granted("ffmpeg", *args, cwd=cwd))


async def test_notes_that_a_direct_job_is_told_to_keep_in_a_root_are_there_for_the_next(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    (root / "notes").mkdir()
    log = ("-passlogfile", piece("notes/of it"))
    async with stage(warden, tmp_path / "home", {"R": str(root)}, fencing=fencing(root)) as here:
        assert (await ended(here, *FIRST, *log, *NOWHERE)).exit_code == 0
        assert [each.name for each in (root / "notes").iterdir()] == ["of it-0.log"]
        assert (await ended(here, *SECOND, *log, piece("out.mkv"))).exit_code == 0
    assert (root / "out.mkv").exists()


async def test_without_a_name_they_lie_in_the_working_folder_if_that_is_in_a_root(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    in_the_root = RootPath(root="R", path="")
    async with stage(warden, tmp_path / "home", {"R": str(root)}, fencing=fencing(root)) as here:
        assert (await ended(here, *FIRST, *NOWHERE, cwd=in_the_root)).exit_code == 0
        assert [each.name for each in root.iterdir()] == ["ffmpeg2pass-0.log"]
        assert (await ended(here, *SECOND, "out.mkv", cwd=in_the_root)).exit_code == 0


async def test_else_they_go_with_the_private_folder_of_the_first_and_the_second_fails(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(root)}, fencing=fencing(root)) as here:
        assert (await ended(here, *FIRST, *NOWHERE)).exit_code == 0
        assert list(root.iterdir()) == []
        second = await ended(here, *SECOND, piece("out.mkv"))
    assert second.exit_code != 0
    assert any("ffmpeg2pass-0.log" in line for line in second.last_lines)


async def test_a_staged_job_keeps_them_as_an_output_and_the_next_finds_them_in_their_place(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    log = ("-passlogfile", piece("notes/x"))
    async with stage(warden, tmp_path / "home", {"R": str(root)}, fencing=fencing(root)) as here:
        await in_place(here, RootPath(root="R", path="notes/"), *FIRST, *log, *NOWHERE)
        assert [each.name for each in (root / "notes").iterdir()] == ["x-0.log"]
        await in_place(here, RootPath(root="R", path="out.mkv"), *SECOND, *log, piece("out.mkv"))
    assert (root / "out.mkv").exists()


async def in_place(here: Stage, output: RootPath, *args: str | Argument) -> None:
    grant = granted("ffmpeg", *args, kind=JobKind.STAGED, outputs=(output,))
    assert (await here.ended(grant)).exit_code == 0
    here.outputs.carry_out(SealOutput(result=result_of(grant.attempt)))
    await here.heard(OutputSealed)
    here.outputs.carry_out(CommitOutput(attempt=grant.attempt, until=boottime() + 1000))
    await here.heard(OutputCommitted)
    here.outputs.carry_out(DropOutput(attempt=grant.attempt))


async def test_a_staged_job_that_does_not_say_so_may_write_them_nowhere_in_the_root(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    guard = fencing(root)
    if not fences.found().kinds:
        pytest.skip("no fence here")
    args = (*FIRST, "-passlogfile", piece("x"), piece("out.mkv"))
    async with stage(warden, tmp_path / "home", {"R": str(root)}, fencing=guard) as here:
        end = await here.ended(
            granted("ffmpeg", *args, kind=JobKind.STAGED, outputs=(RootPath(root="R", path="out.mkv"),))
        )
    assert end.exit_code != 0
    assert not list(root.glob("x*"))

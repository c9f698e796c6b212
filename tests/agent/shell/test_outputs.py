"""Staged attempts from their grant to their place, with real programs; roots that hang are threads that wait."""

import asyncio
import threading
from pathlib import Path

import pytest

from agent.shell.crashing import ATTEMPT, HIDDEN, SPOOL, note_of, result_of
from agent.shell.stage import Stage, granted, stage, until
from ffmesh_agent.core.effects import CommitOutput, DropOutput, SealOutput
from ffmesh_agent.core.events import (
    Event,
    OutputCommitted,
    OutputNotCommitted,
    OutputNotSealed,
    OutputSealed,
    ProgramNotStarted,
    StagedOutput,
)
from ffmesh_agent.shell import making, sealing, staging
from ffmesh_agent.shell import outputs as outputs_module
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.held import Held
from ffmesh_agent.shell.journal import Journal, Made, StagedNote
from ffmesh_agent.shell.outputs import Outputs
from ffmesh_protocol.media import Argument, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_warden.handle import Warden

OUT = RootPath(root="R", path="a b/out.mkv")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "a b").mkdir(parents=True)
    return tmp_path / "root"


def staged(program: str, *args: str | Argument, output: RootPath = OUT) -> Grant:
    return granted(program, *args, kind=JobKind.STAGED, outputs=(output,))


def script(text: str, output: RootPath = OUT) -> Grant:
    """`$1` is the place that the output has for the program."""
    return staged("sh", "-c", text, "sh", (output,), output=output)


async def sealed(here: Stage, grant: Grant) -> None:
    assert (await here.ended(grant)).exit_code == 0
    here.outputs.carry_out(SealOutput(result=result_of(grant.attempt)))
    assert (await here.heard(OutputSealed)).attempt == grant.attempt


def committed(here: Stage, grant: Grant, seconds: float = 1000) -> None:
    here.outputs.carry_out(CommitOutput(attempt=grant.attempt, until=boottime() + seconds))


def dropped(here: Stage, grant: Grant) -> None:
    here.outputs.carry_out(DropOutput(attempt=grant.attempt))


async def test_a_real_encode_appears_at_its_place_by_permission_and_leaves_nothing_beside_it(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    args = ("-f", "lavfi", "-i", "testsrc=duration=0.2:size=64x64", (OUT,))
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        grant = staged("ffmpeg", *args)
        await sealed(here, grant)
        assert not (root / "a b" / "out.mkv").exists()
        committed(here, grant)
        assert await here.heard(OutputCommitted) == OutputCommitted(attempt=grant.attempt)
        assert (root / "a b" / "out.mkv").stat().st_size > 100
        dropped(here, grant)
        again = await here.refused(staged("ffmpeg", *args))
        assert (again.reason_code, again.failure) == (ReasonCode.NOT_STARTED, FailureKind.PERMANENT)
        assert again.sentence == "$R/a b/out.mkv exists already; say -y to replace it"
        await until(lambda: [file.name for file in (root / "a b").iterdir()] == ["out.mkv"])


async def test_a_film_is_replaced_by_what_was_made_of_it(warden: Warden, tmp_path: Path, root: Path) -> None:
    film = root / "a b" / "out.mkv"
    make = granted("ffmpeg", "-f", "lavfi", "-i", "testsrc=duration=0.2:size=64x64", (OUT,))
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        assert (await here.ended(make)).exit_code == 0
        before = film.read_bytes()
        grant = staged("ffmpeg", "-y", "-i", (OUT,), "-vf", "scale=32:32", (OUT,))
        await sealed(here, grant)
        assert film.read_bytes() == before
        committed(here, grant)
        await here.heard(OutputCommitted)
        assert film.read_bytes() != before


async def test_a_folder_is_made_for_the_program_and_takes_its_place_whole(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    parts = RootPath(root="R", path="a b/parts/")
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        grant = staged("sh", "-c", 'echo 1 >"$1"', "sh", (RootPath(root="R", path="a b/parts/1"),), output=parts)
        await sealed(here, grant)
        committed(here, grant)
        await here.heard(OutputCommitted)
    assert (root / "a b" / "parts" / "1").read_text() == "1\n"


async def test_what_failed_is_dropped_and_the_destination_was_never_touched(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    (root / "a b" / "out.mkv").write_text("old")
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        grant = script('echo half >"$1"; exit 3')
        assert (await here.ended(grant)).exit_code == 3
        dropped(here, grant)
        await until(lambda: [file.name for file in (root / "a b").iterdir()] == ["out.mkv"])
        await until(lambda: not any((tmp_path / "home" / "staged").iterdir()))
    assert (root / "a b" / "out.mkv").read_text() == "old"


async def test_a_missing_output_a_late_rename_and_a_missing_folder_are_said(
    warden: Warden, tmp_path: Path, root: Path
) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        nothing = script("true")
        await here.ended(nothing)
        here.outputs.carry_out(SealOutput(result=result_of(nothing.attempt)))
        refused = await here.heard(OutputNotSealed)
        assert (refused.attempt, refused.failure) == (nothing.attempt, FailureKind.PERMANENT)
        late = script('echo >"$1"')
        await sealed(here, late)
        committed(here, late, seconds=0)
        said = await here.heard(OutputNotCommitted)
        assert (said.attempt, said.too_late) == (late.attempt, True)
        committed(here, late)
        await here.heard(OutputCommitted)
        lost = await here.refused(script("true", RootPath(root="R", path="none/out")))
        assert (lost.failure, lost.sentence) == (FailureKind.INPUT, "there is no folder $R/none for its output")
        dropped(here, lost_grant := script("true"))  # of one that never began: nothing
        assert lost_grant.attempt not in {file.stem for file in (tmp_path / "home" / "staged").iterdir()}


async def test_a_root_that_hangs_holds_up_no_other_and_what_waits_for_it_can_be_given_up(
    warden: Warden, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, really = threading.Event(), making.make

    def make(note: StagedNote, held: Held, umask: int | None) -> tuple[Made, ...]:
        if note.places[0].base == b"dead":
            answers.wait(60)
        return really(note, held, umask)

    (root / "dead").mkdir()
    monkeypatch.setattr(making, "make", make)
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        stuck = script('echo >"$1"', RootPath(root="R", path="dead/out"))
        here.launch(stuck)
        well = script('echo >"$1"')
        await sealed(here, well)
        here.programs.terminate(stuck.attempt)
        here.programs.kill(stuck.attempt)
        assert (await here.heard(ProgramNotStarted)).attempt == stuck.attempt
        dropped(here, stuck)
        answers.set()
        await until(lambda: not any((root / "dead").iterdir()))
        await until(lambda: [file.stem for file in (tmp_path / "home" / "staged").iterdir()] == [well.attempt])


async def test_a_root_that_does_not_answer_in_time_is_not_there(
    warden: Warden, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()

    def begin(*_: object, **__: object) -> None:
        answers.wait(60)

    monkeypatch.setattr(outputs_module, "BEGIN_SECONDS", 0.01)
    monkeypatch.setattr(staging, "begin", begin)
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        refused = await here.refused(script("true"))
        assert (refused.failure, refused.sentence) == (FailureKind.NODE, "$R/a b does not answer")
        answers.set()


# --- what earlier lives left ------------------------------------------------------------------------------------------


async def restored(home: Path, root: Path) -> tuple[StagedOutput, ...]:
    events = asyncio.Queue[Event]()
    async with asyncio.TaskGroup() as tasks:
        journal = Journal(home / "staged", SPOOL)
        return await Outputs(journal, {"R": str(root)}, tasks, events.put_nowait).restored()


def left_sealed(home: Path, root: Path, spool: str = SPOOL) -> None:
    journal = Journal(home / "staged", spool)
    list(journal.found())
    note = staging.begin(journal, note_of(journal, root), umask=None, may_replace=True)
    (root / HIDDEN / "out").write_text("new")
    sealing.seal(journal, note, result_of(ATTEMPT))


async def test_a_damaged_note_and_one_of_a_copied_home_are_set_aside_and_touch_nothing(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left_sealed(tmp_path, root, spool="another")
    (tmp_path / "staged" / "half.json").write_bytes(b'{"attempt":')
    (tmp_path / "staged" / "half.new").write_bytes(b"{")
    assert await restored(tmp_path, root) == ()
    assert "this one a copy" in caplog.text
    assert sorted(file.name for file in (tmp_path / "staged").iterdir()) == sorted(
        [f"{ATTEMPT}.json.damaged", "half.json.damaged"]
    )
    assert (root / HIDDEN / "out").read_text() == "new"


async def test_what_was_whole_and_is_gone_is_lost_and_forgotten(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left_sealed(tmp_path, root)
    (root / HIDDEN / "out").unlink()
    assert await restored(tmp_path, root) == ()
    assert "$R/out is gone" in caplog.text
    assert list((tmp_path / "staged").iterdir()) == []
    assert not (root / HIDDEN).exists()


async def test_a_root_that_hangs_keeps_no_agent_from_starting_and_its_output_is_taken_for_whole(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_sealed(tmp_path, root)
    answers = threading.Event()

    def standing(_: Journal, __: StagedNote) -> staging.Standing:
        answers.wait(60)
        return staging.Standing.GONE

    monkeypatch.setattr(outputs_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(staging, "standing", standing)
    (left,) = await restored(tmp_path, root)
    assert (left.result.attempt, left.committed) == (ATTEMPT, False)
    answers.set()


@pytest.mark.parametrize("step", ["begin", "seal", "commit", "drop"])
async def test_what_nobody_expected_in_a_step_ends_its_attempt_only(
    step: str, warden: Warden, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    said = "the agent failed at it: ZeroDivisionError"
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        monkeypatch.setattr(sealing if step == "seal" else staging, step, failing)
        grant = script('echo >"$1"')
        if step == "begin":
            refused = await here.refused(grant)
            assert (refused.sentence, refused.failure) == (said, FailureKind.NODE)
        elif step == "seal":
            await here.ended(grant)
            here.outputs.carry_out(SealOutput(result=result_of(grant.attempt)))
            not_sealed = await here.heard(OutputNotSealed)
            assert (not_sealed.sentence, not_sealed.failure) == (said, FailureKind.NODE)
        else:
            await sealed(here, grant)
        if step == "commit":
            committed(here, grant)
            not_committed = await here.heard(OutputNotCommitted)
            assert (not_committed.sentence, not_committed.failure) == (said, FailureKind.NODE)
        dropped(here, grant)
        assert (await here.ended(granted("true"))).exit_code == 0

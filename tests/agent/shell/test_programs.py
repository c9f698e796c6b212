import asyncio
import base64
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.shell.stage import granted, stage, until
from ffmesh_agent.core.events import ProgramEnded, ProgramNotStarted, ProgramStarted, ProgressRead
from ffmesh_agent.ffmpeg import keys
from ffmesh_agent.shell import programs as programs_module
from ffmesh_agent.shell.tails import Tail
from ffmesh_protocol.media import RawBytes, RootPath
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_warden.handle import Warden
from ffmesh_warden.link import Link


async def test_a_program_starts_ends_and_leaves_no_folder(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("sh", "-c", "printf out; printf error >&2; mkdir -p a/b; chmod 0 a; exit 7")
        here.launch(grant)
        assert (await here.heard(ProgramStarted)).attempt == grant.attempt
        ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.signal) == (7, None)
        assert (ended.lengths.stdout, ended.lengths.stderr) == (3, 5)
        assert 0 < ended.seconds < 60
    assert list(here.scratch.iterdir()) == []


async def test_what_is_stopped_while_its_warden_is_frozen_never_runs(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant = granted("sh", "-c", "echo >ran", cwd=RootPath(root="R", path=""))
        await here.ended(granted("true"))
        os.kill(warden.pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as patch:
                ordered = _ordered(patch)
                here.launch(grant)
                await ordered.wait()
            here.programs.terminate(grant.attempt)
            assert (await here.heard(ProgramNotStarted)).attempt == grant.attempt
        finally:
            os.kill(warden.pid, signal.SIGCONT)
        await here.ended(granted("true"))  # the warden has done by now what it was told before
        assert not (tmp_path / "ran").exists()


async def test_the_folder_is_private_empty_and_also_home_and_the_place_for_temporary_files(
    warden: Warden, tmp_path: Path
) -> None:
    script = 'ls -A; test "$PWD" = "$HOME" && test "$PWD" = "$TMPDIR" && test "$(stat -c %a .)" = 700'
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("sh", "-c", script))
        assert (ended.exit_code, ended.lengths.stdout) == (0, 0)


async def test_a_program_starts_in_the_folder_of_its_grant(warden: Warden, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a b" / "ü").mkdir(parents=True)
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        ended = await here.ended(granted("sh", "-c", "echo >here", cwd=RootPath(root="R", path="a b/ü")))
        assert ended.exit_code == 0
    assert (root / "a b" / "ü" / "here").exists()


async def test_paths_with_spaces_and_letters_and_bytes_that_are_no_utf_8_arrive_as_they_are(
    warden: Warden, tmp_path: Path
) -> None:
    root = tmp_path / "die Größe"
    root.mkdir()
    source = os.fsencode(root) + b"/in \xff'\".bin"
    Path(os.fsdecode(source)).write_bytes(b"content")
    raw = RawBytes(base64=base64.b64encode(b"in \xff'\".bin").decode())
    async with stage(warden, tmp_path / "home", {"R": str(root)}) as here:
        ended = await here.ended(granted("cp", (RootPath(root="R", path=""), raw), (RootPath(root="R", path="öut"),)))
        assert ended.exit_code == 0
    assert (root / "öut").read_bytes() == b"content"


async def test_new_files_have_the_umask_of_the_caller(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        await here.ended(granted("sh", "-c", "echo >new", cwd=RootPath(root="R", path=""), umask=0o027))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


async def test_standard_input_is_at_its_end(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("cat"))
        assert (ended.exit_code, ended.lengths.stdout) == (0, 0)


async def test_the_end_by_a_signal_is_told_as_it_was(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("sh", "-c", "kill -SEGV $$"))
        assert (ended.exit_code, ended.signal) == (None, signal.SIGSEGV)


async def test_terminate_and_kill_reach_the_whole_group(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        for order, number in ((here.programs.terminate, signal.SIGTERM), (here.programs.kill, signal.SIGKILL)):
            grant = granted("sh", "-c", "sleep 1000 & wait")
            here.launch(grant)
            await here.heard(ProgramStarted)
            order(grant.attempt)
            ended = await here.heard(ProgramEnded)
            assert (ended.exit_code, ended.signal) == (None, number)


async def test_a_program_that_ignores_sigterm_is_killed_by_sigkill(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path, {"R": str(tmp_path)}) as here:
        os.mkfifo(tmp_path / "ready")
        script = "trap '' TERM; echo >ready; while :; do sleep 0.01; done"
        grant = granted("sh", "-c", script, cwd=RootPath(root="R", path=""))
        here.launch(grant)
        await here.heard(ProgramStarted)
        await asyncio.to_thread((tmp_path / "ready").read_bytes)
        here.programs.terminate(grant.attempt)
        here.programs.kill(grant.attempt)
        assert (await here.heard(ProgramEnded)).signal == signal.SIGKILL


async def test_a_signal_that_comes_while_the_program_starts_is_not_lost(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("sleep", "1000")
        here.launch(grant)
        here.programs.terminate(grant.attempt)
        assert (await here.heard(ProgramNotStarted)).sentence == "it was stopped before it began"
        here.programs.terminate(grant.attempt)  # of one that has ended: nothing


@pytest.mark.parametrize(
    ("program", "argument", "sentence"),
    [
        ("bash", "-c", "bash is not on this agent's list of programs"),
        ("cat", "/etc/hostname", "/etc/hostname is an absolute path under no root"),
        ("cat", "../../hostname", "leads out of the folder"),
    ],
)
async def test_what_the_agent_refuses_is_refused_with_a_sentence_and_never_started(
    program: str, argument: str, sentence: str, warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        refused = await here.refused(granted(program, argument))
        assert (refused.reason_code, refused.failure) == (ReasonCode.REFUSED_BY_AGENT, FailureKind.PERMANENT)
        assert sentence in refused.sentence
    assert list(here.scratch.iterdir()) == []


async def test_what_cannot_be_started_says_why(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path, {"R": str(tmp_path)}) as here:
        refused = await here.refused(granted("true", cwd=RootPath(root="R", path="none")))
        assert (refused.reason_code, refused.sentence) == (ReasonCode.NOT_STARTED, "no folder $R/none")
        assert refused.failure is FailureKind.NODE
        refused = await here.refused(granted("sh", "-c", "true", env={"LC_ALL": "a\0b"}))
        assert (refused.reason_code, refused.failure) == (ReasonCode.NOT_STARTED, FailureKind.PERMANENT)
        await until(lambda: not any(here.scratch.iterdir()))
        here.scratch.rmdir()
        refused = await here.refused(granted("true"))
        assert "no private folder for it" in refused.sentence
        assert refused.failure is FailureKind.NODE


async def test_a_failure_is_judged_by_the_end_of_standard_error_and_a_success_is_none(
    warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        assert (await here.ended(granted("sh", "-c", "echo No space left on device >&2"))).failure is None
        full = "yes 'much was said' | head -c 1000000 >&2; echo x: No space left on device >&2; exit 1"
        assert (await here.ended(granted("sh", "-c", full))).failure is FailureKind.NODE
        assert (await here.ended(granted("sh", "-c", "exit 3"))).failure is FailureKind.TRANSIENT
        assert (await here.ended(granted("ffmpeg", "-i", "none.mkv", "out.mkv"))).failure is FailureKind.INPUT
        assert (await here.ended(granted("ffmpeg", "-nonsense"))).failure is FailureKind.PERMANENT


async def test_why_a_program_did_not_start_says_nothing_of_where_things_are_here(
    warden: Warden, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        cwd = RootPath(root="R", path="file")
        not_a_folder = await here.refused(granted("true", cwd=cwd))
        missing = await here.refused(granted("moved"))
    assert not_a_folder.sentence == "$R/file is not a folder"
    assert missing.sentence == "no program moved"


async def test_the_environment_is_ours_and_small_and_takes_harmless_names_of_the_caller_only(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/x")
    asked = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "AV_LOG_FORCE_NOCOLOR": "1", "PATH": "/evil", "LD_PRELOAD": "/evil"}
    asked |= {"FFREPORT": "file=x", "HOME": "/root", "TMPDIR": "/evil"}
    async with stage(warden, tmp_path, {"R": str(tmp_path)}) as here:
        grant = granted("sh", "-c", "env >env", cwd=RootPath(root="R", path=""), env=asked)
        await here.ended(grant)
    lines = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    private = str(tmp_path / "scratch" / grant.attempt)
    assert (lines.pop("HOME"), lines.pop("TMPDIR")) == (private, private)
    assert (lines["PATH"], lines["LC_ALL"], lines["TZ"]) == (os.environ["PATH"], "C.UTF-8", "UTC")
    assert lines["AV_LOG_FORCE_NOCOLOR"] == "1"
    assert not {"SECRET_OF_THE_DAEMON", "LD_LIBRARY_PATH", "LD_PRELOAD", "FFREPORT"} & lines.keys()


async def test_a_hundred_megabytes_that_nobody_reads_are_read_all_the_same(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("sh", "-c", "yes | head -c 100000000; yes 1 | head -c 1000000 >&2"))
        assert (ended.lengths.stdout, ended.lengths.stderr) == (100_000_000, 1_000_000)


async def test_twenty_megabytes_of_lines_that_end_in_cr_alone_freeze_nothing_and_leave_a_small_tail(
    warden: Warden, tmp_path: Path
) -> None:
    script = "yes 'frame= 1 fps=1' | tr '\\n' '\\r' | head -c 20000000 >&2; printf '\\rthe end' >&2"
    async with stage(warden, tmp_path) as here:
        grant = granted("sh", "-c", script)
        ended = await here.ended(grant)
        assert ended.lengths.stderr == 20_000_008
        part = await here.tails.read(grant.attempt)
        assert part is not None
        lines = part.lines
        assert lines is not None
        assert [line.text for line in lines[-3:]] == ["frame= 1 fps=1", "frame", "the end"]
        assert sum(file.stat().st_size for file in (tmp_path / "logs").iterdir()) <= 64 * 1024


async def test_a_program_that_closes_its_streams_lives_on_and_its_end_is_seen(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("sh", "-c", "exec >&- 2>&-; sleep 0.05; exit 3"))
        assert ended.exit_code == 3


async def test_a_child_left_behind_holds_nothing_open(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("sh", "-c", "sleep 1000 & setsid sleep 1000 & echo done"))
        assert (ended.exit_code, ended.lengths.stdout) == (0, 5)


async def test_twenty_at_once_end_each_with_its_own_code(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grants = [granted("sh", "-c", f"exit {code}") for code in range(20)]
        for grant in grants:
            here.launch(grant)
        ends = [await here.heard(ProgramEnded) for _ in grants]
        assert {end.attempt: end.exit_code for end in ends} == {each.attempt: code for code, each in enumerate(grants)}


async def test_a_real_encode_tells_its_progress_and_its_percentage(warden: Warden, tmp_path: Path) -> None:
    film, copy = (RootPath(root="R", path="film.mkv"),), (RootPath(root="R", path="copy.mkv"),)
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        made = granted("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=4:s=160x120", "-c:v", "mpeg4", film)
        assert (await here.ended(made)).exit_code == 0
        here.launch(granted("ffmpeg", "-i", film, "-c:v", "mpeg4", copy))
        while (told := (await here.heard(ProgressRead)).progress).frame != 100:
            pass
        assert told.percent is not None
        assert 98 <= told.percent <= 100
        assert (await here.heard(ProgramEnded)).exit_code == 0


async def test_when_the_warden_dies_no_end_is_made_up(tmp_path: Path) -> None:
    async with Warden.started() as warden, stage(warden, tmp_path) as here:
        here.launch(granted("sleep", "1000"))
        await here.heard(ProgramStarted)
        os.kill(warden.pid, signal.SIGKILL)
        await warden.died()
    assert here.is_silent


async def test_what_nobody_expected_in_one_attempt_ends_no_other_and_not_the_agent(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    really, unlucky = keys.reads_keys, granted("sh", "-c", "true", "unlucky")

    def reads_keys(program: str, argv: Sequence[bytes]) -> bool:
        if b"unlucky" in argv:
            raise ZeroDivisionError
        return really(program, argv)

    monkeypatch.setattr(programs_module, "reads_keys", reads_keys)
    async with stage(warden, tmp_path) as here:
        here.launch(other := granted("sleep", "1000"))
        await here.heard(ProgramStarted)
        refused = await here.refused(unlucky)
        assert (refused.attempt, refused.failure) == (unlucky.attempt, FailureKind.NODE)
        assert refused.sentence == "the agent failed at it: ZeroDivisionError"
        here.programs.terminate(other.attempt)
        assert (await here.heard(ProgramEnded)).signal == signal.SIGTERM
        await until(lambda: not any(here.scratch.iterdir()))
    assert "in reads_keys" in caplog.text


async def test_a_program_that_cannot_be_attended_to_is_killed_and_has_failed(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def feed(_: Tail, seconds: float, block: bytes) -> None:
        raise ZeroDivisionError(seconds, block)

    monkeypatch.setattr(Tail, "feed", feed)
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("sh", "-c", "echo >&2; sleep 1000"))
        assert (ended.exit_code, ended.signal, ended.failure) == (None, signal.SIGKILL, FailureKind.NODE)
        assert ended.reason == "the agent failed at it: ZeroDivisionError; its program was killed"
        assert (await here.ended(granted("sh", "-c", "true"))).exit_code == 0
    assert list(here.scratch.iterdir()) == []


async def test_what_nobody_expected_after_a_good_end_is_no_success(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failure_kind(*_: object) -> FailureKind | None:
        raise ZeroDivisionError

    monkeypatch.setattr(programs_module, "failure_kind", failure_kind)
    async with stage(warden, tmp_path) as here:
        ended = await here.ended(granted("true"))
        assert (ended.exit_code, ended.signal, ended.failure) == (None, signal.SIGKILL, FailureKind.NODE)


def _ordered(patch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when the warden has been told to start something, and has yet to answer."""
    ordered = asyncio.Event()
    post = Link.post

    def told(link: Link, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        post(link, message, descriptors)
        if message["verb"] == "start":
            ordered.set()

    patch.setattr(Link, "post", told)
    return ordered

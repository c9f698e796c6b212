"""A program behind a fence is what it would be without: its number, group and end, or a sentence why there is none."""

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest

from ffmesh_warden.errors import NotStarted
from ffmesh_warden.fence import Kind
from ffmesh_warden.handle import Warden
from warden.fenced import KINDS, Place, all_of, each_kind, needs
from warden.living import PATH, gone, is_stopped, lives, owner_of, until, written_pid


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, warden: Warden, tmp_path: Path) -> Place:
    return Place.made(warden, tmp_path, request.param)


@pytest.mark.parametrize(
    ("script", "exit_code", "by"),
    [
        ("exit 0", 0, None),
        ("exit 7", 7, None),
        ("exit 143", 143, None),
        ("kill -TERM $$", None, signal.SIGTERM),
        ("kill -SEGV $$", None, signal.SIGSEGV),
        ("kill -KILL $$", None, signal.SIGKILL),
    ],
)
async def test_exit_code_and_signal_are_the_programs_own(
    place: Place, script: str, exit_code: int | None, by: int | None
) -> None:
    ended, _ = await place.ran(["sh", "-c", script])
    assert (ended.exit_code, ended.signal) == (exit_code, by)


async def test_a_program_may_finish_its_work_when_its_group_gets_a_signal(place: Place) -> None:
    script = "trap 'echo last words >end; exit 5' TERM; touch ready; while :; do sleep 0.01; done"
    program = await place.warden.start(["sh", "-c", script], env=PATH, cwd=place.writable, fence=place.fence)
    await until((place.writable / "ready").exists)
    program.signal(signal.SIGTERM)
    assert (await program.ended()).exit_code == 5
    assert (place.writable / "end").read_text() == "last words\n"


async def test_a_program_leads_its_session_and_group_and_is_the_wardens_child(place: Place) -> None:
    program = await place.warden.start(["sleep", "1000"], env=PATH, cwd=place.writable, fence=place.fence)
    assert os.getsid(program.pid) == os.getpgid(program.pid) == program.pid
    stat = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    assert int(stat[1]) == place.warden.pid
    assert Path(f"/proc/{program.pid}/comm").read_text() == "sleep\n"


async def test_a_stopped_program_goes_on_where_it_was(place: Place) -> None:
    program = await place.warden.start(["sleep", "1000"], env=PATH, cwd=place.writable, fence=place.fence)
    program.signal(signal.SIGSTOP)
    await until(lambda: is_stopped(program.pid))
    program.signal(signal.SIGCONT)
    await until(lambda: not is_stopped(program.pid))
    program.signal(signal.SIGTERM)
    assert (await program.ended()).signal == signal.SIGTERM


async def test_signals_are_as_a_program_expects_them_behind_a_fence_too(place: Place) -> None:
    open_proc = place.but(read=(*place.fence.read, b"/proc"))
    _, said = await open_proc.ran(["cat", "/proc/self/status"])
    status = dict(line.split(":\t", 1) for line in said.splitlines())
    ours = ~(1 << 32 - 1 | 1 << 33 - 1)  # see test_starting.py
    assert {int(status[name], 16) & ours for name in ("SigIgn", "SigBlk", "SigCgt", "SigPnd")} == {0}


async def test_no_other_descriptor_is_open_behind_a_fence(place: Place) -> None:
    open_proc = place.but(read=(*place.fence.read, b"/proc"))
    assert (await open_proc.ran(["sh", "-c", "ls /proc/$$/fd"]))[1].split() == ["0", "1", "2"]


async def test_what_left_the_session_of_a_fenced_program_ends_with_it(place: Place) -> None:
    # `setsid` execs, so the child is already another session's when its number is there.
    script = "setsid sh -c 'echo $$ >child; exec sleep 1000' & while ! [ -s child ]; do sleep 0.01; done"
    await place.ran(["sh", "-c", script + "; exit 3"])
    assert not lives(await written_pid(place.writable / "child"))


async def test_a_deadline_ends_a_fenced_program(place: Place) -> None:
    program = await place.warden.start(["sleep", "1000"], env=PATH, cwd=place.writable, fence=place.fence)
    program.kill_at(0.0)
    ended = await program.ended()
    assert (ended.signal, ended.by_deadline) == (signal.SIGKILL, True)


@each_kind
@pytest.mark.parametrize("user", [None, "nobody"])
async def test_a_fenced_program_dies_with_its_warden(kind: Kind, user: str | None) -> None:
    needs(kind)
    if user is not None and os.geteuid() != 0:
        pytest.skip("only root may change the user")
    with owner_of(["sleep", "1000"], fence=kind, user=user) as owner:
        os.kill(owner.pid, signal.SIGSTOP)  # so that it is the kernel's doing, and not the owner's
        os.kill(owner.warden, signal.SIGKILL)
        await gone(owner.program)


async def test_umask_and_niceness_are_the_given_ones(place: Place) -> None:
    read, write = os.pipe()
    program = await place.warden.start(
        ["sh", "-c", "touch new; nice"],
        env=PATH,
        cwd=place.writable,
        fence=place.fence,
        umask=0o027,
        nice=7,
        stdout=write,
    )
    os.close(write)
    await program.ended()
    assert all_of(read) == b"7\n"
    assert (place.writable / "new").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("argv", "sentences"),
    [
        (["no-such"], {"landlock": "no program no-such in PATH", "bubblewrap": "no program no-such in PATH within"}),
        (["/no/such"], {"landlock": "no program /no/such", "bubblewrap": "no program /no/such within its fence"}),
        (["/usr"], dict.fromkeys(KINDS, "/usr is a folder, not a program")),
    ],
)
async def test_a_program_that_cannot_be_started_behind_a_fence_is_told_as_ever(
    place: Place, argv: list[str], sentences: dict[str, str]
) -> None:
    with pytest.raises(NotStarted) as refusal:
        await place.ran(argv)
    assert refusal.value.sentence.startswith(sentences[place.fence.kind])


async def test_a_program_outside_of_its_fence_is_told_so(place: Place) -> None:
    program = Path(shutil.copy("/bin/true", place.outside / "true"))
    with pytest.raises(NotStarted) as refusal:
        await place.ran([program])
    if place.fence.kind == "landlock":
        told = f"{program}, or the interpreter or the file that it points to, is outside of its fence"
        assert (refusal.value.errno, refusal.value.sentence) == (errno.EACCES, told)
    else:
        told = f"no program {program} within its fence"
        assert (refusal.value.errno, refusal.value.sentence) == (errno.ENOENT, told)


async def test_a_program_that_is_not_executable_is_told_so_and_not_that_it_is_fenced(place: Place) -> None:
    (place.readable / "file").chmod(0o644)
    with pytest.raises(NotStarted, match="/file is not executable"):
        await place.ran([place.readable / "file"])


async def test_a_folder_that_a_room_has_not_is_told_so(warden: Warden, tmp_path: Path) -> None:
    place = Place.made(warden, tmp_path, "bubblewrap")
    with pytest.raises(NotStarted, match=r"no folder .*/outside within its fence"):
        await warden.start(["true"], env=PATH, cwd=place.outside, fence=place.fence)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg here")
async def test_ffmpeg_encodes_behind_a_fence(place: Place) -> None:
    real = place.but(read=(*place.fence.read, b"/etc/alternatives"))
    source, made = place.readable / "in.mkv", place.writable / "out.mkv"
    make = ("-f", "lavfi", "-i", "testsrc=duration=0.4:size=64x64:rate=10", "-c:v", "ffv1")
    ended, said = await place.ran(["ffmpeg", "-v", "error", "-nostdin", *make, source], free=True)
    assert ended.exit_code == 0, said
    encode = ("-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-progress", "pipe:1", made)
    ended, said = await real.ran(["ffmpeg", "-v", "error", "-nostdin", *encode])
    assert (ended.exit_code, said.splitlines()[-1]) == (0, "progress=end")
    assert made.stat().st_size > 0
    ended, said = await real.ran(["ffmpeg", "-v", "error", "-nostdin", "-i", place.outside / "file", "-f", "null", "-"])
    assert ended.exit_code != 0
    assert str(place.outside / "file") in said

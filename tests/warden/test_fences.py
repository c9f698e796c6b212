"""Which fences a machine has, as it is found out by trying; and that a program waits for its fence."""

import asyncio
import errno
import os
import shutil
import signal
from pathlib import Path

import pytest

from ffmesh_warden import calls, enclosing, landlock, strays
from ffmesh_warden.errors import NotStarted, WardenDied
from ffmesh_warden.fence import Fence, Kind
from ffmesh_warden.fences import BEST_FIRST, found
from ffmesh_warden.handle import Warden, boottime
from warden.fenced import PYTHON, each_kind, found_here, needs
from warden.living import PATH, SOURCE, gone, lives, written_pid


def test_each_kind_is_found_or_missing_with_a_sentence() -> None:
    here = found_here()
    assert set(here.kinds) | here.missing.keys() == set(BEST_FIRST)
    assert not set(here.kinds) & here.missing.keys()
    assert here.kinds == tuple(kind for kind in BEST_FIRST if kind in here.kinds)
    assert all(len(sentence) > 10 for sentence in here.missing.values())


@pytest.fixture
def bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only one on the path."""
    found_here()  # which of them this machine has is asked with its own bwrap
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "bwrap"


def pretended(bwrap: Path, says: str) -> None:
    bwrap.write_text(f"#!/bin/sh\necho '{says}' >&2; exit 1\n")
    bwrap.chmod(0o755)


def test_without_bwrap_it_is_said_what_to_install(bwrap: Path) -> None:
    assert not bwrap.exists()
    assert found().missing["bubblewrap"] == "bwrap is not installed (the package is called bubblewrap)"


@pytest.mark.parametrize(
    ("says", "sentence"),
    [
        (
            "bwrap: setting up uid map: Permission denied",
            "user namespaces are not allowed here (bwrap: setting up uid map: Permission denied)",
        ),
        (
            "bwrap: Creating new namespace failed: Operation not permitted",
            "user namespaces are not allowed here (bwrap: Creating new namespace failed: Operation not permitted)",
        ),
        ("bwrap: Unknown option --json-status-fd", "bwrap cannot build a room: Unknown option --json-status-fd"),
    ],
)
def test_a_bwrap_that_cannot_work_is_quoted(bwrap: Path, says: str, sentence: str) -> None:
    pretended(bwrap, says)
    assert found().missing["bubblewrap"] == sentence


async def test_a_program_whose_fence_cannot_be_put_up_does_not_run(bwrap: Path, tmp_path: Path) -> None:
    pretended(bwrap, "bwrap: Creating new namespace failed: Operation not permitted")
    async with Warden.started() as warden:
        fence = Fence("bubblewrap", (b"/usr", b"/lib", b"/lib64", b"/bin"), (bytes(tmp_path),))
        with pytest.raises(NotStarted, match="touch gets no fence: user namespaces are not allowed here") as refusal:
            await warden.start(["touch", "it-ran"], env=PATH, cwd=tmp_path, fence=fence)
        assert refusal.value.errno
    assert not (tmp_path / "it-ran").exists()


async def test_a_room_that_was_left_unfinished_is_not_entered(bwrap: Path, tmp_path: Path) -> None:
    # It is there, with all its namespaces, and says that it ended well.
    bwrap.write_text(f'#!/bin/sh\n{shutil.which("bwrap", path="/usr/bin")} "$@" 2>/dev/null; exit 0\n')
    bwrap.chmod(0o755)
    needs("bubblewrap")
    async with Warden.started() as warden:
        with pytest.raises(NotStarted, match="bwrap cannot build a room: it said nothing"):
            await warden.start(["true"], env=PATH, cwd=tmp_path, fence=Fence("bubblewrap", (b"/usr",), ()))


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSYS, "this kernel has no Landlock"),
        (errno.EOPNOTSUPP, "Landlock is not switched on in this kernel"),
        (errno.EPERM, "Landlock is not allowed here: Operation not permitted"),
    ],
)
def test_a_kernel_without_landlock_is_told_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    def refuse(fence: object) -> None:
        del fence
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(landlock, "put_up", refuse)
    with pytest.raises(enclosing.CannotEnclose) as refusal:
        enclosing.enclose({"kind": "landlock", "read": [], "write": [], "devices": [], "network": False})
    assert refusal.value.sentence.startswith(sentence)


def test_no_fence_of_landlock_stands_where_sockets_cannot_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MACHINE", "riscv64")
    with pytest.raises(enclosing.CannotEnclose, match="no filter of sockets for riscv64 processors yet"):
        enclosing.enclose({"kind": "landlock", "read": [], "write": [], "devices": [], "network": False})


_LEFT_OPEN = """
import sys
sys.path.append(sys.argv[1])
from ffmesh_warden import enclosing, trial
enclosing.enclose({"kind": sys.argv[2], "read": [], "write": [], "devices": [], "network": True})
print(trial.hole(sys.argv[2], filters=sys.argv[2] == "landlock"))
"""


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("landlock", "it is put up, but sockets can still be made: this kernel does not keep its word"),
        ("bubblewrap", "it is put up, but the network can be reached, by "),
    ],
)
async def test_a_fence_that_leaves_the_network_open_is_seen(kind: Kind, sentence: str) -> None:
    needs(kind)
    if kind == "bubblewrap" and len(Path("/proc/self/net/route").read_bytes().splitlines()) < 2:
        pytest.skip("this machine has no network to be left open")
    script = [str(PYTHON), "-S", "-I", "-c", _LEFT_OPEN, str(SOURCE.parent), kind]
    process = await asyncio.create_subprocess_exec(*script, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert (process.returncode, said.decode().startswith(sentence)) == (0, True), said


@each_kind
async def test_a_fence_of_names_that_are_not_from_the_root_on_is_refused(warden: Warden, kind: Kind) -> None:
    with pytest.raises(NotStarted, match="a fence needs names from the root on"):
        await warden.start(["true"], env=PATH, cwd="/", fence=Fence(kind, (b"usr",), ()))


@pytest.fixture
def stalled(bwrap: Path) -> Path:
    """A bwrap that never comes to an end; it writes its number down."""
    number = bwrap.with_name("number")
    bwrap.write_text(f"#!/bin/sh\necho $$ >{number}\nexec /bin/sleep 1000\n")
    bwrap.chmod(0o755)
    return number


async def test_a_bwrap_that_hangs_holds_up_neither_a_deadline_nor_other_programs(stalled: Path) -> None:
    fence = Fence("bubblewrap", (), ())
    async with Warden.started() as warden, asyncio.TaskGroup() as group:
        waiting = group.create_task(warden.start(["true"], env=PATH, cwd="/", fence=fence, kill_at=boottime() + 2))
        hangs = await written_pid(stalled)
        free = await warden.start(["/bin/true"], env={}, cwd="/")
        assert (await free.ended()).exit_code == 0
        assert (await (await waiting).ended()).by_deadline
        assert not lives(hangs)


async def test_a_bwrap_that_hangs_does_not_outlive_a_warden_that_is_killed(stalled: Path) -> None:
    async def start(warden: Warden) -> None:
        with pytest.raises(WardenDied):
            await warden.start(["true"], env=PATH, cwd="/", fence=Fence("bubblewrap", (), ()))

    async with Warden.started() as warden, asyncio.TaskGroup() as group:
        group.create_task(start(warden))
        hangs = await written_pid(stalled)
        os.kill(warden.pid, signal.SIGKILL)
    await gone(hangs)


_KILLED_MEANWHILE = """
import os, sys, time
sys.path.append(sys.argv[1])
from ffmesh_warden import bubblewrap
fence = {"kind": "bubblewrap", "read": [], "write": [], "devices": [], "network": False}
for number in range(24):
    if os.fork() == 0:
        os.setsid()
        def killed(status):
            time.sleep(number * 0.0003)
            os.kill(os.getpid(), 9)
        bubblewrap._builder = killed
        bubblewrap.enter(fence, {b"FFMESH_PROGRAM": sys.argv[2].encode() + b".1"})
    os.wait()
"""


async def test_nothing_is_left_of_a_room_whose_program_is_killed_at_any_moment_of_its_making() -> None:
    needs("bubblewrap")
    name = os.urandom(4).hex()
    script = [str(PYTHON), "-S", "-I", "-c", _KILLED_MEANWHILE, str(SOURCE.parent), name]
    process = await asyncio.create_subprocess_exec(*script)
    assert await process.wait() == 0
    numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    left = [pid for pid in numbers if strays.program_of(pid, name) is not None]
    await gone(*left)

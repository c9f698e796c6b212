"""What a cgroup adds: nothing that a program started outlives it, whatever it did to hide."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from ffmesh_warden import cgroup
from ffmesh_warden.handle import NotStarted, Warden, boottime
from support.cgroups import cgroup_of_a_test, members
from warden.living import PATH, SOURCE, gone, lives, until, written_pid


@pytest.fixture
def above() -> Generator[Path, None, None]:
    with cgroup_of_a_test() as folder:
        yield folder


def _hidden(file: Path) -> str:
    """A daemon in a session of its own, without a mark, that heeds no signal it may ignore."""
    return (
        f"env -i /usr/bin/setsid /bin/sh -c 'trap \"\" TERM HUP; echo $$ >{file}; while :; do /bin/sleep 1000; done' &"
    )


async def test_a_program_runs_in_its_cgroup_and_the_cgroup_goes_with_it(
    warden: Warden, above: Path, tmp_path: Path
) -> None:
    group = above / "one"
    group.mkdir()
    program = await warden.start(
        ["sh", "-c", f"cat /proc/self/cgroup >{tmp_path / 'in'}"], env=PATH, cwd="/", cgroup=group
    )
    assert (await program.ended()).exit_code == 0
    assert any(line.endswith(f"{above.name}/one") for line in (tmp_path / "in").read_text().splitlines())
    assert not group.exists()


def test_a_child_is_born_in_its_cgroup_and_never_moved_there(above: Path) -> None:
    tells, told = os.pipe()
    pid = cgroup.forked_into(bytes(above))
    if pid is None:
        pytest.skip("this kernel, or who watches over us, does not let children be born in a cgroup")
    if pid == 0:
        try:
            os.write(told, Path("/proc/self/cgroup").read_bytes())
        finally:
            os._exit(7)
    os.close(told)
    with os.fdopen(tells, encoding="utf-8") as reads:
        assert any(line.rstrip().endswith(f"/{above.name}") for line in reads)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


@pytest.mark.parametrize(
    ("counts", "is_so"),
    [
        ("low 0\nhigh 0\nmax 20\noom 3\noom_kill 1\noom_group_kill 1\n", True),
        ("low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\noom_group_kill 0\n", False),
        ("low 0\nhigh 0\nmax 20\noom 10\noom_kill 0\noom_group_kill 0\n", False),
        ("", False),
        (None, False),
    ],
    ids=["its own", "the machine's", "only refused", "nothing said", "no limit"],
)
def test_only_its_own_limit_is_said_to_have_killed_it(counts: str | None, is_so: bool, tmp_path: Path) -> None:
    if counts is not None:
        (tmp_path / "memory.events").write_text(counts)
    assert cgroup.has_been_killed_by_its_limit(bytes(tmp_path)) is is_so


def test_where_there_is_no_such_cgroup_nothing_is_forked(tmp_path: Path) -> None:
    assert cgroup.forked_into(bytes(tmp_path)) is None
    assert cgroup.forked_into(bytes(tmp_path / "none")) is None


_NOT_BORN_THERE = """
import asyncio, ctypes, errno, os, struct, sys
from ffmesh_warden.handle import Warden

# As containers answer clone3 (435): there is no such call.
each = [(0x20, 0, 0, 0), (0x15, 0, 1, 435), (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in each))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0
assert prctl(22, 2, struct.pack("@HP", len(each), ctypes.addressof(code))) == 0

async def main():
    async with Warden.started() as warden:
        where = {"env": os.environ, "cwd": "/", "cgroup": sys.argv[1]}
        program = await warden.start(["cat", "/proc/self/cgroup"], **where, stdout=1)
        await program.ended()

asyncio.run(main())
"""


def test_where_children_cannot_be_born_in_a_cgroup_the_program_moves_there(above: Path) -> None:
    group = above / "one"
    group.mkdir()
    said = subprocess.run(
        [sys.executable, "-c", _NOT_BORN_THERE, group],
        env=PATH | {"PYTHONPATH": str(SOURCE.parent)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    assert any(line.endswith(f"/{above.name}/one") for line in said.splitlines())
    assert not group.exists()


async def test_a_daemon_without_a_mark_ends_with_its_program_though_another_one_runs(
    warden: Warden, above: Path, tmp_path: Path
) -> None:
    other = await warden.start(["sleep", "1000"], env=PATH, cwd="/")
    group = above / "one"
    group.mkdir()
    program = await warden.start(
        ["sh", "-c", f"{_hidden(tmp_path / 'pid')} while [ ! -s {tmp_path / 'pid'} ]; do :; done"],
        env=PATH,
        cwd="/",
        cgroup=group,
    )
    daemon = await written_pid(tmp_path / "pid")
    assert (await program.ended()).exit_code == 0
    assert not lives(daemon)
    assert not group.exists()
    assert lives(other.pid)


@pytest.mark.parametrize("how", ["killed", "deadline", "warden"])
async def test_however_a_program_is_ended_its_whole_cgroup_is(how: str, above: Path, tmp_path: Path) -> None:
    async with Warden.started() as warden:
        group = above / "one"
        (group / "of its own").mkdir(parents=True)
        script = f"{_hidden(tmp_path / 'pid')} exec sleep 1000"
        program = await warden.start(["sh", "-c", script], env=PATH, cwd="/", cgroup=group)
        daemon = await written_pid(tmp_path / "pid")
        (group / "of its own" / "cgroup.procs").write_text(str(daemon))
        match how:
            case "killed":
                program.signal(signal.SIGKILL)
            case "deadline":
                program.kill_at(boottime())
            case _:
                os.kill(warden.pid, signal.SIGKILL)
        ended = await program.ended()
        assert (ended.signal, ended.by_deadline) == (signal.SIGKILL, how == "deadline")
        await gone(daemon, program.pid)
        assert group.exists() == (how == "warden")  # then its owner's next life removes it


async def test_what_multiplies_faster_than_it_is_killed_is_killed_in_its_cgroup(warden: Warden, above: Path) -> None:
    group = above / "one"
    group.mkdir()
    program = await warden.start(
        ["sh", "-c", "bomb() { bomb & sleep 0.02; }; for i in 1 2 3 4; do bomb & done; exec sleep 1000"],
        env=PATH,
        cwd="/",
        cgroup=group,
    )
    await until(lambda: len(members(group)) > 20)
    program.signal(signal.SIGKILL)
    await program.ended()
    assert not group.exists()


async def test_a_program_whose_cgroup_is_not_there_does_not_start_and_says_why(warden: Warden, above: Path) -> None:
    with pytest.raises(NotStarted, match="the cgroup of sleep cannot be entered: No such file"):
        await warden.start(["sleep", "1000"], env=PATH, cwd="/", cgroup=above / "none")


async def test_a_program_that_does_not_start_leaves_no_cgroup(warden: Warden, above: Path) -> None:
    group = above / "one"
    group.mkdir()
    with pytest.raises(NotStarted):
        await warden.start(["no such program"], env=PATH, cwd="/", cgroup=group)
    await until(lambda: not group.exists())


def test_where_there_is_no_cgroup_nothing_is_killed_and_nothing_is_there(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path / "none")
    cgroup.kill(name)
    cgroup.remove(name)
    assert not cgroup.is_inhabited(name)


@pytest.mark.parametrize(("ionice", "said"), [("idle", "idle"), ("best-effort:7", "best-effort: prio 7")])
async def test_the_order_in_which_the_disk_serves_a_program(
    ionice: str, said: str, warden: Warden, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("wb") as out:
        program = await warden.start(["ionice"], env=PATH, cwd="/", ionice=ionice, stdout=out.fileno())
        if (await program.ended()).exit_code != 0:
            pytest.skip("no ionice here to ask")
    assert (tmp_path / "out").read_text().strip() == said

import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from agent.shell.stage import granted, stage, until
from ffmesh_agent.config import Limits
from ffmesh_agent.core.events import ProgramEnded, ProgramNotStarted, ProgramStarted
from ffmesh_agent.shell import cgroups
from ffmesh_agent.shell.cgroups import Groups, NoCgroup, own, prepared, tried
from ffmesh_agent.shell.limits import KeptLimits, kept
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_warden.handle import Warden
from support.cgroups import cgroup_of_a_test, ended
from warden.living import lives, written_pid

SPOOL = "0123abcd"


@pytest.fixture
def above() -> Generator[Path, None, None]:
    with cgroup_of_a_test() as folder:
        yield folder


@pytest.fixture
def divisible() -> Generator[Path, None, None]:
    """As an agent's own, in a unit with Delegate=yes."""
    with cgroup_of_a_test("cpu", "memory") as folder:
        yield folder


def test_our_own_cgroup_is_found_wherever_the_file_system_is_mounted(tmp_path: Path) -> None:
    mounts, membership = tmp_path / "mountinfo", tmp_path / "cgroup"
    membership.write_text("4:memory:/x\n0::/system.slice/ffmesh.service\n")
    mounts.write_text("30 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n")
    assert own(mounts, membership) == Path("/sys/fs/cgroup/system.slice/ffmesh.service")
    mounts.write_text("25 20 0:2 / /proc rw - proc proc rw\n30 23 0:27 /system.slice /c rw shared:9 - cgroup2 c rw\n")
    assert own(mounts, membership) == Path("/c/ffmesh.service")
    membership.write_text("0::/\n")
    mounts.write_text("30 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")
    assert own(mounts, membership) == Path("/sys/fs/cgroup/unified")


def test_where_there_is_none_nothing_is_found(tmp_path: Path) -> None:
    mounts, membership = tmp_path / "mountinfo", tmp_path / "cgroup"
    with pytest.raises(NoCgroup):
        own(mounts, membership)
    membership.write_text("4:memory:/x\n")
    mounts.write_text("30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    with pytest.raises(NoCgroup):
        own(mounts, membership)


def test_limits_of_a_machine_without_cgroups_are_said_not_to_be_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Path:
        raise NoCgroup("no cgroup file system of version 2 is mounted here")

    monkeypatch.setattr(cgroups, "own", none)
    assert prepared(tmp_path, SPOOL, Limits(nice=5)) == (None, [])
    groups, (sentence,) = prepared(tmp_path, SPOOL, Limits(memory="2 GB", cpus=1.5))
    assert groups is None
    assert sentence.startswith("[limits] memory and cpus: not in force, because no cgroup file system of version 2 is")
    assert "Delegate=yes" in sentence


def test_limits_for_which_the_kernel_has_no_controller_are_said_not_to_be_in_force_and_groups_still_kill(
    above: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if {"memory", "cpu"} <= set((above / "cgroup.controllers").read_text().split()):
        pytest.skip("the kernel has these controllers here")
    monkeypatch.setattr(cgroups, "own", lambda: above)
    groups, (sentence,) = prepared(tmp_path, SPOOL, Limits(memory="1 GiB"))
    assert groups == Groups(above, f"ffmesh-{SPOOL}-")
    assert "its cgroup has no controller for memory" in sentence


def test_limits_become_words_to_the_kernel() -> None:
    limits = Limits(memory="1 GiB", cpus=1.5)
    assert cgroups.settings_of(limits) == {
        "memory.max": "1073741824",
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cpu.max": "150000 100000",
    }
    assert cgroups.settings_of(Limits(nice=3)) == {}


def test_what_an_earlier_life_left_is_ended_and_nothing_of_another_agent_is(
    above: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "own", lambda: above)
    groups, _ = prepared(tmp_path, SPOOL, Limits())
    assert groups is not None
    left, others = groups.made("attempt"), Groups(above, "ffmesh-other-").made("attempt")
    with subprocess.Popen(["sleep", "1000"]) as ours, subprocess.Popen(["sleep", "1000"]) as another:
        (left / "cgroup.procs").write_text(str(ours.pid))
        (others / "cgroup.procs").write_text(str(another.pid))
        prepared(tmp_path, SPOOL, Limits())
        assert ours.wait(20) == -9
        assert not left.exists()
        assert lives(another.pid)
        another.kill()
    ended(others)


def _said_by(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_an_agent_goes_into_a_leaf_of_its_own_where_the_kernel_wants_that(above: Path, tmp_path: Path) -> None:
    """`hugetlb` stands for memory and cpus: it is divided by the same rules, and found on machines that lack those."""
    if "hugetlb" not in (above.parent / "cgroup.controllers").read_text().split():
        pytest.skip("no controller here to divide")
    (above.parent / "cgroup.subtree_control").write_text("+hugetlb")
    script = f"""
from pathlib import Path
from ffmesh_agent.shell import cgroups
above = Path({str(above)!r})
(above / "cgroup.procs").write_text("0")
cgroups.own = lambda: above
cgroups.settings_of = lambda limits: {{"hugetlb.2MB.max": "4194304"}}
groups, said = cgroups.prepared(Path({str(tmp_path)!r}), {SPOOL!r}, cgroups.Limits(cpus=1))
made = groups.made("x")
print(said, (made / "hugetlb.2MB.max").read_text().strip(), Path("/proc/self/cgroup").read_text().split("/")[-1])
made.rmdir()
"""
    assert _said_by(script).split() == ["[]", "4194304", f"ffmesh-{SPOOL}-agent"]
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        ended(above / f"ffmesh-{SPOOL}-agent")
        (above / "cgroup.subtree_control").write_text("-hugetlb")
        (above / "cgroup.procs").write_text(str(stranger.pid))
        said = _said_by(script.replace('made = groups.made("x")', "print(said); raise SystemExit"))
        assert "other processes are in its cgroup too" in said
        stranger.kill()


async def test_a_program_is_tried_in_a_group_before_any_job_is(warden: Warden, above: Path) -> None:
    await tried(Groups(above, "ffmesh-"), warden)
    assert not [each for each in above.iterdir() if each.is_dir()]
    with pytest.raises(NoCgroup):
        await tried(Groups(above / "none", "ffmesh-"), warden)
    limits = await kept(Limits(memory="1 GB"), Groups(above / "none", "ffmesh-", {"memory.max": "1"}), warden, ["x"])
    assert limits == KeptLimits(unkept=limits.unkept)
    before, sentence = limits.unkept
    assert before == "x"
    assert sentence.startswith("[limits] memory: not in force")
    assert str(above) not in sentence


async def test_a_grandchild_in_a_session_of_its_own_without_an_environment_ends_with_its_program(
    warden: Warden, above: Path, tmp_path: Path
) -> None:
    script = "env -i /usr/bin/setsid /bin/sh -c 'trap \"\" TERM HUP; echo $$ >pid; while :; do /bin/sleep 1000; done' &"
    limits = KeptLimits(groups=Groups(above, "ffmesh-"))
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}, limits=limits) as here:
        here.launch(granted("sleep", "1000"))
        other = (await here.heard(ProgramStarted)).attempt
        here.launch(granted("sh", "-c", f"{script} while [ ! -s pid ]; do :; done", cwd=RootPath(root="R", path="")))
        assert (await here.heard(ProgramEnded)).exit_code == 0
        assert not lives(await written_pid(tmp_path / "pid"))
        assert [each.name for each in above.iterdir() if each.is_dir()] == [f"ffmesh-{other}"]
        here.programs.kill(other)
        await here.heard(ProgramEnded)
    assert not [each for each in above.iterdir() if each.is_dir()]


async def test_a_job_that_would_run_without_its_limits_does_not_start_and_says_so(
    warden: Warden, above: Path, tmp_path: Path
) -> None:
    limits = KeptLimits(groups=Groups(above, "ffmesh-", {"memory.no such file": "1"}))
    async with stage(warden, tmp_path, limits=limits) as here:
        here.launch(granted("true"))
        said = await here.heard(ProgramNotStarted)
        assert (said.failure, said.sentence) == (FailureKind.NODE, "no cgroup for the limits of it: Permission denied")
    limits = KeptLimits(groups=Groups(above / "none", "ffmesh-"))
    async with stage(warden, tmp_path, limits=limits) as here:
        assert (await here.ended(granted("true"))).exit_code == 0


async def limited(limits: Limits, home: Path, own: Path, warden: Warden, monkeypatch: pytest.MonkeyPatch) -> KeptLimits:
    monkeypatch.setattr(cgroups, "own", lambda: own)
    groups, said = prepared(home, SPOOL, limits)
    assert (groups is not None, said) == (True, [])
    return await kept(limits, groups, warden, said)


async def test_a_program_that_takes_more_memory_than_it_may_is_killed_whole_and_its_job_says_so(
    warden: Warden, divisible: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = await limited(Limits(memory="64 MB"), tmp_path, divisible, warden, monkeypatch)
    greedy = "echo $$ >pid; head -c 200000000 /dev/zero | tail -c 200000000 | wc -c >counted; echo on >went"
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}, limits=limits) as here:
        well = await here.ended(granted("sh", "-c", "head -c 20000000 /dev/zero | tail -c 20000000 | wc -c"))
        assert (well.exit_code, well.failure, well.reason) == (0, None, None)
        end = await here.ended(granted("sh", "-c", greedy, cwd=RootPath(root="R", path="")))
        assert (end.signal, end.failure) == (9, FailureKind.NODE)
        assert end.reason == "its memory limit of 64.0 MB was reached on this machine"
        assert not (tmp_path / "went").exists()
        others = await here.ended(granted("sh", "-c", "kill -9 $$"))
        assert (others.signal, others.reason) == (9, None)


async def test_a_program_gets_no_more_of_the_processors_than_it_may(
    warden: Warden, divisible: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = await limited(Limits(cpus=0.2), tmp_path, divisible, warden, monkeypatch)
    async with stage(warden, tmp_path / "home", limits=limits) as here:
        here.launch(granted("sh", "-c", "while :; do :; done & while :; do :; done"))
        attempt = (await here.heard(ProgramStarted)).attempt
        (group,) = (each for each in divisible.iterdir() if each.name.endswith(attempt))
        began, before = time.monotonic(), counted(group / "cpu.stat")
        await until(lambda: counted(group / "cpu.stat")["nr_throttled"] >= before["nr_throttled"] + 10)
        used = (counted(group / "cpu.stat")["usage_usec"] - before["usage_usec"]) / 1_000_000
        assert used < 0.4 * (time.monotonic() - began)
        here.programs.kill(attempt)
        await here.heard(ProgramEnded)


def counted(file: Path) -> dict[str, int]:
    return {name: int(count) for name, count in (line.split() for line in file.read_text().splitlines())}


async def test_programs_are_as_nice_as_the_configuration_says(warden: Warden, tmp_path: Path) -> None:
    own_nice = os.getpriority(os.PRIO_PROCESS, 0)
    limits = await kept(Limits(nice=min(19, own_nice + 7), ionice="idle"), None, warden)
    assert limits.unkept == ()
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}, limits=limits) as here:
        await here.ended(granted("sh", "-c", "cat /proc/self/stat >stat", cwd=RootPath(root="R", path="")))
    assert int((tmp_path / "stat").read_text().rpartition(")")[2].split()[16]) == min(19, own_nice + 7)

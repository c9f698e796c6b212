"""How much others use of the processors, from a /proc of our own making."""

import os
from pathlib import Path

from ffmesh_agent.shell.usage import Usage


def _machine(proc: Path, *, user: int, idle: int, ours: int, theirs: int) -> None:
    """Ticks, all of them; ours are those of a program below this process."""
    (proc / "stat").write_text(f"cpu {user} 0 0 {idle} 0 0 0 0 0 0\ncpu0 …\n")
    for pid, parent, ticks in ((os.getpid(), 1, 0), (7_000_001, os.getpid(), ours), (7_000_002, 1, theirs)):
        (proc / str(pid)).mkdir(exist_ok=True)
        (proc / str(pid) / "stat").write_text(f"{pid} (a (b) c) R {parent} 0 0 0 0 0 0 0 0 0 {ticks} 0 0 0 0 0\n")


def test_what_is_busy_less_what_is_ours_is_the_others(tmp_path: Path) -> None:
    _machine(tmp_path, user=1000, idle=1000, ours=500, theirs=500)
    usage = Usage(tmp_path)
    assert usage.percent() is None
    _machine(tmp_path, user=1080, idle=1020, ours=550, theirs=530)
    assert usage.percent() == 30
    _machine(tmp_path, user=1180, idle=1020, ours=650, theirs=530)
    assert usage.percent() == 0


def test_two_looks_at_one_moment_say_the_same(tmp_path: Path) -> None:
    _machine(tmp_path, user=1000, idle=1000, ours=0, theirs=0)
    usage = Usage(tmp_path)
    usage.percent()
    _machine(tmp_path, user=1100, idle=1100, ours=0, theirs=100)
    assert (usage.percent(), usage.percent()) == (50, 50)


def test_the_real_machine_says_something_between_nothing_and_all() -> None:
    usage = Usage()
    usage.percent()
    while (percent := usage.percent()) is None:
        pass
    assert 0 <= percent <= 100

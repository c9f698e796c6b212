"""Programs on fewer processors, and given back what they had."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from ffmesh_agent.shell.limits import may_be
from ffmesh_agent.shell.slowing import SLOWEST, Slowing, move
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_warden.handle import Warden
from ffmesh_warden.program import Program

ALL = frozenset(os.sched_getaffinity(0))
LAST = frozenset({max(ALL)})

BUSY = """
import os, sys, threading
if sys.argv[1] and os.fork() == 0:
    threading.Event().wait()
threads = [threading.Thread(target=threading.Event().wait) for _ in range(5)]
for each in threads:
    each.start()
print("ready", flush=True)
"""
"""A program with threads, and a child."""

needs_two = pytest.mark.skipif(len(ALL) < 2, reason="of one processor none can be spared")


def _condition(manner: Manner, *, in_force: bool = True) -> Condition:
    return Condition(name="others", manner=manner, in_force=in_force, reason="")


SLOW, NOT_SLOW = [_condition(Manner.SLOW)], [_condition(Manner.SLOW, in_force=False)]


async def _started(warden: Warden, *, cpus: tuple[int, ...] | None = None, nice: int | None = None) -> Program:
    reads, writes = os.pipe()
    try:
        program = await warden.start(
            [sys.executable, "-c", BUSY, "child"], env={}, cwd="/", stdout=writes, cpus=cpus, nice=nice
        )
        os.close(writes)
        writes = -1
        assert await asyncio.to_thread(os.read, reads, 5) == b"ready"
        return program
    finally:
        os.close(reads)
        if writes >= 0:
            os.close(writes)


def _threads(program: Program) -> list[int]:
    """Of the program and of its child."""
    pids = [program.pid, *map(int, Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split())]
    return [int(each.name) for pid in pids for each in Path(f"/proc/{pid}/task").iterdir()]


def _on(program: Program) -> set[frozenset[int]]:
    return {frozenset(os.sched_getaffinity(each)) for each in _threads(program)}


def _nice(program: Program) -> set[int]:
    return {os.getpriority(os.PRIO_PROCESS, each) for each in _threads(program)}


async def _until_on(program: Program, cpus: frozenset[int]) -> None:
    async with asyncio.timeout(20):
        while _on(program) != {cpus}:  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # the kernel sets no events of ours


@needs_two
async def test_what_runs_is_moved_with_all_its_threads_and_given_back(warden: Warden) -> None:
    slowing = Slowing(1, 5)
    program = await _started(warden, nice=5)
    slowing.began("a", program.pid, was_slow=False)
    assert (_on(program), slowing.cpus, slowing.nice, len(_threads(program))) == ({ALL}, None, 5, 7)
    slowing.heed(SLOW)
    assert (slowing.cpus, slowing.nice) == (tuple(LAST), SLOWEST)
    await _until_on(program, LAST)
    assert _nice(program) == ({SLOWEST} if may_be(5) else {5})
    slowing.heed(NOT_SLOW)
    await _until_on(program, ALL)
    assert _nice(program) == {5}


@needs_two
async def test_what_starts_meanwhile_sees_fewer_processors_and_goes_behind_others(warden: Warden) -> None:
    slowing = Slowing(1)
    slowing.heed(SLOW)
    program = await _started(warden, cpus=slowing.cpus, nice=slowing.nice)
    assert (_on(program), _nice(program)) == ({LAST}, {SLOWEST})


@needs_two
async def test_a_program_that_was_starting_when_it_changed_is_moved_too(warden: Warden) -> None:
    slowing = Slowing(1)
    first, program = await _started(warden), await _started(warden)
    slowing.began("first", first.pid, was_slow=False)
    slowing.heed(SLOW)
    await _until_on(first, LAST)
    slowing.began("a", program.pid, was_slow=False)
    await _until_on(program, LAST)


async def test_only_what_is_in_force_and_slow_makes_slow() -> None:
    slowing = Slowing()
    for conditions in ([], NOT_SLOW, [_condition(Manner.STOP), _condition(Manner.DRAIN)]):
        slowing.heed(conditions)
        assert (slowing.is_slow, slowing.cpus, slowing.nice) == (False, None, None)


async def test_what_goes_on_while_the_rest_stands_still_is_slow_too() -> None:
    slowing = Slowing()
    slowing.heed([_condition(Manner.PAUSE)])
    assert slowing.is_slow


async def test_one_that_has_ended_is_no_trouble(warden: Warden) -> None:
    program = await warden.start(["true"], env={"PATH": os.defpath}, cwd="/")
    await program.ended()
    move(program.pid, LAST, SLOWEST)


@needs_two
async def test_ffmpeg_makes_fewer_threads_by_itself(warden: Warden) -> None:
    async def threads(cpus: tuple[int, ...] | None) -> int:
        line = [
            "ffmpeg",
            "-nostdin",
            "-v",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=640x360",
            "-c:v",
            "libx264",
            "-f",
            "matroska",
            "pipe:1",
        ]
        reads, writes = os.pipe()
        program = await warden.start(line, env={"PATH": os.defpath}, cwd="/", stdout=writes, cpus=cpus)
        os.close(writes)
        await asyncio.to_thread(os.read, reads, 1)
        count = len(list(Path(f"/proc/{program.pid}/task").iterdir()))
        program.signal(9)
        os.close(reads)
        await program.ended()
        return count

    assert await threads(tuple(LAST)) < await threads(None)

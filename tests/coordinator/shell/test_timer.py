"""One alarm: the last time that was set counts."""

import asyncio

from ffmesh_coordinator.shell.clock import elapsed, now
from ffmesh_coordinator.shell.timer import Timer

LONG = 1000.0


async def test_it_rings_when_the_time_has_come_and_not_before() -> None:
    timer = Timer()
    at = elapsed() + 0.02
    timer.set(at)
    async with asyncio.timeout(30):
        await timer.rings()
    assert elapsed() >= at


async def test_a_time_that_has_passed_rings_at_once() -> None:
    timer = Timer()
    timer.set(elapsed() - 1)
    async with asyncio.timeout(30):
        await timer.rings()


async def test_a_new_time_takes_the_place_of_the_old_one() -> None:
    timer = Timer()
    timer.set(elapsed() + LONG)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(timer.rings())
        await asyncio.sleep(0)
        timer.set(None)
        await asyncio.sleep(0)
        timer.set(elapsed())


async def test_it_rings_once_for_each_time() -> None:
    timer = Timer()
    timer.set(elapsed())
    async with asyncio.timeout(30):
        await timer.rings()
        async with asyncio.TaskGroup() as group:
            again = group.create_task(timer.rings())
            await asyncio.sleep(0)
            assert not again.done()
            again.cancel()


def test_both_clocks_go_forward() -> None:
    first = now()
    second = now()
    assert second.elapsed >= first.elapsed
    assert second.utc > 1_700_000_000

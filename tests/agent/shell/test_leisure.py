"""Trials are for when there is room."""

import asyncio

import pytest

from ffmesh_agent.shell.leisure import Leisure


class Work:
    """Goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.times = 0

    async def __call__(self) -> str:
        self.times += 1
        self.begun.set()
        await self.go.wait()
        return "done"


async def _turn() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_waits_while_all_slots_are_used_and_goes_on_beside_those_that_leave_one() -> None:
    leisure, work = Leisure(2), Work()
    leisure.began("a")
    leisure.began("b")
    async with asyncio.TaskGroup() as tasks:
        spent = tasks.create_task(leisure.spend(work))
        await _turn()
        assert not work.begun.is_set()
        leisure.over("a")
        await work.begun.wait()
        work.go.set()
    assert spent.result() == "done"


async def test_what_is_being_done_when_the_last_slot_is_taken_ends_and_is_done_again_later() -> None:
    leisure, work = Leisure(1), Work()
    async with asyncio.TaskGroup() as tasks:
        spent = tasks.create_task(leisure.spend(work))
        await work.begun.wait()
        leisure.began("a")
        await _turn()
        work.go.set()
        await _turn()
        assert (work.times, spent.done()) == (1, False)
        leisure.over("a")
    assert (work.times, spent.result()) == (2, "done")


async def test_a_measure_is_taken_while_nothing_else_runs() -> None:
    leisure, work = Leisure(4), Work()
    async with asyncio.TaskGroup() as tasks:
        spent = tasks.create_task(leisure.spend(work, alone=True))
        await work.begun.wait()
        leisure.began("a")
        await _turn()
        work.go.set()
        await _turn()
        assert not spent.done()
        leisure.over("a")
    assert (work.times, spent.result()) == (2, "done")


async def test_a_limit_of_the_work_itself_is_its_own() -> None:
    async def runs_out() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Leisure(1).spend(runs_out)

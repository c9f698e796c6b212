"""The machine stays awake while jobs run, and they are handed back before it sleeps: with a real message bus, and a
logind that the test plays."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from ffmesh_agent.shell import sleeping
from ffmesh_agent.shell.message_bus import Bus, Which
from ffmesh_agent.shell.sleeping import ABOUT_TO_SLEEP, Sleeping
from ffmesh_protocol.messages.manners import Condition
from support.logind import Logind, system_bus


@pytest.fixture
def logind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Logind, None, None]:
    monkeypatch.setattr(sleeping, "LINGER", 0.0)
    with system_bus(tmp_path) as bus, Logind.on(bus) as logind:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        yield logind


@asynccontextmanager
async def _heeded(*, inhibits: bool = True) -> AsyncGenerator[tuple[Sleeping, asyncio.Queue[Condition | None]], None]:
    told: asyncio.Queue[Condition | None] = asyncio.Queue()
    heeding = Sleeping("pi-1", told.put_nowait, inhibits=inhibits)
    with suppress(asyncio.CancelledError):
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(heeding.run(), name="sleep")
            yield heeding, told
            running.cancel()


async def test_the_machine_is_kept_awake_while_a_job_runs_and_no_longer(logind: Logind) -> None:
    async with _heeded() as (heeding, _):
        heeding.job_began("a")
        block = await asyncio.to_thread(logind.inhibitor, "block")
        assert block.what == "sleep"
        heeding.job_began("b")
        heeding.job_over("a")
        heeding.job_over("b")
        await asyncio.to_thread(block.wait_until_released)
        assert [each.mode for each in logind.inhibitors] == ["delay", "block"]
        heeding.job_began("c")
        await asyncio.to_thread(logind.inhibitor, "block", 2)


async def test_before_sleep_jobs_are_to_be_stopped_and_sleep_waits_until_they_are_handed_back(logind: Logind) -> None:
    async with _heeded() as (heeding, told):
        heeding.job_began("a")
        delay = await asyncio.to_thread(logind.inhibitor, "delay")
        await asyncio.to_thread(logind.inhibitor, "block")
        logind.prepare_for_sleep(begins=True)
        assert await told.get() == ABOUT_TO_SLEEP
        heeding.job_over("a")
        heeding.job_settled("a")
        await asyncio.to_thread(delay.wait_until_released)
        logind.prepare_for_sleep(begins=False)
        assert await told.get() is None
        await asyncio.to_thread(logind.inhibitor, "delay", 2)
        logind.prepare_for_sleep(begins=True)
        assert await told.get() == ABOUT_TO_SLEEP
        await asyncio.to_thread(logind.inhibitor("delay", 2).wait_until_released)


async def test_sleep_does_not_wait_for_ever_for_a_job_that_nobody_takes_back(
    logind: Logind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleeping, "PATIENCE", 0.05)
    async with _heeded() as (heeding, _):
        heeding.job_began("a")
        delay = await asyncio.to_thread(logind.inhibitor, "delay")
        await asyncio.to_thread(logind.inhibitor, "block")
        logind.prepare_for_sleep(begins=True)
        await asyncio.to_thread(delay.wait_until_released)


async def test_who_may_not_keep_it_awake_says_so_once_and_still_hands_back(
    logind: Logind, caplog: pytest.LogCaptureFixture
) -> None:
    logind.refuses_block = True
    async with _heeded() as (heeding, told):
        heeding.job_began("a")
        assert await asyncio.to_thread(logind.refused.acquire, timeout=20)
        heeding.job_over("a")
        heeding.job_began("b")
        logind.prepare_for_sleep(begins=True)
        assert await told.get() == ABOUT_TO_SLEEP
    sentence = "the machine may fall asleep while a job runs: org.freedesktop.login1: Permission denied"
    assert [each.message for each in caplog.records if each.levelno == logging.WARNING] == [sentence]


async def test_an_owner_may_let_it_sleep_all_the_same(logind: Logind) -> None:
    async with _heeded(inhibits=False) as (heeding, told):
        heeding.job_began("a")
        await asyncio.to_thread(logind.inhibitor, "delay")
        logind.prepare_for_sleep(begins=True)
        assert await told.get() == ABOUT_TO_SLEEP
        assert [each.mode for each in logind.inhibitors] == ["delay"]


async def test_a_logind_that_goes_away_takes_its_condition_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _heeded() as (heeding, told):
        with system_bus(tmp_path) as bus, Logind.on(bus) as logind:
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
            heeding.job_began("a")
            await asyncio.to_thread(logind.inhibitor, "block")
            logind.prepare_for_sleep(begins=True)
            assert await told.get() == ABOUT_TO_SLEEP
        assert await told.get() is None


async def test_where_there_is_no_logind_the_log_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    monkeypatch.setattr(sleeping, "TRY_AGAIN", 0.0)
    tried, opened = threading.Semaphore(0), Bus.opened

    def counted(which: Which, *, descriptors: bool = False) -> Bus:
        tried.release()
        return opened(which, descriptors=descriptors)

    monkeypatch.setattr(Bus, "opened", counted)
    async with _heeded() as (heeding, _):
        heeding.job_began("a")
        for _ in range(3):
            await asyncio.to_thread(tried.acquire)
    said = [each.message for each in caplog.records]
    assert said == ["the machine's sleep is not heeded: no message bus answers (No such file or directory)"]

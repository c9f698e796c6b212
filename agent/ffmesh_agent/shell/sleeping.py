"""The machine's sleep, where logind keeps it: none while a job runs, if nobody insists; and a word before each.

From the first job on, two locks of logind are held. The first keeps the machine awake, as long as a job runs and a
moment longer. Whoever closes the lid, or is asked and insists, gets past it; then the second one has logind wait for
some seconds, in which what runs is stopped and handed back: that is told by `tell`, and the lock goes as soon as the
coordinator has settled it all. Where there is no logind, there is nothing of this, and the log says so once.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal, TypeVar

from ffmesh_agent.shell import hanging
from ffmesh_agent.shell.hanging import heard
from ffmesh_agent.shell.last_input import LOGIND
from ffmesh_agent.shell.message_bus import Bus, NoBus
from ffmesh_protocol.messages.manners import Condition, Manner

ABOUT_TO_SLEEP: Final = Condition(
    name="sleep", manner=Manner.STOP, in_force=True, reason="the machine is about to sleep, or sleeps"
)

LINGER: Final = 3.0
"""Seconds that it is kept awake after the last job: often the next one follows at once."""

PATIENCE: Final = 4.5
"""Seconds before sleep. logind waits for 5, unless it is told otherwise."""

ANSWER_SECONDS: Final = 5.0
TRY_AGAIN: Final = 60.0

Mode = Literal["block", "delay"]
T = TypeVar("T")

log = logging.getLogger(__name__)


class Sleeping:
    def __init__(self, agent: str, tell: Callable[[Condition | None], None], *, inhibits: bool = True) -> None:
        """`tell`: the condition while it is in force. Not `inhibits`: the machine may sleep while a job runs."""
        self._agent = agent
        self._tell = tell
        self._inhibits = inhibits
        self._running: set[str] = set()
        self._unsettled: set[str] = set()
        self._news: asyncio.Future[None] | None = None
        self._said: set[str] = set()

    def job_began(self, attempt: str) -> None:
        self._running.add(attempt)
        self._unsettled.add(attempt)
        self._wake()

    def job_over(self, attempt: str) -> None:
        self._running.discard(attempt)
        self._wake()

    def job_settled(self, attempt: str) -> None:
        """By the coordinator, which may give it to others."""
        self._unsettled.discard(attempt)
        self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def run(self) -> None:
        """Never ends, where there may be a logind."""
        if sys.platform != "linux":
            return
        while True:
            while not self._running:
                await self._wait(None)
            try:
                await self._guard()
            except NoBus as error:
                self._say_once(f"the machine's sleep is not heeded: {error}")
                await asyncio.sleep(TRY_AGAIN)

    async def _guard(self) -> None:
        """Until logind has gone."""
        bus = await _asked("logind", _listening, Bus.end)
        locks = _Locks(self._agent)
        try:
            await locks.take("delay")
            await self._heed(bus, locks)
        finally:
            locks.release_all()
            bus.end()
            self._tell(None)

    async def _heed(self, bus: Bus, locks: "_Locks") -> None:
        now = asyncio.get_running_loop().time
        sleeps_at: float | None = None
        worked_at = now()
        signal = _next(bus)
        while True:
            worked_at = now() if self._running else worked_at
            await self._keep_awake(locks, is_over=not self._running and now() - worked_at >= LINGER)
            if sleeps_at is not None and (not self._unsettled or now() >= sleeps_at):
                locks.release("delay")
            moments = [
                *([worked_at + LINGER] if locks.holds("block") and not self._running else []),
                *([sleeps_at] if locks.holds("delay") and sleeps_at is not None else []),
            ]
            await self._wait(max(0.0, min(moments) - now()) if moments else None, signal)
            if not signal.done():
                continue
            begins = signal.result() == (True,)
            signal = _next(bus)
            sleeps_at = now() + PATIENCE if begins else None
            self._tell(ABOUT_TO_SLEEP if begins else None)
            if not begins:
                await locks.take("delay")

    async def _keep_awake(self, locks: "_Locks", *, is_over: bool) -> None:
        if is_over:
            locks.release("block")
        elif self._running and self._inhibits:
            try:
                await locks.take("block")
            except NoBus as error:
                self._say_once(f"the machine may fall asleep while a job runs: {error}")

    async def _wait(self, seconds: float | None, *futures: asyncio.Future[Any]) -> None:
        """For these, for news of jobs, or so long."""
        self._news = news = asyncio.get_running_loop().create_future()
        waited_for: set[asyncio.Future[Any]] = {news, *futures}
        await asyncio.wait(waited_for, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            log.warning("%s", sentence)


class _Locks:
    """Descriptors that logind has given us: closed, they hold nothing any more."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._held: dict[Mode, int] = {}
        self._refused: set[Mode] = set()

    async def take(self, mode: Mode) -> None:
        """Unless it is held. What was refused once is not asked for again by this connection."""
        if mode in self._held or mode in self._refused:
            return
        try:
            self._held[mode] = await _asked("lock of logind", partial(_taken, mode, self._agent), os.close)
        except NoBus:
            self._refused.add(mode)
            raise

    def release(self, mode: Mode) -> None:
        if (descriptor := self._held.pop(mode, None)) is not None:
            os.close(descriptor)

    def release_all(self) -> None:
        for mode in tuple(self._held):
            self.release(mode)

    def holds(self, mode: Mode) -> bool:
        return mode in self._held


def _next(bus: Bus) -> asyncio.Future[tuple[Any, ...]]:
    signal = hanging.started("sleep", bus.heard)
    signal.add_done_callback(heard)  # also where nobody waits for it any more
    return signal


def _listening() -> Bus:
    bus = Bus.opened("SYSTEM")
    try:
        bus.listen(LOGIND, "PrepareForSleep")
    except NoBus:
        bus.close()
        raise
    return bus


def _taken(mode: Mode, agent: str) -> int:
    bus = Bus.opened("SYSTEM", descriptors=True)
    try:
        why = "A job of the mesh is running" if mode == "block" else "Jobs of the mesh are handed back"
        return bus.descriptor(LOGIND, "Inhibit", "ssss", "sleep", f"ffmesh agent {agent}", why, mode)
    finally:
        bus.close()


async def _asked(name: str, ask: Callable[[], T], drop: Callable[[T], None]) -> T:
    """`drop`: for what comes too late."""
    answer = hanging.started(name, ask)
    try:
        done, _ = await asyncio.wait({answer}, timeout=ANSWER_SECONDS)
    except asyncio.CancelledError:
        answer.add_done_callback(partial(_dropped, drop))
        raise
    if not done:
        answer.add_done_callback(partial(_dropped, drop))
        raise NoBus("logind does not answer")
    return answer.result()


def _dropped(drop: Callable[[T], None], answer: "asyncio.Future[T]") -> None:
    heard(answer)
    if not answer.cancelled() and answer.exception() is None:
        drop(answer.result())

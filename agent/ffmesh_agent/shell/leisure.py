"""When this machine may try things: while it has a slot that no job uses. A job never waits for a trial.

What is being done when the last slot is taken ends at once, and is done from its beginning when there is room again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class Leisure:
    def __init__(self, slots: int) -> None:
        self._slots = max(1, slots)
        self._jobs: set[str] = set()
        self._changed = asyncio.Event()
        self._spending: asyncio.Timeout | None = None
        self._most = 0
        """Jobs that may run beside what is being done."""

    def began(self, attempt: str) -> None:
        self._jobs.add(attempt)
        if self._spending is not None and len(self._jobs) > self._most:
            self._spending.reschedule(asyncio.get_running_loop().time())

    def over(self, attempt: str) -> None:
        self._jobs.discard(attempt)
        self._changed.set()

    async def spend(self, work: Callable[[], Awaitable[T]], *, alone: bool = False) -> T:
        """What comes of the work, one piece of it at a time. `alone`: while no job runs at all, lest a measure be
        false."""
        most = 0 if alone else self._slots - 1
        while True:
            while len(self._jobs) > most:
                self._changed.clear()
                await self._changed.wait()
            self._most = most
            scope = self._spending = asyncio.timeout(None)  # not a limit of time: a scope that `began` can end
            try:
                async with scope:
                    return await work()
            except TimeoutError:
                if not scope.expired():
                    raise
            finally:
                self._spending = None

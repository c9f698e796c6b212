"""One alarm, on the clock that counts sleep."""

import asyncio
from typing import Final

from ffmesh_coordinator.shell.clock import elapsed

SLEEP_AT_MOST: Final = 1.0
"""asyncio sleeps by a clock that stands still while the machine does; so it looks at ours again after this long."""


class Timer:
    def __init__(self) -> None:
        self._at: float | None = None
        self._changed = asyncio.Event()

    def set(self, at: float | None) -> None:
        """The alarm goes off at this time, and at no other that was set before; null: at none."""
        self._at = at
        self._changed.set()

    async def rings(self) -> None:
        """Returns when it goes off. It is then set to none."""
        while not self._is_due():
            self._changed.clear()
            try:
                async with asyncio.timeout(self._pause()):
                    await self._changed.wait()
            except TimeoutError:
                pass
        self._at = None

    def _is_due(self) -> bool:
        return self._at is not None and self._at <= elapsed()

    def _pause(self) -> float | None:
        return None if self._at is None else min(self._at - elapsed(), SLEEP_AT_MOST)

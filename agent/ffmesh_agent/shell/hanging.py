"""A look at a place that may never answer: a network mount whose server is gone holds on to whoever asks.

Each look has a thread of its own that nobody waits for. A place that has not answered the last look is not asked again
until it does, so that one dead mount costs one thread and no more.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Look(Generic[T]):
    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._name = name
        self._ask = ask
        self._answer: asyncio.Future[T] | None = None

    async def answer(self, seconds: float) -> T | None:
        """None: no answer within this time."""
        if self._answer is None:
            self._answer = self._asked()
        asked = self._answer
        done, _ = await asyncio.wait({asked}, timeout=seconds)
        if not done:
            return None
        self._answer = None
        return asked.result()

    def _asked(self) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def look() -> None:
            found = self._ask()
            try:
                loop.call_soon_threadsafe(answer.set_result, found)
            except RuntimeError:
                pass  # the loop has been closed: nobody wants to know any more

        threading.Thread(target=look, name=self._name, daemon=True).start()
        return answer

"""Work on a place that may never answer: a network mount whose server is gone holds on to whoever asks.

Each piece of work has a thread of its own, and the process can end without it. A place that has not answered the last
look is not asked again until it does, so that one dead mount costs one thread and no more.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

T = TypeVar("T")


def started(name: str, work: Callable[[], T]) -> asyncio.Future[T]:
    """Its outcome. The thread goes on, also when nobody waits for it any more."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        if not outcome.done():
            settle()

    def run() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(outcome.set_result, work())
        except Exception as error:  # noqa: BLE001  # it is for who waits
            settle = partial(outcome.set_exception, error)
        try:
            loop.call_soon_threadsafe(tell, settle)
        except RuntimeError:
            pass  # the loop has been closed: nobody wants to know any more

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome


def heard(answer: asyncio.Future[T]) -> None:
    """For an outcome that comes too late: an error too is nobody's then."""
    if not answer.cancelled():
        answer.exception()


class Look(Generic[T]):
    def __init__(self, name: str, ask: Callable[[], T]) -> None:
        self._name = name
        self._ask = ask
        self._answer: asyncio.Future[T] | None = None

    async def answer(self, seconds: float) -> T | None:
        """None: no answer within this time."""
        asked = self._answer
        if asked is None or asked.done():  # how it was when nobody waited any more is not how it is now
            asked = self._answer = started(self._name, self._ask)
        done, _ = await asyncio.wait({asked}, timeout=seconds)
        return asked.result() if done else None

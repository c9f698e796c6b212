"""Work on a place that may never answer: a network mount whose server is gone holds on to whoever asks.

Each piece of work has a thread to itself, and the process can end without it. A place that has not answered the last
look is not asked again until it does, so that one dead mount costs one thread and no more. A few threads whose work is
done wait for the next: to begin one the loop would have to wait until it runs, longer than most looks take.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")

KEPT: Final = 4
"""Threads that wait. Of more that look at the same time, the others end."""

_IDLE: Final = "waits for a look"


class _Thread:
    def __init__(self) -> None:
        self._work: SimpleQueue[tuple[str, Callable[[], None]]] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=_IDLE, daemon=True)
        self._thread.start()

    def do(self, name: str, work: Callable[[], None]) -> None:
        self._work.put((name, work))

    def _run(self) -> None:
        while True:
            self._thread.name, work = self._work.get()
            work()
            self._thread.name = _IDLE
            del work  # and what it holds
            _waiting.append(self)
            if len(_waiting) > KEPT and _leaves(self):
                return


_waiting: list[_Thread] = []


def _leaves(thread: _Thread) -> bool:
    """Unless it has been given work meanwhile."""
    try:
        _waiting.remove(thread)
    except ValueError:
        return False
    return True


def _waits() -> _Thread:
    try:
        return _waiting.pop()
    except IndexError:
        return _Thread()


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

    _waits().do(name, run)
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

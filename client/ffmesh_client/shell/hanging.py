"""Questions to a place that may never answer: a network mount whose server is gone holds on to whoever asks.

Each question has a thread to itself, and the process can end without it. Threads that were answered wait for the next
question, a few of them: to begin one costs more than most questions do.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")

KEPT: Final = 2
"""Threads that wait. Of more that have asked at the same time, the others end."""


class Askers:
    def __init__(self) -> None:
        self._waiting: list[_Asker] = []

    def ask(self, question: Callable[[], T]) -> "asyncio.Future[T]":
        """Its answer, or what it raised. Cancelling it lets go of the answer, not of the thread."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        asker = self._waiting.pop() if self._waiting else _Asker()

        def over(settle: Callable[[], None]) -> None:
            if len(self._waiting) < KEPT:
                self._waiting.append(asker)
            else:
                asker.end()
            if not answer.done():
                settle()

        def asked() -> None:
            settle: Callable[[], None]
            try:
                settle = partial(answer.set_result, question())
            except Exception as error:  # noqa: BLE001 - it is for who waits
                settle = partial(answer.set_exception, error)
            try:
                loop.call_soon_threadsafe(over, settle)
            except RuntimeError:
                pass  # the loop has been closed: nobody wants to know any more

        asker.do(asked)
        return answer


class _Asker:
    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="asks the disk", daemon=True).start()

    def do(self, work: Callable[[], None]) -> None:
        self._work.put(work)

    def end(self) -> None:
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # and what it holds

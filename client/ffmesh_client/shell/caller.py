"""Whom an attached job is for: this very process, or another one that speaks through us."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final, Protocol

from ffmesh_client.core.events import Event, Resumed, Signalled


class Caller(Protocol):
    @property
    def has_another_way(self) -> bool:
        """Than to wait for an agent that is not there."""
        ...

    def attached(self, tell: Callable[[Event], None]) -> None:
        """From now on it may tell: `Signalled`, `Resumed`, `Withdrawn`."""

    def begun(self) -> None:
        """An agent has the job, and starts the program as soon as we let it."""

    def suspend(self, kept: AbstractContextManager[None]) -> None:
        """Its program stands still, so may it; it tells `Resumed` when it goes on. If it is a process that has to speak
        meanwhile, it does so with `kept`."""

    def left(self) -> None:
        """Nobody listens any more."""


TAKEN: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
"""What asks a program to end, or to pause; unless our parent wants it ignored, as nohup does and `trap '' INT`."""


class ThisProcess:
    """These signals, when they come to us, are our program's."""

    def __init__(self, signals: Iterable[int] = ()) -> None:
        self._signals = tuple(signals)
        self._tell: Callable[[Event], None] | None = None

    @classmethod
    def of_a_command(cls) -> "ThisProcess":
        """With all that a program here would take."""
        return cls(number for number in TAKEN if signal.getsignal(number) is not signal.SIG_IGN)

    @property
    def has_another_way(self) -> bool:
        return False

    def attached(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        for number in self._signals:
            self._take(number)

    def begun(self) -> None:
        pass

    def suspend(self, kept: AbstractContextManager[None]) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGTSTP)
        with kept:
            os.kill(os.getpid(), signal.SIGTSTP)
        # Here we go on, later.
        self._take(signal.SIGTSTP)
        if self._tell is not None:
            self._tell(Resumed())

    def left(self) -> None:
        for number in self._signals:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _take(self, number: int) -> None:
        asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        if self._tell is not None:
            self._tell(Signalled(signal=number))

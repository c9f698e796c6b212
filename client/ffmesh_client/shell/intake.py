"""Where the bytes of standard input come from: a descriptor that may have nothing for hours, as a terminal has.

It is read by a thread of its own, only when it was asked for and no further: what is left there is for whoever reads
next, another command in the same script perhaps. A thread that waits holds up nothing, the end of the process neither.
It reads from a descriptor of its own, which it closes itself: a number that its caller closes may be another file's
before the thread has noticed.
"""

import os
import select
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from ffmesh_client.core.events import InputRead
from ffmesh_client.shell.terminal import Terminal

BACKGROUND_SECONDS: Final = 0.5
"""Nobody tells a program that its terminal's foreground is its own again, or is no longer."""


class Intake:
    """`tell` is called from the thread."""

    def __init__(self, descriptor: int, tell: Callable[[InputRead], None], terminal: Terminal | None = None) -> None:
        """`terminal`: to be taken for keys, where the descriptor is one."""
        self._descriptor = os.dup(descriptor)
        self._tell = tell
        self._keys_of = terminal
        self._terminal = Terminal(self._descriptor) if terminal is None and os.isatty(descriptor) else terminal
        self._wanted: SimpleQueue[int] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._woken, self._wakes = os.pipe()

    def read(self, at_most: int) -> None:
        self._wanted.put(at_most)
        if self._thread is None:
            self._thread = threading.Thread(target=self._pump, name="read stdin", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Nothing more is taken."""
        if not self._is_over:
            self._is_over = True
            self._wanted.put(0)
            os.close(self._wakes)  # which is the end of what the thread waits for besides
            if self._thread is None:
                self._close()

    def _pump(self) -> None:
        while (at_most := self._wanted.get()) and (content := self._next(at_most)) is not None:
            self._tell(InputRead(content=content))
        self._close()

    def _close(self) -> None:
        os.close(self._woken)
        os.close(self._descriptor)

    def _next(self, at_most: int) -> bytes | None:
        """None: nobody wants to know any more."""
        while not self._is_over:
            if self._keys_of is not None:
                self._keys_of.take()
            if not self._may_read:
                _readable(BACKGROUND_SECONDS, self._woken)
                continue
            ready = _readable(self._look_again, self._descriptor, self._woken)
            if self._descriptor not in ready or self._woken in ready or not self._may_read:
                continue
            try:
                return os.read(self._descriptor, at_most)
            except BlockingIOError:
                continue  # somebody else was quicker
            except OSError:
                return b""  # it cannot be read, as a program here would find it
        return None

    @property
    def _look_again(self) -> float | None:
        return BACKGROUND_SECONDS if self._terminal is not None else None

    @property
    def _may_read(self) -> bool:
        return self._terminal is None or self._terminal.is_ours


def _readable(seconds: float | None, *descriptors: int) -> list[int]:
    """Of these. A helper of many calls has numbers too high for `select`."""
    waits = select.poll()
    for descriptor in descriptors:
        waits.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in waits.poll(None if seconds is None else seconds * 1000)]

"""Our ends of a program's pipes: those that we read, as blocks of bytes, without lines and keeping nothing for anybody;
and the one that we write."""

import asyncio
import contextlib
import os
import sys
from typing import Final

from ffmesh_protocol.limits import CHUNK_BYTES

if sys.platform != "win32":
    import fcntl

BLOCK_BYTES: Final = CHUNK_BYTES
"""Read at most at once: as much as one message carries."""

_CAPACITY: Final = 256 * 1024
"""Asked of the kernel for streams that are data: without it a pipe holds 64 KiB, and a message a quarter of what it
could. More than a message gains nothing, and a user's pipes together are limited."""


class Pipe:
    def __init__(self) -> None:
        self._reads, self.writes = os.pipe()
        os.set_blocking(self._reads, False)
        self._reads_open = True
        self._writes_open = True
        self._woken: asyncio.Future[None] | None = None

    def widen(self) -> None:
        _widen(self._reads)

    async def readable(self) -> None:
        """Returns when there is something to read, or the end."""
        if not self._reads_open:
            return
        loop = asyncio.get_running_loop()
        woken = self._woken = loop.create_future()
        loop.add_reader(self._reads, _wake, woken)
        try:
            await woken
        finally:
            if self._reads_open:
                loop.remove_reader(self._reads)

    def read(self, at_most: int = BLOCK_BYTES) -> bytes | None:
        """What is there now; b"" is the end, None that there is nothing yet."""
        if not self._reads_open:
            return b""
        try:
            return os.read(self._reads, at_most)
        except BlockingIOError:
            return None

    def close_writes(self) -> None:
        """Ours; the program has its own by then."""
        if self._writes_open:
            self._writes_open = False
            os.close(self.writes)

    def close_reads(self) -> None:
        """Nobody wants the rest: the program finds its pipe broken. Whoever waits to read finds the end."""
        if not self._reads_open:
            return
        self._reads_open = False
        if self._woken is not None:
            asyncio.get_running_loop().remove_reader(self._reads)
            _wake(self._woken)
        os.close(self._reads)

    def close(self) -> None:
        self.close_writes()
        self.close_reads()


class StandardInput:
    """A program's: open until we close it, and empty until a key is pressed or a client sends something."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()
        os.set_blocking(self.writes, False)
        self._reads_open = True
        self._writes_open = True

    def widen(self) -> None:
        _widen(self.writes)

    def write(self, content: bytes | memoryview) -> int | None:
        """How much it takes now; None: nobody reads it any more."""
        if not self._writes_open:
            return None
        try:
            return os.write(self.writes, content)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return None

    def press(self, key: bytes) -> None:
        """Does nothing when the program has ended, or let thousands of keys lie there."""
        self.write(key)

    def close_reads(self) -> None:
        """Ours; the program has its own by then."""
        if self._reads_open:
            self._reads_open = False
            os.close(self.reads)

    def close_writes(self) -> None:
        """The program finds its end."""
        if self._writes_open:
            self._writes_open = False
            os.close(self.writes)

    def close(self) -> None:
        self.close_reads()
        self.close_writes()


def _widen(pipe: int) -> None:
    set_size: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)
    if set_size is not None:
        with contextlib.suppress(OSError):  # the user's share of pipes is used up
            fcntl.fcntl(pipe, set_size, _CAPACITY)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)

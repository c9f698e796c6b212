"""Our ends of a program's pipes: read as blocks of bytes, without lines and keeping nothing for anybody; or keys."""

import asyncio
import contextlib
import fcntl
import os
from typing import Final

from ffmesh_protocol.limits import CHUNK_BYTES

BLOCK_BYTES: Final = CHUNK_BYTES
"""Read at most at once: as much as one message carries."""

_CAPACITY: Final = 256 * 1024
"""Asked of the kernel for streams that are data: without it a pipe holds 64 KiB, and a message a quarter of what it
could. More than a message gains nothing, and a user's pipes together are limited."""


class Pipe:
    def __init__(self) -> None:
        self._reads, self.writes = os.pipe()
        os.set_blocking(self._reads, False)
        self._writes_open = True

    def widen(self) -> None:
        set_size: int | None = getattr(fcntl, "F_SETPIPE_SZ", None)
        if set_size is not None:
            with contextlib.suppress(OSError):  # the user's share of pipes is used up
                fcntl.fcntl(self._reads, set_size, _CAPACITY)

    async def readable(self) -> None:
        """Returns when there is something to read, or the end."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._reads, _wake, woken)
        try:
            await woken
        finally:
            loop.remove_reader(self._reads)

    def read(self, at_most: int = BLOCK_BYTES) -> bytes | None:
        """What is there now; b"" is the end, None that there is nothing yet."""
        try:
            return os.read(self._reads, at_most)
        except BlockingIOError:
            return None

    def close_writes(self) -> None:
        """Ours; the program has its own by then."""
        if self._writes_open:
            self._writes_open = False
            os.close(self.writes)

    def close(self) -> None:
        self.close_writes()
        os.close(self._reads)


class Keys:
    """The standard input of a program that reads keys: open, and empty until one is pressed."""

    def __init__(self) -> None:
        self.reads, self._writes = os.pipe()
        os.set_blocking(self._writes, False)
        self._reads_open = True
        self._closed = False

    def press(self, key: bytes) -> None:
        """Does nothing when the program has ended, or let thousands of keys lie there."""
        if not self._closed:
            with contextlib.suppress(BrokenPipeError, BlockingIOError):
                os.write(self._writes, key)

    def close_reads(self) -> None:
        """Ours; the program has its own by then."""
        if self._reads_open:
            self._reads_open = False
            os.close(self.reads)

    def close(self) -> None:
        self.close_reads()
        self._closed = True
        os.close(self._writes)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)

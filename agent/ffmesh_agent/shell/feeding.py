"""A client's standard input, on its way into the pipe of its program.

What the program has not taken waits here, one window at most, and the client reads no further. When the client's input
ends, so does the program's, unless that is where we press our keys. When the program closes its input, or ends, the
client is told so at once, and leaves the rest where it is.
"""

import asyncio
import select
from collections import deque
from collections.abc import Callable

from ffmesh_agent.shell.pipes import StandardInput
from ffmesh_protocol.limits import WINDOW_BYTES
from ffmesh_protocol.streams import Chunk, IncomingStream


class Feed:
    """Of one attempt. `changed` is called when the client should hear at once what we have."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.is_closed = False
        """Nothing more is taken."""
        self._incoming = IncomingStream()
        self._waiting: deque[memoryview] = deque()
        self._changed = changed
        self._pipe: StandardInput | None = None
        self._stays_open = False
        self._is_full = False
        self._credited = 0

    @property
    def has_begun(self) -> bool:
        """The program runs: from now on the client may read what it sends."""
        return self._pipe is not None

    @property
    def received(self) -> int:
        return self._incoming.received

    @property
    def kept_bytes(self) -> int:
        return sum(map(len, self._waiting))

    def credit(self) -> int:
        """How far the client may go; it is told so."""
        self._credited = self._incoming.consumed
        return self._incoming.allowed

    def begin(self, pipe: StandardInput, *, stays_open: bool) -> None:
        """The program has its end of the pipe, and we have given up ours of it."""
        self._pipe, self._stays_open = pipe, stays_open
        if not stays_open:  # no keys, but data
            pipe.widen()
        # A pipe that nobody reads any more is an error to whoever waits for either end of it.
        asyncio.get_running_loop().add_reader(pipe.writes, self._close_if_unread)
        self._changed()

    def take(self, chunk: Chunk) -> None:
        if self.is_closed:
            self._changed()  # the word of it was lost
            return
        fresh = self._incoming.take(chunk)
        if fresh:
            self._waiting.append(memoryview(fresh))
        if not self._is_full:
            self._pour()

    def over(self) -> None:
        """The program has ended, or nobody feeds it any more."""
        if self._pipe is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pipe.writes)
        loop.remove_writer(self._pipe.writes)
        self._waiting.clear()
        self._pipe = None
        if not self.is_closed:
            self.is_closed = True
            self._changed()

    def _pour(self) -> None:
        """As much as the pipe takes now."""
        if self._pipe is None:
            return
        while self._waiting:
            written = self._pipe.write(self._waiting[0])
            if written is None:
                self._close()
                return
            self._incoming.consume(written)
            if written < len(self._waiting[0]):
                self._waiting[0] = self._waiting[0][written:]
                break
            self._waiting.popleft()
        self._wait_for_room(self._pipe)
        if self._incoming.complete and not self._waiting:
            self._close()
        elif self._incoming.consumed - self._credited >= WINDOW_BYTES // 2:
            self._changed()

    def _wait_for_room(self, pipe: StandardInput) -> None:
        is_full = bool(self._waiting)
        if is_full == self._is_full:
            return
        self._is_full = is_full
        loop = asyncio.get_running_loop()
        if is_full:
            loop.add_writer(pipe.writes, self._pour)
        else:
            loop.remove_writer(pipe.writes)

    def _close_if_unread(self) -> None:
        if self._pipe is None:
            return
        poll = select.poll()
        poll.register(self._pipe.writes, 0)
        if poll.poll(0):
            self._close()

    def _close(self) -> None:
        """Ends the program's input, where it is not ours as well."""
        pipe, stays_open = self._pipe, self._stays_open
        self.over()
        if pipe is not None and not stays_open:
            pipe.close_writes()

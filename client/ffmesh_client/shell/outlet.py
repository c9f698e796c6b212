"""Where the bytes of a stream go: a descriptor that may block for hours, as a pipe to a pager does.

Each outlet has a thread of its own, so that a reader that stands still holds up neither the other stream nor the
connection. What waits here is bounded by the credit of its stream: only what was written is acknowledged. The thread
never waits in a write, which nobody could end, but for the descriptor and for `close` at once. A file on a mount that
is gone keeps it all the same; so nobody waits for the thread, and its descriptor is one of its own: a number that its
caller closes may be another file's before the thread has noticed.

Messages that cannot be written are no reason to stop a film: programs here go on when their standard error is closed
or its disk is full, and so does one on the mesh. Only a pipe that nobody reads ends it, as SIGPIPE does here.
"""

import errno
import os
import select
import socket
import stat
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from ffmesh_client.core.events import ReaderGone, Written

NEVER_BLOCKS_BYTES: Final = 4096
"""A pipe that has room for anything has room for so many."""


class Outlet:
    """`tell` is called from the thread."""

    def __init__(self, stream: str, descriptor: int, tell: Callable[[Written | ReaderGone], None]) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._tell = tell
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._woken, self._wakes = -1, -1

    def write(self, content: bytes) -> None:
        self._waiting.append(content)
        self._changed.set()
        if self._thread is None:
            self._woken, self._wakes = os.pipe()
            sink = _sink_of(self._descriptor)
            # A daemon: whoever interrupts us twice does not wait for a reader that never comes back.
            self._thread = threading.Thread(target=self._pump, args=[sink], name=f"write {self._stream}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Nothing more is written, besides what is being written now."""
        self._closed = True
        self._changed.set()
        if self._thread is not None:
            os.close(self._wakes)  # which is what the thread sees

    def _pump(self, sink: "_Sink") -> None:
        ready = select.poll()
        ready.register(self._woken, 0)  # its end alone
        ready.register(sink.descriptor, select.POLLOUT)
        try:
            while not self._closed:
                self._changed.wait()
                self._changed.clear()
                while self._waiting and not self._closed:
                    if not self._write(sink, memoryview(self._waiting.popleft()), ready):
                        return
        finally:
            sink.close()
            os.close(self._woken)

    def _write(self, sink: "_Sink", content: memoryview, ready: select.poll) -> bool:
        """False: nothing more can be."""
        while content and not self._closed:
            try:
                count = sink.write(content)
            except BlockingIOError:
                ready.poll()
                continue
            except OSError as error:
                if error.errno == errno.EPIPE or not self._is_dispensable:
                    self._tell(ReaderGone(stream=self._stream, sentence=self._sentence(error)))
                    return False
                count = len(content)  # dropped; the next message may find room again
            content = content[count:]
            self._tell(Written(stream=self._stream, count=count))
        return True

    @property
    def _is_dispensable(self) -> bool:
        return self._stream == "stderr"

    def _sentence(self, error: OSError) -> str | None:
        """A closed pipe is no failure; anything else is."""
        if error.errno in (errno.EPIPE, errno.ECONNRESET):
            return None
        return f"the program's {self._stream} cannot be written: {error.strerror}; the job was cancelled"


class _Sink:
    """A descriptor that is written without waiting, and closed by us; one that is a file, which waits for no reader, as
    it is."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def write(self, content: memoryview) -> int:
        return os.write(self.descriptor, content)

    def close(self) -> None:
        os.close(self.descriptor)


class _Closed(_Sink):
    """What is wrong with it is told when it is written."""

    def __init__(self, descriptor: int, error: OSError) -> None:
        super().__init__(descriptor)
        self._error = error

    def write(self, content: memoryview) -> int:
        del content
        raise self._error

    def close(self) -> None:
        pass


class _SharedPipe(_Sink):
    """One that is somebody else's, and may be waiting."""

    def write(self, content: memoryview) -> int:
        waits = select.poll()
        waits.register(self.descriptor, select.POLLOUT)
        if not waits.poll(0):
            raise BlockingIOError
        return os.write(self.descriptor, content[:NEVER_BLOCKS_BYTES])


class _Socket(_Sink):
    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._socket = socket.socket(fileno=descriptor)

    def write(self, content: memoryview) -> int:
        return self._socket.send(content, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    def close(self) -> None:
        self._socket.close()


def _sink_of(descriptor: int) -> _Sink:
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISSOCK(mode):
            return _Socket(os.dup(descriptor))
        if stat.S_ISFIFO(mode):
            return _opened_once_more(descriptor) or _SharedPipe(os.dup(descriptor))
        if os.isatty(descriptor):
            return _opened_once_more(descriptor) or _Sink(os.dup(descriptor))
        return _Sink(os.dup(descriptor))
    except OSError as error:
        return _Closed(descriptor, error)


def _opened_once_more(descriptor: int) -> _Sink | None:
    """Not to wait is our wish alone: whoever shares the descriptor keeps theirs. None: it cannot be opened."""
    way = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return _Sink(os.open(f"/proc/self/fd/{descriptor}", way))
    except OSError:
        return None

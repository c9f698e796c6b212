"""Where the bytes of a stream go: a descriptor that may block for hours, as a pipe to a pager does.

Each outlet has a thread of its own, so that a reader that stands still holds up neither the other stream nor the
connection. What waits here is bounded by the credit of its stream: only what was written is acknowledged.

Messages that cannot be written are no reason to stop a film: programs here go on when their standard error is closed
or its disk is full, and so does one on the mesh. Only a pipe that nobody reads ends it, as SIGPIPE does here.
"""

import errno
import os
import select
import threading
from collections.abc import Callable
from queue import SimpleQueue

from ffmesh_client.core.events import ReaderGone, Written


class Outlet:
    """`tell` is called from the thread."""

    def __init__(self, stream: str, descriptor: int, tell: Callable[[Written | ReaderGone], None]) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._tell = tell
        self._waiting: SimpleQueue[bytes] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def write(self, content: bytes) -> None:
        self._waiting.put(content)
        if self._thread is None:
            # A daemon: whoever interrupts us twice does not wait for a reader that never comes back.
            self._thread = threading.Thread(target=self._pump, name=f"write {self._stream}", daemon=True)
            self._thread.start()

    def _pump(self) -> None:
        while True:
            content = memoryview(self._waiting.get())
            while content:
                try:
                    count = os.write(self._descriptor, content)
                except BlockingIOError:
                    select.select([], [self._descriptor], [])  # somebody who shares the terminal made it non-blocking
                    continue
                except OSError as error:
                    if error.errno == errno.EPIPE or not self._is_dispensable:
                        self._tell(ReaderGone(stream=self._stream, sentence=self._sentence(error)))
                        return
                    count = len(content)  # dropped; the next message may find room again
                content = content[count:]
                self._tell(Written(stream=self._stream, count=count))

    @property
    def _is_dispensable(self) -> bool:
        return self._stream == "stderr"

    def _sentence(self, error: OSError) -> str | None:
        """A closed pipe is no failure; anything else is."""
        if error.errno == errno.EPIPE:
            return None
        return f"the program's {self._stream} cannot be written: {error.strerror}; the job was cancelled"

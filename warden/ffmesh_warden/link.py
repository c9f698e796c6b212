"""The owner's end of the socket: frames out with descriptors, frames in, no task of its own.

`post` never waits and cannot be cancelled halfway, so no frame is ever cut. What the kernel does not take at once is
kept, with descriptors of our own, so that the caller may close his as soon as `post` returns.
"""

from __future__ import annotations

import array
import asyncio
import errno
import os
import socket
from collections import deque
from typing import TYPE_CHECKING

from ffmesh_warden.wire import BYTES_AT_ONCE, Frames, packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffmesh_warden.wire import Message

RETRY_SECONDS = 0.01
"""The kernel bounds the descriptors under way on a socket (ETOOMANYREFS), and tells nobody when there is room again."""

_NO_SIGNAL: int = getattr(socket, "MSG_NOSIGNAL", 0)
"""Python ignores SIGPIPE, but an owner that is itself a command-line tool may have chosen otherwise."""


class Link:
    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._waiting: deque[tuple[memoryview, list[int]]] = deque()
        self._retry: asyncio.TimerHandle | None = None

    def fileno(self) -> int:
        return self._socket.fileno()

    def post(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        body = memoryview(packed(message))
        ours: list[int] = []
        try:
            for descriptor in descriptors:
                ours.append(os.dup(descriptor))  # one that fails must not lose the others
        except OSError:
            _close_all(ours)
            raise
        self._waiting.append((body, ours))
        self._send()

    def received(self) -> tuple[list[Message], bool]:
        """What has come, and whether more may come."""
        messages: list[Message] = []
        while True:
            try:
                data = self._socket.recv(BYTES_AT_ONCE)
            except BlockingIOError:
                return messages, True
            except OSError:
                return messages, False
            if not data:
                return messages, False
            messages += self._frames.feed(data)

    def say_no_more(self) -> None:
        self._drop()
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side is gone

    def close(self) -> None:
        self._drop()
        self._socket.close()

    def _send(self) -> None:
        while self._waiting:
            body, descriptors = self._waiting.popleft()
            try:
                sent = self._socket.sendmsg([body], _rights(descriptors), _NO_SIGNAL)
            except OSError as error:
                self._waiting.appendleft((body, descriptors))
                self._wait_after(error)
                return
            _close_all(descriptors)
            if sent < len(body):
                self._waiting.appendleft((body[sent:], []))
        self._loop.remove_writer(self._socket)

    def _wait_after(self, error: OSError) -> None:
        if isinstance(error, BlockingIOError):
            self._loop.add_writer(self._socket, self._send)
        elif error.errno in {errno.ETOOMANYREFS, errno.ENOBUFS}:
            self._loop.remove_writer(self._socket)
            self._retry = self._loop.call_later(RETRY_SECONDS, self._send)
        else:
            # The other side is gone. The reading side hears of it too, and it is the one that draws conclusions.
            self._drop()

    def _drop(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_writer(self._socket)
        for _, descriptors in self._waiting:
            _close_all(descriptors)
        self._waiting.clear()


def _rights(descriptors: list[int]) -> list[tuple[int, int, bytes]]:
    if not descriptors:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())]


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

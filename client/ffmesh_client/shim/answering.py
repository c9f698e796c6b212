"""The helper's end of the socket to one shim: its call with its descriptors, its signals, its death, our answers."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from typing import Final

from ffmesh_client.shim.wording import Call, Word, call_in, length_of, said, signals_in
from ffmesh_protocol.errors import MalformedMessage

BLOCK_BYTES: Final = 65_536
DESCRIPTORS: Final = 3
CALL_SECONDS: Final = 10.0
"""A shim says its call in one breath."""


class Line:
    """Made with a connected socket, which is closed with it."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._came = b""

    async def call(self) -> tuple[Call, dict[int, int]]:
        """What was called, and our copies of its streams by the number that they have there: they are the caller's now
        to close. `MalformedMessage`, or `ConnectionError` if it is gone."""
        descriptors: list[int] = []
        try:
            async with asyncio.timeout(CALL_SECONDS):
                body = await self._body(descriptors)
            call = call_in(body)
            return call, dict(zip(call.open, descriptors, strict=True))
        except BaseException as error:
            for each in descriptors:
                os.close(each)
            if isinstance(error, (TimeoutError, ValueError)):
                raise MalformedMessage(
                    "a call of a shim that did not end, or with other streams than it names"
                ) from error
            raise

    async def signals(self) -> AsyncIterator[int]:
        """Those that were handed on, until the shim is gone."""
        while True:
            numbers, self._came = signals_in(self._came)
            for number in numbers:
                yield number
            try:
                content = await asyncio.get_running_loop().sock_recv(self._end, BLOCK_BYTES)
            except OSError:
                return
            if not content:
                return
            self._came += content

    def say(self, word: Word, text: str | int = "") -> None:
        """It is little, and the socket takes it at once; or the shim is dead, which `signals` tells."""
        try:
            self._end.send(said(word, text))
        except OSError:
            pass

    def close(self) -> None:
        self._end.close()

    async def _body(self, descriptors: list[int]) -> bytes:
        while True:
            span = length_of(self._came)
            if span is not None and len(self._came) >= span[1]:
                body, self._came = self._came[span[0] : span[1]], self._came[span[1] :]
                return body
            await self._readable()
            content, more, _, _ = socket.recv_fds(self._end, BLOCK_BYTES, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
            descriptors += more
            if not content:
                raise ConnectionError
            if len(descriptors) > DESCRIPTORS:
                raise MalformedMessage("a call of a shim with too many descriptors")
            self._came += content

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._end, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._end)

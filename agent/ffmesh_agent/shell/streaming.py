"""The streams of interactive attempts, on their way to their clients.

A program's pipe is read only while its stream takes more, so a slow client slows the program down and memory stays
bounded: one window a stream here, and what the bus has on its way. What was written goes out at once, however little
it is. After each connection, and when a client stands still, sending begins again where the client is known to be.

The streams of an attempt live from `open` to `close`, beyond the end of the program: until then the client may still
ask for bytes that it has not.

Not there yet: the client's own stdin, which comes with the shim.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from ffmesh_agent.shell.outlets import Nowhere, Outlet
from ffmesh_agent.shell.pipes import BLOCK_BYTES
from ffmesh_protocol.errors import BrokerUnreachable
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.streams import OutgoingStream
from ffmesh_protocol.topics import Verb

QUIET_BYTES: Final = 64 * 1024
"""With more than this on its way to the broker, a client that stands still may only be waiting for it."""

PATIENCE_BEATS: Final = 5
"""… but after so many beats it is sent again all the same."""


class Sender(Protocol):
    """The part of a bus that streams need."""

    def post(self, packet: Packet) -> None: ...
    async def room(self) -> None: ...
    @property
    def unacknowledged_bytes(self) -> int: ...


class _Stream:
    """One of an attempt's. An outlet for the program on one side, chunks on the other."""

    def __init__(self, verb: Verb, due: asyncio.Event) -> None:
        self.verb = verb
        self._outgoing = OutgoingStream()
        self._due = due
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._still_for = 0

    @property
    def kept_bytes(self) -> int:
        outgoing = self._outgoing
        return outgoing.written - outgoing.acknowledged + sum(len(content) for _, content in self._chunks)

    async def room(self) -> int:
        while not self._closed and self._outgoing.wants == 0:
            self._changed.clear()
            await self._changed.wait()
        return BLOCK_BYTES if self._closed else min(self._outgoing.wants, BLOCK_BYTES)

    def write(self, content: bytes) -> None:
        if not self._closed:
            self._outgoing.write(content)
            self._due.set()

    def end(self) -> None:
        if not self._closed:
            self._outgoing.end()
            self._due.set()

    def credit(self, received: int, allowed: int) -> None:
        self._outgoing.credit(received, allowed)
        self._changed.set()
        self._due.set()

    def next_chunk(self) -> tuple[int, bytes] | None:
        if not self._chunks:
            self._chunks.extend(self._outgoing.due())
        return self._chunks.popleft() if self._chunks else None

    def send_again(self) -> None:
        self._still_for = 0
        self._chunks.clear()
        self._outgoing.send_again()
        self._due.set()

    def beat(self, *, quiet: bool) -> None:
        self._still_for = self._still_for + 1 if self._outgoing.stands_still() else 0
        if self._still_for and (quiet or self._still_for >= PATIENCE_BEATS):
            self.send_again()

    def close(self) -> None:
        """What is kept goes; what the program still writes goes nowhere."""
        self._closed = True
        self._outgoing = OutgoingStream()
        self._chunks.clear()
        self._changed.set()


class Streaming:
    def __init__(self, chunk: Callable[[str, Verb, int, bytes], Packet | None]) -> None:
        self._chunk = chunk
        self._attempts: dict[str, dict[Verb, _Stream]] = {}
        self._due = asyncio.Event()
        self._bus: Sender | None = None

    def open(self, attempt: str) -> None:
        if attempt not in self._attempts:
            self._attempts[attempt] = {verb: _Stream(verb, self._due) for verb in (Verb.STDOUT, Verb.STDERR)}

    def close(self, attempt: str) -> None:
        for stream in self._attempts.pop(attempt, {}).values():
            stream.close()

    def outlet(self, attempt: str, verb: Verb) -> Outlet:
        """For an attempt whose streams are not open, one that takes everything to nowhere."""
        streams = self._attempts.get(attempt)
        return streams[verb] if streams else Nowhere()

    def credit(self, credit: StreamCredit) -> None:
        for verb, stream in self._attempts.get(credit.attempt, {}).items():
            if verb in credit.received and verb in credit.allowed:
                stream.credit(credit.received[verb], credit.allowed[verb])

    def connected(self, bus: Sender) -> None:
        self._bus = bus
        for stream in self._all():
            stream.send_again()
        self._due.set()

    def disconnected(self) -> None:
        self._bus = None

    def beat(self) -> None:
        quiet = self._bus is not None and self._bus.unacknowledged_bytes <= QUIET_BYTES
        for stream in self._all():
            stream.beat(quiet=quiet)

    @property
    def kept_bytes(self) -> int:
        """What waits here for clients: at most two windows a stream, and what its pipe held when its program ended."""
        return sum(stream.kept_bytes for stream in self._all())

    async def run(self) -> None:
        """Sends what is due, a chunk of each stream in turn, for as long as there is a connection."""
        while True:
            await self._due.wait()
            self._due.clear()
            bus = self._bus
            if bus is None:
                continue
            try:
                while self._bus is bus and await self._sent_of_each(bus):
                    pass
            except BrokerUnreachable:
                if self._bus is bus:  # whoever reads from it hears of it too
                    self._bus = None

    async def _sent_of_each(self, bus: Sender) -> bool:
        sent = False
        for attempt, streams in list(self._attempts.items()):
            for stream in streams.values():
                if (chunk := stream.next_chunk()) is not None:
                    sent = True
                    await self._send(bus, attempt, stream.verb, *chunk)
        return sent

    async def _send(self, bus: Sender, attempt: str, verb: Verb, offset: int, content: bytes) -> None:
        await bus.room()
        packet = self._chunk(attempt, verb, offset, content)
        if packet is not None:
            bus.post(packet)

    def _all(self) -> list[_Stream]:
        return [stream for streams in self._attempts.values() for stream in streams.values()]

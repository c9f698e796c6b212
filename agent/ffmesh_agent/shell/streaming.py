"""The streams of interactive attempts, on their way to their clients.

A program's pipe is read only while its stream takes more, so a slow client slows the program down and memory stays
bounded: one window a stream here, and what the bus has on its way. What was written goes out at once, however little
it is. After each connection, and when a client stands still, sending begins again where the client is known to be.

The streams of an attempt live from `open` to `close`, beyond the end of the program: until then the client may still
ask for bytes that it has not. What nobody reads there any more, the program finds broken here.

The other way goes the client's own standard input: see feeding.py. While its program takes more, the client hears at
each beat, and when it matters, how far it may go.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from ffmesh_agent.shell.feeding import Feed
from ffmesh_agent.shell.outlets import Nowhere, Outlet
from ffmesh_agent.shell.pipes import BLOCK_BYTES
from ffmesh_protocol.errors import BrokerUnreachable
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.streams import Chunk, OutgoingStream
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
        self._broken: Callable[[], None] | None = None
        self._is_broken = False
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

    def when_broken(self, broken: Callable[[], None]) -> None:
        self._broken = broken
        if self._is_broken:
            broken()

    def hang_up(self) -> None:
        """Its reader is gone, and the program is to find that out."""
        if self._is_broken:
            return
        self.close()
        self._is_broken = True
        if self._broken is not None:
            self._broken()

    def close(self) -> None:
        """What is kept goes; what the program still writes goes nowhere."""
        self._closed = True
        self._outgoing = OutgoingStream()
        self._chunks.clear()
        self._changed.set()


class _Attempt:
    """All that goes between a program and its client."""

    def __init__(self, due: asyncio.Event) -> None:
        self.streams = {verb: _Stream(verb, due) for verb in (Verb.STDOUT, Verb.STDERR)}
        self.feed: Feed | None = None
        self.signals = 0

    @property
    def is_fed(self) -> bool:
        return self.feed is not None and self.feed.has_begun and not self.feed.is_closed

    def credit(self, attempt: str) -> StreamCredit:
        feed = self.feed if self.feed is not None and (self.feed.has_begun or self.feed.is_closed) else None
        return StreamCredit(
            attempt=attempt,
            received={Verb.STDIN: feed.received} if feed is not None else {},
            allowed={Verb.STDIN: feed.credit()} if feed is not None else {},
            closed=(Verb.STDIN,) if feed is not None and feed.is_closed else (),
            signals=self.signals,
        )


class Streaming:
    def __init__(
        self,
        chunk: Callable[[str, Verb, int, bytes], Packet | None],
        credit: Callable[[StreamCredit], Packet | None],
    ) -> None:
        self._chunk = chunk
        self._credit = credit
        self._attempts: dict[str, _Attempt] = {}
        self._due = asyncio.Event()
        self._bus: Sender | None = None

    def open(self, attempt: str) -> None:
        if attempt not in self._attempts:
            self._attempts[attempt] = _Attempt(self._due)

    def close(self, attempt: str) -> None:
        opened = self._attempts.pop(attempt, None)
        if opened is None:
            return
        for stream in opened.streams.values():
            stream.close()
        if opened.feed is not None:
            opened.feed.over()

    def outlet(self, attempt: str, verb: Verb) -> Outlet:
        """For an attempt whose streams are not open, one that takes everything to nowhere."""
        opened = self._attempts.get(attempt)
        return opened.streams[verb] if opened is not None else Nowhere()

    def feed(self, attempt: str) -> Feed | None:
        """Where the client's standard input goes, if it has one."""
        opened = self._attempts.get(attempt)
        return opened.feed if opened is not None else None

    def credit(self, credit: StreamCredit) -> None:
        opened = self._attempts.get(credit.attempt)
        if opened is None:
            return
        if Verb.STDIN in credit.sends and opened.feed is None:
            opened.feed = Feed(partial(self._say_credit, credit.attempt))
        for verb, stream in opened.streams.items():
            if verb in credit.closed:
                stream.hang_up()
            elif verb in credit.received and verb in credit.allowed:
                stream.credit(credit.received[verb], credit.allowed[verb])

    def take(self, chunk: Chunk) -> None:
        """Of a client's standard input."""
        feed = self.feed(chunk.attempt)
        if feed is not None:
            feed.take(chunk)

    def signalled(self, attempt: str, passed: int) -> None:
        """The program has had so many of its caller's signals."""
        opened = self._attempts.get(attempt)
        if opened is not None:
            opened.signals = passed
            self._say_credit(attempt)

    def connected(self, bus: Sender) -> None:
        self._bus = bus
        for stream in self._all():
            stream.send_again()
        self._say_credits()
        self._due.set()

    def disconnected(self) -> None:
        self._bus = None

    def beat(self) -> None:
        quiet = self._bus is not None and self._bus.unacknowledged_bytes <= QUIET_BYTES
        for stream in self._all():
            stream.beat(quiet=quiet)
        self._say_credits()

    @property
    def kept_bytes(self) -> int:
        """What waits here for clients: at most two windows a stream, and what its pipe held when its program ended. And
        for programs: one window of each client."""
        fed = sum(opened.feed.kept_bytes for opened in self._attempts.values() if opened.feed is not None)
        return fed + sum(stream.kept_bytes for stream in self._all())

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
        for attempt, opened in list(self._attempts.items()):
            for stream in opened.streams.values():
                if (chunk := stream.next_chunk()) is not None:
                    sent = True
                    await self._send(bus, attempt, stream.verb, *chunk)
        return sent

    async def _send(self, bus: Sender, attempt: str, verb: Verb, offset: int, content: bytes) -> None:
        await bus.room()
        packet = self._chunk(attempt, verb, offset, content)
        if packet is not None:
            bus.post(packet)

    def _say_credits(self) -> None:
        for attempt, opened in self._attempts.items():
            if opened.is_fed:
                self._say_credit(attempt)

    def _say_credit(self, attempt: str) -> None:
        """Without waiting for room: it is small, and said again."""
        bus, opened = self._bus, self._attempts.get(attempt)
        if bus is None or opened is None:
            return
        packet = self._credit(opened.credit(attempt))
        if packet is None:
            return
        try:
            bus.post(packet)
        except BrokerUnreachable:
            if self._bus is bus:  # whoever reads from it hears of it too
                self._bus = None

    def _all(self) -> list[_Stream]:
        return [stream for opened in self._attempts.values() for stream in opened.streams.values()]

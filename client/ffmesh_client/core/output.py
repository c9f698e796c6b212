"""What the program of one attempt writes, as it comes here: in order, once, and no faster than our own readers take it.

A stream whose reader has gone is over: what still comes of it is dropped, and the agent is told.
"""

from typing import Final

from ffmesh_client.core.events import ChunkCame
from ffmesh_protocol.limits import WINDOW_BYTES
from ffmesh_protocol.messages.reports import StreamLengths
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.streams import IncomingStream

STREAMS: Final = ("stdout", "stderr")


class Output:
    def __init__(self) -> None:
        self._streams: dict[str, IncomingStream] = {name: IncomingStream() for name in STREAMS}
        self._credited: dict[str, int] = dict.fromkeys(STREAMS, 0)
        self._gone: set[str] = set()

    @property
    def has_begun(self) -> bool:
        return any(stream.received for stream in self._streams.values())

    @property
    def is_unwritten(self) -> bool:
        """Our own reader has yet to take something."""
        return any(stream.received > stream.consumed for stream in self._streams.values())

    def take(self, came: ChunkCame) -> bytes:
        """What is new, and somebody here reads."""
        stream = self._streams[came.stream]
        fresh = stream.take(came.chunk)
        if came.stream in self._gone:
            stream.consume(len(fresh))
            return b""
        return fresh

    def consumed(self, name: str, count: int) -> bool:
        """By our own reader; whether the agent should hear it now."""
        stream = self._streams[name]
        stream.consume(count)
        return stream.consumed - self._credited[name] >= WINDOW_BYTES // 2

    def reader_gone(self, name: str) -> bool:
        """False: that was known."""
        if name in self._gone:
            return False
        self._gone.add(name)
        stream = self._streams[name]
        stream.consume(stream.received - stream.consumed)
        return True

    def has_arrived(self, lengths: StreamLengths) -> bool:
        wanted = {"stdout": lengths.stdout, "stderr": lengths.stderr}
        return all(name in self._gone or self._streams[name].received >= length for name, length in wanted.items())

    def credit(self, attempt: str, *, sends: tuple[str, ...]) -> StreamCredit:
        self._credited = {name: stream.consumed for name, stream in self._streams.items()}
        return StreamCredit(
            attempt=attempt,
            received={name: stream.received for name, stream in self._streams.items()},
            allowed={name: stream.allowed for name, stream in self._streams.items()},
            sends=sends,
            closed=tuple(sorted(self._gone)),
        )

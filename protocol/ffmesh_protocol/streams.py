"""The streams of a job's program, over messages that may be lost, repeated or reordered.

A chunk is the attempt (16 bytes), the offset of its first byte (8 bytes, big-endian) and the bytes. The receiver takes
only what comes next, and says in absolute numbers what it has and how far the sender may go; the sender keeps what lies
between and sends it again after each connection and when the receiver stands still. The end is an empty chunk at the
final offset.
"""

from typing import Final

from ffmesh_protocol.errors import MalformedMessage, Oversized
from ffmesh_protocol.limits import CHUNK_BYTES, MESSAGE_BYTES, STREAM_HEADER_BYTES, WINDOW_BYTES
from ffmesh_protocol.names import is_ulid
from ffmesh_protocol.wire import Told

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE: Final = {letter: value for value, letter in enumerate(_ALPHABET)}


class Chunk(Told, frozen=True):
    """A piece of a stream. Without bytes it is the end of the stream, at its final offset."""

    attempt: str
    offset: int
    content: bytes

    @property
    def is_end(self) -> bool:
        return not self.content


def packed(chunk: Chunk) -> bytes:
    return _ulid_bytes(chunk.attempt) + chunk.offset.to_bytes(8, "big") + chunk.content


def unpacked(payload: bytes) -> Chunk:
    if len(payload) < STREAM_HEADER_BYTES:
        raise MalformedMessage("a stream chunk is at least 24 bytes: attempt and offset")
    if len(payload) > MESSAGE_BYTES:
        raise Oversized(f"a stream chunk of {len(payload)} bytes; {MESSAGE_BYTES} are the limit")
    return Chunk(
        attempt=_ulid_text(payload[:16]),
        offset=int.from_bytes(payload[16:24], "big"),
        content=payload[24:],
    )


def _ulid_bytes(ulid: str) -> bytes:
    assert is_ulid(ulid)
    number = 0
    for letter in ulid:
        number = number << 5 | _VALUE[letter]
    return number.to_bytes(16, "big")


def _ulid_text(raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


class OutgoingStream:
    """The sender's end: what was written and is not yet acknowledged.

    `wants` is how many bytes it will take now; a program that writes faster waits for its reader, as in a pipe.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self.acknowledged = 0
        self.allowed = 0
        self.written = 0
        self.ended = False
        self._cursor = 0
        self._end_sent = False
        self._stood_at: int | None = None

    @property
    def wants(self) -> int:
        return 0 if self.ended else max(0, WINDOW_BYTES - len(self._kept))

    @property
    def delivered(self) -> bool:
        """Everything, the end too as far as bytes can tell, has arrived."""
        return self.ended and self.acknowledged >= self.written

    def write(self, content: bytes) -> None:
        assert not self.ended
        self._kept += content
        self.written += len(content)

    def end(self) -> None:
        self.ended = True

    def credit(self, received: int, allowed: int) -> None:
        """The receiver says what it has and how far we may go. Older words and nonsense change nothing."""
        if received > self.written:
            return
        if received > self.acknowledged:
            del self._kept[: received - self.acknowledged]
            self.acknowledged = received
        self._cursor = max(self._cursor, self.acknowledged)
        self.allowed = max(self.allowed, allowed)

    def stands_still(self) -> bool:
        """Whether nothing was acknowledged since the last time this was asked, though something is under way."""
        under_way = self._cursor > self.acknowledged or (self._end_sent and not self.delivered)
        still = under_way and self._stood_at == self.acknowledged
        self._stood_at = self.acknowledged
        return still

    def send_again(self) -> None:
        """After a new connection, or when the receiver stands still: from what it is known to have."""
        self._cursor = self.acknowledged
        self._end_sent = False

    def due(self) -> list[tuple[int, bytes]]:
        """What may be sent now, as offsets and bytes; after it counts as sent."""
        chunks: list[tuple[int, bytes]] = []
        until = min(self.written, self.allowed)
        while self._cursor < until:
            content = self._slice(self._cursor, min(CHUNK_BYTES, until - self._cursor))
            chunks.append((self._cursor, content))
            self._cursor += len(content)
        if self.ended and not self._end_sent and self._cursor == self.written:
            chunks.append((self.written, b""))
            self._end_sent = True
        return chunks

    def _slice(self, start: int, length: int) -> bytes:
        first = start - self.acknowledged
        return bytes(self._kept[first : first + length])


class IncomingStream:
    """The receiver's end: takes what comes next and drops the rest. It never writes out of order and never twice."""

    def __init__(self) -> None:
        self.received = 0
        self.consumed = 0
        self.final: int | None = None

    @property
    def allowed(self) -> int:
        """How far the sender may go: one window beyond what our own reader has taken."""
        return self.consumed + WINDOW_BYTES

    @property
    def _limit(self) -> int:
        return self.allowed if self.final is None else min(self.allowed, self.final)

    @property
    def complete(self) -> bool:
        return self.final is not None and self.received >= self.final

    def take(self, chunk: Chunk) -> bytes:
        """The bytes that are new, perhaps none."""
        if chunk.is_end:
            if self.final is None and chunk.offset >= self.received:
                self.final = chunk.offset
            return b""
        ahead = chunk.offset - self.received
        if ahead > 0 or ahead + len(chunk.content) <= 0:
            return b""
        fresh = chunk.content[-ahead:]
        if self.received + len(fresh) > self._limit:
            return b""
        self.received += len(fresh)
        return fresh

    def consume(self, count: int) -> None:
        """Our own reader has taken so many bytes."""
        self.consumed += count

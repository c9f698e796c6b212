"""Streams arrive exactly, once and to their end, whatever the network does, and memory stays bounded."""

# pyright: reportPrivateUsage=false
# How much a stream keeps is a promise, and nothing public says it.

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffmesh_protocol import streams
from ffmesh_protocol.errors import MalformedMessage, Oversized
from ffmesh_protocol.limits import CHUNK_BYTES, MESSAGE_BYTES, WINDOW_BYTES
from ffmesh_protocol.names import ULID_PATTERN
from ffmesh_protocol.streams import Chunk, IncomingStream, OutgoingStream, packed, unpacked

ATTEMPT = "01JD00000000000000000000AA"
ulids = st.from_regex(ULID_PATTERN)


@given(ulids, st.integers(0, 2**64 - 1), st.binary(max_size=100))
def test_a_chunk_comes_back_as_it_was(attempt: str, offset: int, content: bytes) -> None:
    chunk = Chunk(attempt=attempt, offset=offset, content=content)
    assert unpacked(packed(chunk)) == chunk


@given(st.binary(max_size=60))
def test_any_bytes_are_a_chunk_or_malformed(payload: bytes) -> None:
    try:
        chunk = unpacked(payload)
    except MalformedMessage:
        assert len(payload) < 24
    else:
        assert packed(chunk) == payload


def test_the_largest_chunk_is_the_largest_message() -> None:
    largest = packed(Chunk(attempt=ATTEMPT, offset=0, content=bytes(CHUNK_BYTES)))
    assert len(largest) == MESSAGE_BYTES
    unpacked(largest)
    with pytest.raises(Oversized):
        unpacked(largest + b"x")


class Pipe:
    """A stream over a network that drops, repeats and reorders, with a reader that comes and goes."""

    def __init__(self, content: bytes, chance: Random, window: int) -> None:
        self.content, self.chance, self.window = content, chance, window
        self.outgoing, self.incoming = OutgoingStream(), IncomingStream()
        self.read = b""
        self.unread = b""
        self.chunks: list[Chunk] = []
        self.credits: list[tuple[int, int]] = []
        self.offered = 0

    def step(self, *, healed: bool) -> None:
        for act in (
            self.write,
            self.send,
            self.arrive,
            self.consume,
            self.tell_credit,
            self.hear_credit,
        ):
            if healed or self.chance.random() < 0.6:
                act(healed=healed)
        if not healed and self.chance.random() < 0.05:
            self.reconnect()
        if self.chance.random() < (1.0 if healed else 0.1) and self.outgoing.stands_still():
            self.outgoing.send_again()
        self.check()

    def write(self, *, healed: bool) -> None:
        if self.outgoing.ended:
            return
        most = min(self.outgoing.wants, len(self.content) - self.offered)
        count = most if healed else self.chance.randint(0, most)
        self.outgoing.write(self.content[self.offered : self.offered + count])
        self.offered += count
        if self.offered == len(self.content):
            self.outgoing.end()

    def send(self, *, healed: bool) -> None:
        for offset, content in self.outgoing.due():
            chunk = Chunk(attempt=ATTEMPT, offset=offset, content=content)
            self.chunks += [chunk] * (1 if healed else self.chance.choice([0, 1, 1, 1, 2]))

    def arrive(self, *, healed: bool) -> None:
        while self.chunks and (healed or self.chance.random() < 0.7):
            at = 0 if healed else self.chance.randrange(len(self.chunks))
            self.unread += self.incoming.take(self.chunks.pop(at))

    def consume(self, *, healed: bool) -> None:
        count = len(self.unread) if healed else self.chance.randint(0, len(self.unread))
        self.read += self.unread[:count]
        self.unread = self.unread[count:]
        self.incoming.consume(count)

    def tell_credit(self, *, healed: bool) -> None:
        told = (self.incoming.received, self.incoming.allowed)
        self.credits += [told] * (1 if healed else self.chance.choice([0, 1, 2]))

    def hear_credit(self, *, healed: bool) -> None:
        while self.credits and (healed or self.chance.random() < 0.7):
            self.outgoing.credit(*self.credits.pop(0 if healed else self.chance.randrange(len(self.credits))))

    def reconnect(self) -> None:
        self.chunks.clear()
        self.credits.clear()
        self.outgoing.send_again()

    def check(self) -> None:
        arrived = self.read + self.unread
        assert arrived == self.content[: len(arrived)]
        assert len(arrived) == self.incoming.received
        assert len(self.outgoing._kept) <= self.window
        assert len(self.unread) <= self.window
        assert self.outgoing.written - self.outgoing.acknowledged == len(self.outgoing._kept)


@given(seed=st.integers(0, 2**32), length=st.integers(0, 3_000))
@settings(max_examples=150)
def test_the_exact_bytes_arrive_once_and_to_the_end_over_any_network(seed: int, length: int) -> None:
    chance = Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        # A window of a few chunks, so that every border is crossed many times.
        patch.setattr(streams, "WINDOW_BYTES", 256)
        patch.setattr(streams, "CHUNK_BYTES", chance.choice([1, 7, 64, 300]))
        pipe = Pipe(chance.randbytes(length), chance, window=256)
        for _ in range(chance.randint(0, 120)):
            pipe.step(healed=False)
        for _ in range(2 * length // 256 + 50):
            pipe.step(healed=True)

        assert pipe.read == pipe.content
        assert pipe.outgoing.delivered
        # All bytes are there; only their end may have been lost on the way, and a new connection brings it again.
        pipe.reconnect()
        pipe.step(healed=True)
        assert pipe.incoming.complete
        assert pipe.incoming.final == len(pipe.content)
        assert not pipe.outgoing.stands_still()


@pytest.mark.parametrize("seed", range(2))
def test_the_same_with_windows_and_chunks_of_the_real_size(seed: int) -> None:
    chance = Random(seed)
    pipe = Pipe(chance.randbytes(2 * WINDOW_BYTES + 12_345), chance, WINDOW_BYTES)
    for _ in range(12):
        pipe.step(healed=False)
    for _ in range(12):
        pipe.step(healed=True)
    assert pipe.read == pipe.content


def test_a_reader_that_stands_still_stops_the_writer_and_costs_one_window_at_either_end() -> None:
    outgoing, incoming = OutgoingStream(), IncomingStream()
    offered = arrived = 0
    for _ in range(100):
        block = bytes(min(outgoing.wants, 100_000))
        outgoing.write(block)
        offered += len(block)
        for offset, content in outgoing.due():
            arrived += len(incoming.take(Chunk(attempt=ATTEMPT, offset=offset, content=content)))
        outgoing.credit(incoming.received, incoming.allowed)

    assert outgoing.wants == 0
    assert offered <= 2 * WINDOW_BYTES
    assert arrived == WINDOW_BYTES
    assert not outgoing.stands_still()
    assert not outgoing.stands_still()

    incoming.consume(10)
    outgoing.credit(incoming.received, incoming.allowed)
    assert [(offset, len(content)) for offset, content in outgoing.due()] == [(WINDOW_BYTES, 10)]


def test_nothing_is_sent_before_the_first_credit_but_the_end_of_nothing() -> None:
    outgoing = OutgoingStream()
    outgoing.write(b"abc")
    assert outgoing.due() == []
    outgoing.credit(0, 2)
    assert outgoing.due() == [(0, b"ab")]

    empty = OutgoingStream()
    empty.end()
    assert empty.due() == [(0, b"")]


def test_what_stands_still_is_sent_again_from_where_it_stands() -> None:
    outgoing = OutgoingStream()
    outgoing.credit(0, 100)
    outgoing.write(b"abcdef")
    assert outgoing.due() == [(0, b"abcdef")]
    outgoing.credit(2, 100)
    assert not outgoing.stands_still()
    assert outgoing.stands_still()
    outgoing.send_again()
    assert outgoing.due() == [(2, b"cdef")]
    assert outgoing.due() == []


@pytest.mark.parametrize(
    ("received", "allowed"),
    [(-1, -1), (-(2**80), 5), (7, 100), (2**80, 2**80), (4, 2**80), (0, -5), (6, 0)],
)
def test_no_credit_breaks_the_sender_or_makes_it_keep_more(received: int, allowed: int) -> None:
    outgoing = OutgoingStream()
    outgoing.credit(0, 4)
    outgoing.write(b"abcdef")
    sent = b"".join(content for _, content in outgoing.due())
    outgoing.credit(received, allowed)
    sent += b"".join(content for _, content in outgoing.due())

    assert b"abcdef".startswith(sent) or received > 4
    assert 0 <= outgoing.acknowledged <= outgoing.written
    assert len(outgoing._kept) == outgoing.written - outgoing.acknowledged
    outgoing.write(b"g")
    outgoing.end()
    outgoing.credit(7, 100)
    outgoing.due()
    assert outgoing.delivered


@given(st.lists(st.tuples(st.integers(-10, 30) | st.integers(), st.integers(-10, 60) | st.integers()), max_size=20))
def test_any_row_of_credits_leaves_the_sender_sound(words: list[tuple[int, int]]) -> None:
    outgoing = OutgoingStream()
    outgoing.write(bytes(range(20)))
    for received, allowed in words:
        outgoing.credit(received, allowed)
        for offset, content in outgoing.due():
            assert content == bytes(range(20))[offset : offset + len(content)]
            assert offset + len(content) <= outgoing.allowed
        assert 0 <= outgoing.acknowledged <= outgoing.written


@given(st.lists(st.tuples(st.integers(0, 40) | st.sampled_from([2**63, 2**64 - 1]), st.integers(0, 20)), max_size=20))
def test_a_receiver_takes_each_byte_once_and_in_order_whatever_is_sent(sent: list[tuple[int, int]]) -> None:
    content = bytes(range(64))
    incoming, arrived = IncomingStream(), b""
    for offset, length in sent:
        chunk = Chunk(attempt=ATTEMPT, offset=offset, content=content[offset : offset + length] or bytes(length))
        arrived += incoming.take(chunk)
        assert incoming.received == len(arrived) <= WINDOW_BYTES
        assert incoming.final is None or incoming.received <= incoming.final


def test_a_receiver_keeps_no_more_than_it_allowed() -> None:
    incoming = IncomingStream()
    for number in range(100):
        incoming.take(Chunk(attempt=ATTEMPT, offset=number * 100_000, content=bytes(100_000)))
    assert incoming.received <= WINDOW_BYTES
    assert incoming.allowed == WINDOW_BYTES


def test_the_first_end_is_the_end() -> None:
    incoming = IncomingStream()
    assert incoming.take(Chunk(attempt=ATTEMPT, offset=0, content=b"abc")) == b"abc"
    for offset in (2, 6, 3, 9):
        assert incoming.take(Chunk(attempt=ATTEMPT, offset=offset, content=b"")) == b""
    assert incoming.final == 6
    assert not incoming.complete
    assert incoming.take(Chunk(attempt=ATTEMPT, offset=3, content=b"defg")) == b""
    assert incoming.take(Chunk(attempt=ATTEMPT, offset=3, content=b"def")) == b"def"
    assert incoming.complete


def test_many_small_writes_cost_no_more_than_their_bytes() -> None:
    outgoing = OutgoingStream()
    outgoing.credit(0, WINDOW_BYTES)
    for _ in range(100_000):
        outgoing.write(b"frame=1\r")
    assert len(outgoing._kept) == 800_000
    assert [len(content) for _, content in outgoing.due()] == [
        CHUNK_BYTES,
        CHUNK_BYTES,
        CHUNK_BYTES,
        800_000 - 3 * CHUNK_BYTES,
    ]

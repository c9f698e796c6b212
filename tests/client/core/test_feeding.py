"""Our standard input on its way, by itself: the agent and the network are what Hypothesis makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.core.attached_world import ATTEMPT
from ffmesh_client.core.effects import Effect, Feed, ReadInput, StopInput
from ffmesh_client.core.feeding import Feeding
from ffmesh_protocol.limits import CHUNK_BYTES, WINDOW_BYTES
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.streams import Chunk, IncomingStream


def credit(received: int, allowed: int, *, closed: bool = False) -> StreamCredit:
    return StreamCredit(
        attempt=ATTEMPT,
        received={"stdin": received},
        allowed={"stdin": allowed},
        closed=("stdin",) if closed else (),
    )


def sent(effects: list[Effect]) -> list[tuple[int, bytes]]:
    return [(effect.chunk.offset, effect.chunk.content) for effect in effects if isinstance(effect, Feed)]


def asked(effects: list[Effect]) -> list[int]:
    return [effect.at_most for effect in effects if isinstance(effect, ReadInput)]


def begun(allowed: int = WINDOW_BYTES) -> Feeding:
    feeding = Feeding(ATTEMPT)
    feeding.credited(credit(0, allowed))
    return feeding


def test_nothing_is_read_before_the_program_takes_something() -> None:
    feeding = Feeding(ATTEMPT)
    assert feeding.beat() == feeding.send_again() == feeding.credited(credit(0, 0)) == []
    assert not feeding.has_begun
    assert feeding.credited(credit(0, 10)) == [ReadInput(at_most=10)]


def test_what_was_read_goes_out_at_once_and_more_is_read_as_far_as_there_is_credit() -> None:
    feeding = begun(allowed=10)
    effects = feeding.read(b"abc")
    assert (sent(effects), asked(effects)) == ([(0, b"abc")], [7])
    effects = feeding.read(b"defghij")
    assert (sent(effects), asked(effects)) == ([(3, b"defghij")], [])
    assert asked(feeding.credited(credit(10, 12))) == [2]


def test_no_more_is_read_at_once_than_a_message_carries() -> None:
    assert asked(Feeding(ATTEMPT).credited(credit(0, WINDOW_BYTES))) == [CHUNK_BYTES]


def test_nothing_read_is_the_end_and_it_is_said_until_it_is_heard() -> None:
    feeding = begun()
    feeding.read(b"abc")
    assert feeding.read(b"") == [Feed(chunk=Chunk(attempt=ATTEMPT, offset=3, content=b""))]
    feeding.credited(credit(3, WINDOW_BYTES))
    said = [sent(feeding.beat()) for _ in range(8)]
    assert said[0] == [(3, b"")]
    assert said.count([(3, b"")]) == 3  # each time later: an agent that is only slow is not piled upon
    assert feeding.credited(credit(3, WINDOW_BYTES, closed=True)) == [StopInput()]
    assert [feeding.beat() for _ in range(9)] == [[]] * 9


def test_what_stands_still_is_sent_again() -> None:
    feeding = begun()
    feeding.read(b"abc")
    assert [sent(feeding.beat()), sent(feeding.beat())] == [[], [(0, b"abc")]]


def test_after_a_new_connection_all_that_is_not_known_to_have_arrived_is_sent_again() -> None:
    feeding = begun()
    feeding.read(b"abcdef")
    feeding.credited(credit(2, WINDOW_BYTES))
    assert sent(feeding.send_again()) == [(2, b"cdef")]


def test_when_nobody_takes_more_nothing_is_read_and_nothing_is_sent() -> None:
    feeding = begun()
    assert feeding.credited(credit(0, WINDOW_BYTES, closed=True)) == [StopInput()]
    assert feeding.read(b"too late") == feeding.send_again() == feeding.credited(credit(0, 99)) == feeding.over() == []


@pytest.mark.parametrize("received", [-1, 7, 2**62])
def test_nonsense_changes_nothing(received: int) -> None:
    feeding = begun()
    feeding.read(b"abcdef")
    feeding.credited(credit(received, -5))
    assert sent(feeding.send_again()) == [(0, b"abcdef")]


@given(st.data())
def test_whatever_is_lost_repeated_or_overtaken_the_program_reads_what_was_there(data: st.DataObject) -> None:
    typed = data.draw(st.binary(max_size=300))
    feeding, incoming, taken, arrived = Feeding(ATTEMPT), IncomingStream(), 0, bytearray()
    wires: list[Feed] = []
    waiting: list[int] = []
    words = [credit(0, 40)]

    def heed(effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Feed():
                    wires.extend([effect] * data.draw(st.sampled_from([0, 1, 1, 2])))
                case ReadInput(at_most=at_most):
                    assert taken + at_most <= incoming.consumed + 40, "never further than the program allows"
                    waiting.append(at_most)
                case _:
                    assert isinstance(effect, StopInput)

    for _ in range(data.draw(st.integers(0, 60))):
        match data.draw(st.sampled_from(["credit", "read", "chunk", "beat", "again"])):
            case "credit":
                heed(feeding.credited(data.draw(st.sampled_from(words))))
            case "read" if waiting:
                content = typed[taken : taken + data.draw(st.integers(1, waiting.pop()))]
                taken += len(content)
                heed(feeding.read(content))
            case "chunk" if wires:
                fresh = incoming.take(wires.pop(data.draw(st.integers(0, len(wires) - 1))).chunk)
                arrived += fresh
                incoming.consume(len(fresh))
                words.append(credit(incoming.received, incoming.consumed + 40))
            case "beat":
                heed(feeding.beat())
            case _:
                heed(feeding.send_again())
        assert typed.startswith(arrived)
        assert feeding.kept_bytes <= 40 + incoming.consumed
    for _ in range(4 * len(typed) + 20):  # the network is well
        wires.clear()
        heed_all = [*feeding.credited(credit(incoming.received, incoming.consumed + 40)), *feeding.send_again()]
        for effect in heed_all:
            if isinstance(effect, ReadInput):
                waiting.append(effect.at_most)
            elif isinstance(effect, Feed):
                fresh = incoming.take(effect.chunk)
                arrived += fresh
                incoming.consume(len(fresh))
        if waiting:
            content = typed[taken : taken + waiting.pop()]
            taken += len(content)
            for effect in feeding.read(content):
                if isinstance(effect, ReadInput):
                    waiting.append(effect.at_most)
    assert bytes(arrived) == typed
    assert incoming.complete

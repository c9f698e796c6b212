"""Signatures without clocks.

What was changed, repeated or taken from another life is refused; what is new never is.
"""

# pyright: reportPrivateUsage=false
# How much a window keeps is a promise, and nothing public says it.

import hashlib
import hmac
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.errors import FfmeshError, Forged, MalformedMessage, OtherLife, Repeated, RetiredLife
from ffmesh_protocol.limits import NUMBER_MAX, NUMBERS_WINDOW
from ffmesh_protocol.names import COORDINATOR, ULID_PATTERN, agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Lives, Numbers, Stamp, Window, checked_mac, mac_input, signed, stamp_of
from ffmesh_protocol.topics import Topics

KEY = b"k" * 32
MINE, PEER, OTHER = (f"01JD0000000000000000000{end}" for end in ("MNE", "PEE", "THR"))
TOPIC = Topics("home").directed(agent("pi-1"), COORDINATOR, MINE, "hello")
lives = st.from_regex(ULID_PATTERN)
numbers = st.integers(1, NUMBER_MAX)


def packet(**changed: object) -> Packet:
    plain = Packet(topic=TOPIC, payload=b'{"requires":[]}', response_topic="where/to", correlation=b"\0\1")
    return msgspec.structs.replace(plain, **changed)


def stamp(number: int = 1, sender_life: str = PEER, receiver_life: str = MINE, kid: int = 1, sender: str = "") -> Stamp:
    return Stamp(kid=kid, sender_life=sender_life, receiver_life=receiver_life, number=number, sender=sender)


def taken(arrived: Packet, known: Lives, key: bytes = KEY) -> None:
    """What every receiver does with a packet, in this order."""
    claimed = stamp_of(arrived)
    checked_mac(arrived, claimed, key)
    known.admit(claimed)


@given(
    payload=st.binary(max_size=300),
    response_topic=st.none() | st.text(min_size=1, max_size=20),
    correlation=st.none() | st.binary(min_size=1, max_size=20),
    kid=numbers,
    sender_life=lives,
    number=numbers,
)
def test_what_was_signed_is_taken(
    payload: bytes,
    response_topic: str | None,
    correlation: bytes | None,
    kid: int,
    sender_life: str,
    number: int,
) -> None:
    plain = packet(payload=payload, response_topic=response_topic, correlation=correlation)
    sent = signed(plain, KEY, stamp(number, sender_life, kid=kid))

    taken(sent, Lives(MINE))
    assert msgspec.structs.replace(sent, properties=()) == plain
    assert (stamp_of(sent).kid, stamp_of(sent).number, stamp_of(sent).sender) == (kid, number, "agents/pi-1")


def test_the_mac_is_that_of_the_parts_with_their_lengths() -> None:
    parts = [b"1", b"7", TOPIC.encode(), PEER.encode(), MINE.encode(), b"42", b"where/to", b"\0\1", b"{}"]
    covered = b"".join(bytes([0, 0, 0, len(part)]) + part for part in parts)

    assert mac_input(packet(payload=b"{}"), stamp(42, kid=7)) == covered
    mac = dict(signed(packet(payload=b"{}"), KEY, stamp(42, kid=7)).properties)["mac"]
    assert mac == hmac.new(KEY, covered, hashlib.sha256).hexdigest()


def flips(content: bytes) -> Iterator[bytes]:
    for at in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[at // 8] ^= 1 << at % 8
        yield bytes(flipped)


def with_one_flipped_bit(sent: Packet) -> Iterator[Packet]:
    """Every packet that differs in one bit of what is covered, as far as MQTT could carry it."""
    for field in ("topic", "payload", "response_topic", "correlation"):
        value = getattr(sent, field)
        if value is None:
            continue
        for flipped in flips(value.encode() if isinstance(value, str) else value):
            yield msgspec.structs.replace(
                sent, **{field: flipped.decode(errors="replace") if isinstance(value, str) else flipped}
            )
    for at, (name, text) in enumerate(sent.properties):
        for flipped in flips(text.encode()):
            changed = (name, flipped.decode(errors="replace"))
            yield msgspec.structs.replace(sent, properties=(*sent.properties[:at], changed, *sent.properties[at + 1 :]))


@pytest.mark.parametrize(
    "plain",
    [packet(), packet(response_topic=None, correlation=None), packet(payload=bytes(range(64)))],
    ids=["request", "message", "chunk"],
)
def test_one_flipped_bit_anywhere_in_what_is_covered_is_refused(plain: Packet) -> None:
    sent = signed(plain, KEY, stamp(1234, kid=12))
    taken(sent, Lives(MINE))

    tried = 0
    for changed in with_one_flipped_bit(sent):
        tried += 1
        with pytest.raises((Forged, MalformedMessage)):
            taken(changed, Lives(MINE))
    assert tried > 1_500


@given(payload=st.binary(min_size=1, max_size=2_000), data=st.data())
def test_one_flipped_bit_of_any_payload_is_refused(payload: bytes, data: st.DataObject) -> None:
    sent = signed(packet(payload=payload), KEY, stamp())
    bit = data.draw(st.integers(0, len(payload) * 8 - 1))
    flipped = bytearray(payload)
    flipped[bit // 8] ^= 1 << bit % 8

    with pytest.raises(Forged):
        taken(msgspec.structs.replace(sent, payload=bytes(flipped)), Lives(MINE))


def test_what_is_covered_cannot_move_from_one_part_to_the_next() -> None:
    sent = signed(packet(response_topic="ab", correlation=b"c", payload=b"d"), KEY, stamp())
    for response_topic, correlation, payload in [
        ("a", b"bc", b"d"),
        ("abc", b"", b"d"),
        ("ab", b"", b"cd"),
        (None, b"abc", b"d"),
    ]:
        moved = msgspec.structs.replace(sent, response_topic=response_topic, correlation=correlation, payload=payload)
        with pytest.raises(Forged):
            taken(moved, Lives(MINE))


def test_a_message_cannot_be_told_its_response_topic_or_lose_it() -> None:
    bare = signed(packet(response_topic=None, correlation=None), KEY, stamp())
    full = signed(packet(), KEY, stamp())
    for changed in (
        msgspec.structs.replace(bare, response_topic="elsewhere"),
        msgspec.structs.replace(bare, correlation=b"x"),
        msgspec.structs.replace(full, response_topic=None),
        msgspec.structs.replace(full, correlation=None),
    ):
        with pytest.raises(Forged):
            taken(changed, Lives(MINE))


def test_another_key_fits_nothing() -> None:
    with pytest.raises(Forged):
        taken(signed(packet(), KEY, stamp()), Lives(MINE), key=b"K" * 32)


@pytest.mark.parametrize(
    "change",
    [
        {"v": "2"},
        {"v": None},
        {"kid": "0"},
        {"kid": "01"},
        {"kid": None},
        {"kid": str(2**63)},
        {"n": "0"},
        {"n": "-1"},
        {"n": "+1"},
        {"n": " 1"},
        {"n": "1\n"},
        {"n": "1_0"},
        {"n": "١"},
        {"n": str(2**63)},
        {"n": "9" * 5_000},
        {"n": None},
        {"from": PEER.lower()},
        {"from": ""},
        {"from": None},
        {"to": MINE[:-1]},
        {"to": None},
        {"mac": "A" * 64},
        {"mac": "a" * 63},
        {"mac": "a" * 64 + "\n"},
        {"mac": "ä" * 64},
        {"mac": None},
    ],
    ids=lambda change: repr(change)[:40],
)
def test_a_stamp_has_one_spelling_only(change: dict[str, str | None]) -> None:
    properties = {**dict(signed(packet(), KEY, stamp()).properties), **change}
    changed = tuple((name, value) for name, value in properties.items() if value is not None)
    with pytest.raises(MalformedMessage):
        stamp_of(packet(properties=changed))


def test_a_property_that_stands_twice_is_malformed() -> None:
    sent = signed(packet(), KEY, stamp())
    with pytest.raises(MalformedMessage):
        stamp_of(msgspec.structs.replace(sent, properties=(*sent.properties, ("n", "2"))))


def test_other_properties_are_ignored() -> None:
    sent = signed(packet(), KEY, stamp())
    taken(msgspec.structs.replace(sent, properties=(("later", "thing"), *reversed(sent.properties))), Lives(MINE))


@given(
    st.lists(st.tuples(st.sampled_from(["v", "kid", "from", "to", "n", "mac"]) | st.text(), st.text()), max_size=8),
    st.text(),
)
def test_no_properties_are_worse_than_malformed(properties: list[tuple[str, str]], topic: str) -> None:
    with pytest.raises(MalformedMessage):
        stamp_of(Packet(topic=topic, payload=b"", properties=tuple(properties)))


class NaiveWindow:
    """The rule, written down a second time: all numbers ever seen, and how far below the highest one is too far."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def take(self, number: int) -> bool:
        fresh = number not in self.seen and number > max(self.seen, default=0) - NUMBERS_WINDOW
        if fresh:
            self.seen.add(number)
        return fresh


jumps = st.one_of(
    st.integers(-5, 5),
    st.integers(-NUMBERS_WINDOW - 2, NUMBERS_WINDOW + 2),
    st.sampled_from([NUMBERS_WINDOW, -NUMBERS_WINDOW, 1 - NUMBERS_WINDOW, 2**20, -(2**40), 2**62, -(2**62)]),
)


@given(st.lists(jumps, max_size=80))
def test_the_window_takes_exactly_what_is_new(steps: list[int]) -> None:
    window, naive = Window(), NaiveWindow()
    number = 1
    for step in steps:
        number = min(NUMBER_MAX, max(1, number + step))
        try:
            window.take(number)
        except Repeated:
            assert not naive.take(number)
        else:
            assert naive.take(number)
        assert window.highest == max(naive.seen, default=0)


@given(st.permutations(range(1, 60)), st.integers(0, 2**62))
def test_numbers_that_overtake_each_other_within_the_window_are_each_taken_once(order: list[int], base: int) -> None:
    window = Window()
    window.take(base + 60)
    for number in order:
        window.take(base + number)
    for number in (*order, 60):
        with pytest.raises(Repeated):
            window.take(base + number)


def test_the_window_is_as_wide_as_it_says() -> None:
    window = Window()
    window.take(5_000)
    window.take(5_000 - NUMBERS_WINDOW + 1)
    with pytest.raises(Repeated):
        window.take(5_000 - NUMBERS_WINDOW)


def test_a_jump_of_any_length_costs_no_memory() -> None:
    window = Window()
    for number in (1, 2**31, 2**62, NUMBER_MAX):
        window.take(number)
        assert window._seen.bit_length() <= NUMBERS_WINDOW
    for number in (1, 2**31, 2**62):
        with pytest.raises(Repeated):
            window.take(number)
    for number in range(NUMBER_MAX - 500, NUMBER_MAX):
        window.take(number)
        assert window._seen.bit_length() <= NUMBERS_WINDOW


def test_a_message_is_taken_once() -> None:
    known = Lives(MINE)
    sent = signed(packet(), KEY, stamp())
    taken(sent, known)
    for _ in range(3):
        with pytest.raises(Repeated):
            taken(sent, known)


def test_a_message_for_another_life_is_refused_and_uses_up_no_number() -> None:
    known = Lives(MINE)
    with pytest.raises(OtherLife):
        taken(signed(packet(), KEY, stamp(receiver_life=OTHER)), known)
    taken(signed(packet(), KEY, stamp()), known)


def test_a_forged_message_uses_up_no_number() -> None:
    known = Lives(MINE)
    with pytest.raises(Forged):
        taken(signed(packet(), b"another", stamp()), known)
    taken(signed(packet(), KEY, stamp()), known)


def test_each_life_counts_for_itself() -> None:
    known = Lives(MINE)
    taken(signed(packet(), KEY, stamp(7)), known)
    taken(signed(packet(), KEY, stamp(7, sender_life=OTHER)), known)
    assert known.known() == {PEER, OTHER}


@given(st.lists(numbers, min_size=1, max_size=20))
def test_nothing_of_a_retired_life_is_ever_taken_again(seen: list[int]) -> None:
    known = Lives(MINE)
    for number in sorted(set(seen)):
        known.admit(stamp(number, sender="agents/pi-1"))
    known.retire(PEER, "agents/pi-1")
    known.retire(PEER, "agents/pi-1")

    assert known.is_retired(PEER, "agents/pi-1")
    assert known.known() == frozenset()
    for number in (*seen, 1, NUMBER_MAX):
        with pytest.raises(RetiredLife):
            known.admit(stamp(number, sender="agents/pi-1"))


def test_a_life_may_be_retired_before_it_was_heard() -> None:
    known = Lives(MINE)
    known.retire(PEER)
    with pytest.raises(RetiredLife):
        taken(signed(packet(), KEY, stamp()), known)


def test_another_principal_can_neither_use_up_nor_end_a_life_that_is_not_its_own() -> None:
    known = Lives(MINE)
    intruder = Topics("home").directed(client("tv"), COORDINATOR, MINE, "bye")

    taken(signed(packet(topic=intruder), b"tv's own key", stamp(NUMBER_MAX)), known, key=b"tv's own key")
    known.retire(PEER, "clients/tv")

    for number in (1, 2, NUMBER_MAX):
        taken(signed(packet(), KEY, stamp(number)), known)
    assert known.is_retired(PEER, "clients/tv")
    assert not known.is_retired(PEER, "agents/pi-1")


def test_every_refusal_is_one_that_can_be_said() -> None:
    for kind in (Forged, MalformedMessage, OtherLife, Repeated, RetiredLife):
        assert issubclass(kind, FfmeshError)


def test_numbers_count_from_one_for_each_life() -> None:
    given_out = Numbers()
    assert [given_out.next(PEER) for _ in range(3)] == [1, 2, 3]
    assert given_out.next(OTHER) == 1
    given_out.forget(OTHER)
    assert given_out.next(PEER) == 4

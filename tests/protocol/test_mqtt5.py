"""Our bytes are what paho reads and writes, and no bytes whatever make the decoder raise anything but its own error."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ffmesh_protocol.errors import MalformedMessage
from ffmesh_protocol.mqtt5 import decoded_puback, decoded_publish, encoded_properties
from ffmesh_protocol.packet import Packet

# Without what paho itself refuses: NUL, and the byte order mark.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff"), max_size=80)
packets = st.builds(
    Packet,
    topic=text,
    payload=st.binary(max_size=200),
    qos=st.sampled_from([0, 1]),
    retain=st.booleans(),
    expiry_seconds=st.none() | st.integers(0, 2**32 - 1),
    response_topic=st.none() | text,
    correlation=st.none() | st.binary(max_size=80),
    properties=st.lists(st.tuples(text, text), max_size=8).map(tuple),
)


def as_publish(packet: Packet, properties: bytes, identifier: int = 7) -> tuple[int, bytes]:
    """The first byte, and what follows the remaining length."""
    topic = packet.topic.encode()
    number = identifier.to_bytes(2, "big") if packet.qos else b""
    return (
        0x30 | packet.qos << 1 | packet.retain,
        len(topic).to_bytes(2, "big") + topic + number + properties + packet.payload,
    )


def pahos_properties() -> Any:
    return Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho types none of it


@given(packets)
def test_what_is_encoded_is_decoded_to_the_same(packet: Packet) -> None:
    decoded, identifier = decoded_publish(*as_publish(packet, encoded_properties(packet)))
    assert decoded == packet
    assert identifier == (7 if packet.qos else 0)


@given(packets)
def test_paho_reads_our_properties(packet: Packet) -> None:
    ours = encoded_properties(packet)
    theirs = pahos_properties()
    assert theirs.unpack(ours)[1] == len(ours)
    assert tuple(getattr(theirs, "UserProperty", ())) == packet.properties
    assert getattr(theirs, "MessageExpiryInterval", None) == packet.expiry_seconds
    assert getattr(theirs, "ResponseTopic", None) == packet.response_topic
    assert getattr(theirs, "CorrelationData", None) == packet.correlation


@given(packets)
def test_we_read_pahos_properties_and_step_over_those_of_no_use(packet: Packet) -> None:
    theirs = pahos_properties()
    theirs.PayloadFormatIndicator = 1
    theirs.ContentType = "application/json"
    theirs.SubscriptionIdentifier = 300
    theirs.TopicAlias = 2
    theirs.UserProperty = list(packet.properties)
    if packet.expiry_seconds is not None:
        theirs.MessageExpiryInterval = packet.expiry_seconds
    if packet.response_topic is not None:
        theirs.ResponseTopic = packet.response_topic
    if packet.correlation is not None:
        theirs.CorrelationData = packet.correlation
    assert decoded_publish(*as_publish(packet, theirs.pack()))[0] == packet


@given(st.integers(0, 15), st.binary(max_size=120))
@example(2, b"\x00\x01a\x00\x01\x80\x80\x80\x80\x01")
@example(2, b"\x00\x01a\x00\x01\x03\x26\x00\x00")
@example(0, b"\x00\x00\x02\x0b\x80\x01")
def test_no_bytes_make_the_decoder_raise_anything_but_its_own_error(flags: int, rest: bytes) -> None:
    try:
        packet, _ = decoded_publish(0x30 | flags, rest)
    except MalformedMessage:
        return
    assert len(packet.payload) < len(rest)


@given(packets, st.data())
def test_a_publish_cut_anywhere_before_its_payload_is_malformed(packet: Packet, data: st.DataObject) -> None:
    first_byte, whole = as_publish(packet, encoded_properties(packet))
    cut = data.draw(st.integers(0, len(whole) - len(packet.payload) - 1))
    with pytest.raises(MalformedMessage):
        decoded_publish(first_byte, whole[:cut])


def test_what_is_no_text_becomes_replacement_characters() -> None:
    packet, _ = decoded_publish(0x30, b"\x00\x02a\xff" + b"\x07\x26\x00\x01\xfe\x00\x01\x00")
    assert packet.topic == "a\ufffd"
    assert packet.properties == (("\ufffd", "\x00"),)


@pytest.mark.parametrize(
    ("rest", "said"), [(b"\x01\x02", (258, 0)), (b"\x00\x07\x87", (7, 135)), (b"\x00\x07\x87\x00", (7, 135))]
)
def test_a_puback_tells_what_was_taken_and_how(rest: bytes, said: tuple[int, int]) -> None:
    assert decoded_puback(rest) == said


@pytest.mark.parametrize("rest", [b"", b"\x01"])
def test_a_puback_without_an_identifier_is_malformed(rest: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decoded_puback(rest)

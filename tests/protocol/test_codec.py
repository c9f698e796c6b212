"""The only place where bytes become messages: its limits, exactly."""

import time
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol import codec
from ffmesh_protocol.errors import MalformedMessage, Oversized
from ffmesh_protocol.limits import DEPTH, MESSAGE_BYTES
from ffmesh_protocol.messages.orders import Drain
from ffmesh_protocol.messages.requests import ShowAgent
from ffmesh_protocol.wire import Told


class Anything(Told, frozen=True):
    """Reads no field of what it is given."""


def nested(depth: int) -> bytes:
    return b'{"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_the_deepest_message_is_as_deep_as_the_limit() -> None:
    codec.decode(Anything, nested(DEPTH))
    with pytest.raises(MalformedMessage, match="deeper"):
        codec.decode(Anything, nested(DEPTH + 1))


def test_objects_and_arrays_count_alike() -> None:
    codec.decode(Anything, b'{"x":' + b'[{"y":' * 7 + b"[]" + b"}]" * 7 + b"}")
    with pytest.raises(MalformedMessage, match="deeper"):
        codec.decode(Anything, b'{"x":' + b'[{"y":' * 8 + b"[]" + b"}]" * 8 + b"}")


@pytest.mark.parametrize("hidden", [b'"]"', b'"\\"]"', b'"\\\\]]"', b'"}]"'])
def test_brackets_in_strings_do_not_hide_depth(hidden: bytes) -> None:
    around = (b"[" + hidden + b",") * 40
    balance = b",".join([hidden.replace(b"]", b"[").replace(b"}", b"{") + b"]"] * 40)
    with pytest.raises(MalformedMessage, match="deeper"):
        codec.decode(Anything, b'{"x":' + around + b"1," + balance + b"}")


@pytest.mark.parametrize("text", ["[" * 200, '"[' * 50, '\\"[{' * 50, "\\[" * 50, "[[[]" * 60])
def test_brackets_in_strings_are_no_depth(text: str) -> None:
    assert codec.decode(list[str], codec.encode([text, "[]"])) == [text, "[]"]


@given(st.recursive(st.text(alphabet='[]{}"\\,x', max_size=8), lambda inner: st.lists(inner, max_size=3)))
def test_depth_is_counted_as_the_parser_counts_it(document: object) -> None:
    def depth(value: object) -> int:
        return 1 + max(map(depth, cast("list[object]", value)), default=0) if isinstance(value, list) else 0

    payload = codec.encode(document)
    if depth(document) <= DEPTH:
        assert codec.decode(object, payload) == document
    else:
        with pytest.raises(MalformedMessage):
            codec.decode(object, payload)


def test_the_largest_message_is_as_large_as_the_limit() -> None:
    spare = MESSAGE_BYTES - len(codec.encode([""]))
    largest = codec.encode(["x" * spare])
    assert len(largest) == MESSAGE_BYTES
    assert codec.decode(list[str], largest) == ["x" * spare]

    with pytest.raises(Oversized):
        codec.encode(["x" * (spare + 1)])
    with pytest.raises(Oversized):
        codec.decode(list[str], largest + b" ")


def test_too_much_is_malformed_too() -> None:
    assert issubclass(Oversized, MalformedMessage)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * MESSAGE_BYTES,
        b"{" * MESSAGE_BYTES,
        b"[]" * (MESSAGE_BYTES // 2),
        b'{"a":' * (MESSAGE_BYTES // 5),
        b'\\"' * (MESSAGE_BYTES // 2),
        b'"[",' * (MESSAGE_BYTES // 4),
        b"9" * MESSAGE_BYTES,
        b'"' + b"\\u0000" * (MESSAGE_BYTES // 7),
    ],
    ids=lambda payload: repr(payload[:5]),
)
def test_no_bytes_cost_more_than_a_moment(payload: bytes) -> None:
    began = time.process_time()
    with pytest.raises(MalformedMessage):
        codec.decode(Drain, payload)
    assert time.process_time() - began < 0.5


def test_of_a_key_that_stands_twice_the_last_counts() -> None:
    assert codec.decode(Drain, b'{"draining":true,"draining":false}') == Drain(draining=False)


@pytest.mark.parametrize("payload", [b"", b" ", b"null", b"[]", b"7", b'{"draining":true} {}', b"\xef\xbb\xbf{}"])
def test_what_is_no_object_of_ours_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        codec.decode(Drain, payload)


def test_bytes_that_are_no_text_cannot_be_said() -> None:
    with pytest.raises(MalformedMessage):
        codec.encode(ShowAgent(agent="\udcff"))


def test_the_sentence_of_an_error_is_short_whatever_the_message_was() -> None:
    with pytest.raises(MalformedMessage) as refused:
        codec.decode(ShowAgent, codec.encode({"agent": "x" * 100_000}))
    assert len(str(refused.value)) <= 200

import os
from typing import Any

import pytest

from ffmesh_warden.strays import marked
from ffmesh_warden.wire import Frames, as_bytes, as_text, packed

MESSAGES: list[dict[str, Any]] = [
    {"verb": "signal", "id": "1", "number": 15},
    {"verb": "x", "text": "äöü\udcff" * 20},
    {},
]


def test_frames_may_be_cut_anywhere() -> None:
    stream = b"".join(packed(message) for message in MESSAGES)
    for cut in range(len(stream) + 1):
        frames = Frames()
        assert frames.feed(stream[:cut]) + frames.feed(stream[cut:]) == MESSAGES


def test_frames_may_come_byte_by_byte() -> None:
    frames = Frames()
    stream = b"".join(packed(message) for message in MESSAGES)
    assert [message for byte in stream for message in frames.feed(bytes([byte]))] == MESSAGES


@pytest.mark.parametrize("name", [b"", b"plain", "grün".encode(), bytes(range(1, 256)), b"\xed\xb3\xbf"])
def test_every_name_survives_the_wire(name: bytes) -> None:
    [message] = Frames().feed(packed({"name": as_text(name)}))
    assert as_bytes(message["name"]) == name
    assert as_bytes(as_text(os.fsdecode(name))) == name


def test_marks_of_nested_wardens_keep_the_outer_one() -> None:
    assert marked("", "aa", "1") == "aa.1"
    assert marked("aa.1", "bb", "7") == "aa.1:bb.7"

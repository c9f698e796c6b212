"""How owner and warden talk: frames of JSON over a stream socket, descriptors attached to a frame's first byte.

A frame is four bytes of length (big-endian) and one JSON object. A stream and not SOCK_SEQPACKET, because one
start may carry more than a datagram holds. JSON and not pickle or marshal, because a person can read it in a trace.

Names and arguments are bytes to the kernel and text in JSON: UTF-8, each byte that is not UTF-8 as a lone
surrogate (PEP 383). Both sides say so by name, so that no locale has a say.

Both sides are ours and of one version; what does not decode is a bug and raises.
"""

from __future__ import annotations

import json
import os
import struct
import time

TYPE_CHECKING = False  # typing's own costs the warden 3 ms of its start
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Message: TypeAlias = dict[str, Any]  # one JSON object; its keys are in the README

_LENGTH = struct.Struct(">I")

BYTES_AT_ONCE = 65536
DESCRIPTORS_AT_ONCE = 64
"""Most descriptors one start may hand over. The kernel takes 253 in one message."""

_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime() -> float:
    """The clock of all deadlines. It counts sleep; on macOS, CLOCK_MONOTONIC is the one that does."""
    return time.clock_gettime(_CLOCK)


def as_text(name: str | bytes | os.PathLike[str]) -> str:
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def packed(message: Message) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Turns bytes, cut anywhere, into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        self._bytes += data
        messages: list[Message] = []
        while len(self._bytes) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._bytes)[0]
            if len(self._bytes) < end:
                break
            messages.append(json.loads(self._bytes[_LENGTH.size : end]))
            del self._bytes[:end]
        return messages

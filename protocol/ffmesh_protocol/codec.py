"""The only place where bytes become messages and messages become bytes.

What does not decode raises `MalformedMessage`, whatever the bytes are; nothing else comes out of here.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from ffmesh_protocol.errors import MalformedMessage, Oversized
from ffmesh_protocol.limits import DEPTH, MESSAGE_BYTES

T = TypeVar("T")

_encoder: Final = msgspec.json.Encoder()
_ONLY_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")


def encode(message: Any) -> bytes:  # noqa: ANN401 - any value of ours
    """The message as JSON; `Oversized` if it became larger than a message may be, before anyone sees it."""
    try:
        payload = _encoder.encode(message)
    except (UnicodeEncodeError, msgspec.MsgspecError) as error:
        raise MalformedMessage(f"this cannot be said in JSON: {error}") from error
    if len(payload) > MESSAGE_BYTES:
        raise Oversized(f"a message of {len(payload)} bytes; {MESSAGE_BYTES} are the limit")
    return payload


def decode(kind: type[T], payload: bytes) -> T:
    """The message of that kind, every field checked; unknown fields are ignored."""
    if len(payload) > MESSAGE_BYTES:
        raise Oversized(f"{len(payload)} bytes; {MESSAGE_BYTES} are the limit")
    if _deeper_than(DEPTH, payload):
        raise MalformedMessage(f"nested deeper than {DEPTH}")
    try:
        return _decoder(kind).decode(payload)  # type: ignore[no-any-return, arg-type] # types hash; it gives a `kind`
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MalformedMessage(str(error)[:200]) from error


@lru_cache(maxsize=256)
def _decoder(kind: Hashable) -> Any:  # noqa: ANN401 - a cache over types cannot be typed closer
    return msgspec.json.Decoder(kind)


def _deeper_than(depth: int, payload: bytes) -> bool:
    """Whether brackets outside of strings nest deeper. Brackets that do not match may count as deeper, too.

    A message with few brackets cannot; for the others each pass takes the innermost pairs away.
    """
    if payload.count(b"[") + payload.count(b"{") <= depth:
        return False
    brackets = _without_strings(payload).translate(_ONE_KIND, _ONLY_BRACKETS)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _without_strings(payload: bytes) -> bytes:
    plain = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(plain.split(b'"')[::2])

"""Lists of settings inside one value: `key=value:key=value`, as encoders and muxers inside muxers take them."""

from collections.abc import Iterator, Mapping
from typing import Final

from ffmesh_protocol.ffmpeg.escapes import spelled, take_pair
from ffmesh_protocol.ffmpeg.meanings import MEANINGS, PARAMETERS, WORDS_FOR_NO_FILE, Kind, Meaning
from ffmesh_protocol.ffmpeg.placing import address_in
from ffmesh_protocol.ffmpeg.quoting import OPTION
from ffmesh_protocol.ffmpeg.urls import Address, read_file, read_url, shifted

_ESCAPED: Final = (OPTION,)
_WITHOUT_ESCAPES: Final = "x264opts"


def files_in(option: str, text: str) -> Iterator[Address]:
    """Those that an encoder's settings name. `x264opts` is cut at every colon, whatever stands before it."""
    known = PARAMETERS[option]
    if option == _WITHOUT_ESCAPES:
        yield from _without_escapes(known, text)
        return
    whole, at = spelled(text), 0
    while at < len(text):
        key, value, at = take_pair(whole, at, ":")
        at += 1
        meaning = _meaning(known, key or "", value.text)
        if meaning is not None:
            yield address_in(value, read_file(value.text, meaning.use), _ESCAPED)


def _without_escapes(known: Mapping[str, Meaning], text: str) -> Iterator[Address]:
    at = 0
    for setting in text.split(":"):
        key, equals, value = setting.partition("=")
        meaning = _meaning(known, key, value)
        if meaning is not None:
            yield shifted(read_file(value, meaning.use), at + len(key) + len(equals))
        at += len(setting) + 1


def muxer_options_in(text: str) -> Iterator[tuple[Meaning, Address]]:
    whole, at = spelled(text), 0
    while at < len(text):
        key, value, at = take_pair(whole, at, ":")
        at += 1
        meaning = MEANINGS.get(key or "")
        if meaning is not None and meaning.kind in (Kind.URL, Kind.FILE):
            reading = read_url if meaning.kind is Kind.URL else read_file
            yield meaning, address_in(value, reading(value.text, meaning.use), _ESCAPED)


def _meaning(known: Mapping[str, Meaning], key: str, value: str) -> Meaning | None:
    name = key.replace("_", "-").lower()
    return None if f"{name}={value}" in WORDS_FOR_NO_FILE else known.get(name)

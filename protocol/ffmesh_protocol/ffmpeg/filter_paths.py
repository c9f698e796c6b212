"""The files that one filter opens: by what is known of its options, and by what the others look like."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import structs

from ffmesh_protocol.ffmpeg.escapes import Spelled, take_token
from ffmesh_protocol.ffmpeg.filter_options import Option, options_of
from ffmesh_protocol.ffmpeg.filters import FILTERS, Meaning, Options
from ffmesh_protocol.ffmpeg.known_filters import known_filters
from ffmesh_protocol.ffmpeg.muxers import INPUT_DEVICES, LAVFI, quoting_of_input
from ffmesh_protocol.ffmpeg.placing import address_in
from ffmesh_protocol.ffmpeg.quoting import CONCAT, GRAPH, NONE, OPTION, PATTERN, joined
from ffmesh_protocol.ffmpeg.urls import STDOUT, Address, read_file, read_url
from ffmesh_protocol.media import printable

_OF_AN_OPTION: Final = (GRAPH, OPTION)
_OF_A_MODEL: Final = (GRAPH, OPTION, OPTION)
"""The levels of quoting around them, the outermost first."""
_FROM_FILE: Final = "/"
"""Before the name of an option, it says that the value stands in a file."""
_FORMAT: Final = ("format_name", "f")

_like_a_path = re.compile(r"(?:\A|\|)(?:~?/|\.{1,2}/|file:)")
_holds_a_path = re.compile(r"(?:\A|[\s=:|,;'\"(\\])(?:~?/|\.{1,2}/|file:)")
_like_a_file = re.compile(r"(?:\A|[=|/])[^=:|/\sA-Za-z_]*[A-Za-z_][^=:|/\s]*\.[A-Za-z][A-Za-z0-9]{1,4}(?:\Z|[:|])")
_number = re.compile(r"%[0-9]*d")
_NOTHING: Final = Address()
_NO_FILES: Final = Options((), {})


def files_of(name: str, text: Spelled) -> Address:
    """`text` is what stands behind the filter's `=`."""
    known = FILTERS.get(name)
    if known is None and name not in known_filters():
        return _suspected(name, text)
    options = tuple(options_of(text, known.order if known else ()))
    found = _together(_files(name, option, known or _NO_FILES, options) for option in options)
    late = next((option.value.text for option in options if option.is_late and option.value.text), None)
    return _together((found, _doubt(name, "", late))) if known is not None and late is not None else found


def _files(name: str, option: Option, known: Options, all_of_it: Sequence[Option]) -> Address:
    key, value = option.name or "", option.value
    if not value.text:
        return _NOTHING
    if key.startswith(_FROM_FILE):
        return _value_in_a_file(name, key.removeprefix(_FROM_FILE), value, known)
    meaning = known.meanings.get(key)
    if meaning is None:
        return _doubt(name, key, value.text) if _like_a_path.search(value.text) else _NOTHING
    if meaning.is_language and _holds_a_path.search(value.text):
        return _doubt(name, key, value.text)
    if not meaning.is_path:
        return _NOTHING
    if meaning.is_model:
        return _together(map(_model, value.parts("|")))
    address = _input(value.text, meaning, all_of_it) if meaning.is_input else _named(value.text, meaning)
    return address_in(value, address, _OF_AN_OPTION)


def _named(text: str, meaning: Meaning) -> Address:
    if meaning.is_library and "/" not in text:
        return _NOTHING
    if text == "-":  # a standard stream on the command line, here only to those that say so
        return Address(streams=(STDOUT,)) if meaning.prints_at_dash else read_file(text, meaning.use)
    address = read_url(text, meaning.use) if meaning.is_url else read_file(text, meaning.use)
    return _quoted(address, PATTERN) if meaning.is_numbered and _number.search(text) else address


def _input(text: str, meaning: Meaning, all_of_it: Iterable[Option]) -> Address:
    form = next((option.value.text for option in all_of_it if option.name in _FORMAT), "")
    if form in INPUT_DEVICES:
        return _NOTHING
    if form == LAVFI:
        return Address(doubt=f"the graph “{printable(text[:80])}” stands inside a graph")
    return _quoted(_named(text, meaning), quoting_of_input({"f": form}, text))


def _quoted(address: Address, quoting: str) -> Address:
    if quoting == NONE:
        return address
    places = (structs.replace(place, quoting=joined(place.quoting, quoting)) for place in address.places)
    return structs.replace(address, places=tuple(places))


def _model(text: Spelled) -> Address:
    """There are no escapes for the bars between models, so that no path may hold one."""
    found: list[Address] = []
    at = 0
    while at < len(text.text):
        key, at = take_token(text, at, "=")
        value, at = take_token(text, min(at + 1, len(text.text)), ":")
        at += 1
        if key.text == "path":
            found.append(address_in(value, _quoted(read_file(value.text), CONCAT), _OF_A_MODEL))
    return _together(found)


def _value_in_a_file(name: str, option: str, value: Spelled, known: Options) -> Address:
    """What such a file says is not looked at; that it says another file's name must not be overlooked."""
    meaning = known.meanings.get(option)
    if known is _NO_FILES or (known.has(option) and (meaning is None or not meaning.is_path)):
        return address_in(value, read_file(value.text), _OF_AN_OPTION)
    return _doubt(name, _FROM_FILE + option, value.text)


def _suspected(name: str, text: Spelled) -> Address:
    """Of a filter that nobody here knows: that its options open files can only be guessed from their values."""
    if _holds_a_path.search(text.text):
        return _doubt(name, "", text.text)
    for option in options_of(text, ()):
        if _holds_a_path.search(option.value.text) or _like_a_file.search(option.value.text):
            return _doubt(name, option.name or "", option.value.text)
    return _NOTHING


def _doubt(name: str, option: str, value: str) -> Address:
    where = f"{name}={option}" if option else name
    return Address(doubt=f"what “{printable(value[:80])}” is to the filter {printable(where)} is not known")


def _together(addresses: Iterable[Address]) -> Address:
    found = tuple(addresses)
    return Address(
        places=tuple(place for each in found for place in each.places),
        streams=tuple(stream for each in found for stream in each.streams),
        urls=tuple(url for each in found for url in each.urls),
        doubt=next((each.doubt for each in found if each.doubt is not None), None),
    )

"""How a path is written where it stands, so that the program reads the same path there.

A quoting is a list of levels joined by `+`, innermost first: a path in an option of a filter is first quoted as an
option's value and then, with all the options, as the graph's. `filter` is short for these two, the most frequent.

Promised: what the program takes off such a place is the path, byte for byte, also where it is no UTF-8. What cannot be
written so is refused.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Final

from ffmesh_protocol.errors import PathRefused

NONE: Final = "none"
OPTION: Final = "option"
"""A value in a list of `key=value:key=value`."""
GRAPH: Final = "graph"
"""The arguments of a filter inside a filter graph."""
FILTER: Final = "filter"
"""An option's value inside a filter graph."""
TEE: Final = "tee"
"""A name in a tee's list, parted by `|`."""
SLAVE: Final = "slave"
"""An option's value between the brackets before such a name."""
QUOTED: Final = "quoted"
"""Between two `'` of the level where they stand, in place of that level's own escapes."""
PATTERN: Final = "pattern"
"""A path whose `%` are filled in: those of the root's place are meant literally."""
GLOB: Final = "glob"
"""A path whose wildcards are expanded: those of the root's place are meant literally."""
CONCAT: Final = "concat"
"""A part of a list that knows no escapes for its `|`."""

_JOIN: Final = "+"
_LONG: Final = {FILTER: (OPTION, GRAPH)}

_Level = Callable[[bytes], bytes]
_blanks_around = re.compile(rb"^[ \n\t\r]+|[ \n\t\r]+\Z")
_each = re.compile(rb"(?s:.)")


def joined(*levels: str) -> str:
    """The quoting of these levels, innermost first."""
    names = [level for level in levels if level != NONE]
    for short, long in _LONG.items():
        at = len(names) - len(long)
        if at >= 0 and tuple(names[at:]) == long:
            names[at:] = [short]
    return _JOIN.join(names) or NONE


def known(quoting: str) -> bool:
    """Whether `write` can write it: what another version sent may be none of ours."""
    return _split(quoting) is not None


def write(place_of_root: bytes, path: bytes, quoting: str) -> bytes:
    """The path below the root's place, as it stands in an argument; `PathRefused` if it cannot stand there."""
    levels = _split(quoting)
    if levels is None:
        raise PathRefused(f"the quoting “{_printable(quoting)}” is not known here")
    of_the_place, of_all = levels
    for quote in of_the_place:
        place_of_root = quote(place_of_root)
    whole = posixpath.join(place_of_root, path) if path else place_of_root
    for quote in of_all:
        whole = quote(whole)
    return whole


def _escaping(letters: bytes) -> _Level:
    special = re.compile(b"[" + re.escape(letters) + b"]")

    def escaped(text: bytes) -> bytes:
        text = special.sub(rb"\\\g<0>", text)
        return _blanks_around.sub(lambda blanks: _each.sub(rb"\\\g<0>", blanks[0]), text)

    return escaped


def _between_quotes(text: bytes) -> bytes:
    """A quote ends what is quoted, stands escaped, and begins it again."""
    return text.replace(b"'", rb"'\''")


def _without_bars(text: bytes) -> bytes:
    if b"|" in text:
        raise PathRefused(f"{_printable(text.decode(errors='surrogateescape'))} cannot stand in a list parted by |")
    return text


def _percents_doubled(place: bytes) -> bytes:
    return place.replace(b"%", b"%%")


_OF_THE_PLACE: Final[Mapping[str, _Level]] = {PATTERN: _percents_doubled, GLOB: _escaping(b"*?[]{}\\")}
_OF_ALL: Final[Mapping[str, _Level]] = {
    # An = too: what stands before one could be a key.
    OPTION: _escaping(rb"\':="),
    SLAVE: _escaping(rb"\':=]"),
    GRAPH: _escaping(rb"\'[],;"),
    TEE: _escaping(rb"\'|"),
    QUOTED: _between_quotes,
    CONCAT: _without_bars,
}


def _split(quoting: str) -> tuple[list[_Level], list[_Level]] | None:
    """Those of the root's place come first: what is quoted already would be quoted inside out by them."""
    words = [] if quoting == NONE else quoting.split(_JOIN)
    names = [name for word in words for name in _LONG.get(word, (word,))]
    of_the_place = [name for name in names if name in _OF_THE_PLACE]
    of_all = names[len(of_the_place) :]
    if names[: len(of_the_place)] != of_the_place or not all(name in _OF_ALL for name in of_all):
        return None
    return [_OF_THE_PLACE[name] for name in of_the_place], [_OF_ALL[name] for name in of_all]


def _printable(text: str) -> str:
    return ascii(text[:80])[1:-1]

r"""What ffmpeg takes off a text, level by level, and where in the argument every letter of the rest stands.

ffmpeg reads nested lists with one scanner: up to a delimiter, `'…'` is literal, `\x` is x, and blanks at both ends go
unless they are protected. A filter's options pass through it twice, a model's inside them three times. A `Spelled` is
the text that one of these levels leaves over; it remembers the quotes around its letters, so that a path in it can be
replaced by another, written for the same place.

Words may be very long, and are read in runs of letters that mean themselves: what is done letter by letter is what
costs.
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from typing import NamedTuple

BLANKS = " \n\t\r"

_blanks = re.compile(r"[ \n\t\r]*")
_key = re.compile(r"[a-zA-Z0-9_/.-]*")


class Edge(NamedTuple):
    """A position between two characters of the argument, and the levels in whose quotes it lies, as bits: 1 is the
    outermost."""

    at: int
    quotes: int


class Letter(NamedTuple):
    """The characters that mean one: three of `'\\''` may stand for a quote."""

    begins: Edge
    ends: Edge


class Spelled(NamedTuple):
    """A text as meant, and how it is spelled in the argument."""

    text: str
    letters: tuple[Letter, ...]
    before: Edge
    """Behind the delimiter before it, which is further out than the first letter where quotes or blanks go before."""
    after: Edge
    depth: int
    """Of how many levels it was freed."""

    def part(self, begin: int, end: int) -> "Spelled":
        """These letters of it, without taking anything off."""
        return Spelled(
            self.text[begin:end], self.letters[begin:end], self.edge_after(begin), self.edge_before(end), self.depth
        )

    def parts(self, separator: str) -> "Sequence[Spelled]":
        """Cut at each of these letters, however it is spelled."""
        cuts = [at for at, letter in enumerate(self.text) if letter == separator]
        return [
            self.part(begin, end)
            for begin, end in zip([0, *(at + 1 for at in cuts)], [*cuts, len(self.text)], strict=True)
        ]

    def edge_after(self, at: int) -> Edge:
        """Where the letter before this one ends."""
        return self.letters[at - 1].ends if at else self.before

    def edge_before(self, at: int) -> Edge:
        return self.letters[at].begins if at < len(self.letters) else self.after

    def edges(self) -> tuple[Edge, Edge] | None:
        """Between which characters another text can stand instead of it, in the quotes of both ends, as far out as
        possible. None: it begins inside quotes that end before it does, or the other way round."""
        inner = (self.letters[0].begins, self.letters[-1].ends) if self.letters else (self.before, self.after)
        for begin in (self.before, inner[0]):
            for end in (self.after, inner[1]):
                if begin.quotes == end.quotes:
                    return begin, end
        return None


def spelled(argument: str) -> Spelled:
    """An argument of which nothing is taken off yet."""
    edges = tuple(map(Edge, range(len(argument) + 1), repeat(0)))
    return Spelled(argument, tuple(map(Letter, edges, edges[1:])), edges[0], edges[-1], 0)


class Taken(NamedTuple):
    token: Spelled
    at: int
    """Of the delimiter behind it, or the text's end."""


def take_token(source: Spelled, at: int, delimiters: str) -> Taken:
    """What stands from here to one of the delimiters, one level freed."""
    text, bit = source.text, 1 << source.depth
    begin, at = at, after_blanks(source, at)
    special = _special(delimiters)
    letters: list[Letter] = []
    meant: list[str] = []
    kept = 0  # so many letters stay, whatever blanks they are
    while at < len(text) and text[at] not in delimiters:
        if text[at] == "'":
            quote = text.find("'", at + 1)
            end = quote if quote >= 0 else len(text)
            letters += [_quoted(letter, bit) for letter in source.letters[at + 1 : end]]
            meant.append(text[at + 1 : end])
            kept = len(letters) if quote >= 0 else kept
            at = end + (quote >= 0)
        elif text[at] == "\\" and at + 1 < len(text):
            letters.append(Letter(source.letters[at].begins, source.letters[at + 1].ends))
            meant.append(text[at + 1])
            kept, at = len(letters), at + 2
        else:
            found = special.search(text, at + 1)
            end = found.start() if found is not None else len(text)
            letters += source.letters[at:end]
            meant.append(text[at:end])
            at = end
    whole = "".join(meant)
    last = max(kept, len(whole.rstrip(BLANKS)))
    edges = source.edge_after(begin), source.edge_before(at)
    return Taken(Spelled(whole[:last], tuple(letters[:last]), *edges, source.depth + 1), at)


def _quoted(letter: Letter, bit: int) -> Letter:
    (begin, begins), (end, ends) = letter
    return Letter(Edge(begin, begins | bit), Edge(end, ends | bit))


@cache
def _special(delimiters: str) -> re.Pattern[str]:
    """What ends a run of letters that mean themselves."""
    return re.compile(f"['\\\\{re.escape(delimiters)}]")


class Pair(NamedTuple):
    key: str | None
    """None: the value stands alone, for the option whose turn it is."""
    value: Spelled
    at: int
    """Of the delimiter behind it, or the text's end."""


def take_pair(source: Spelled, at: int, delimiters: str) -> Pair:
    """`key=value`, or a value alone. Only letters that a key can have make what stands before an `=` a key."""
    begin = after_blanks(source, at)
    found = _key.match(source.text, begin)
    end = found.end() if found is not None else begin
    equals = after_blanks(source, end)
    if source.text[equals : equals + 1] == "=":
        return Pair(source.text[begin:end], *take_token(source, equals + 1, delimiters))
    return Pair(None, *take_token(source, at, delimiters))


def after_blanks(source: Spelled, at: int) -> int:
    found = _blanks.match(source.text, at)
    return found.end() if found is not None else at

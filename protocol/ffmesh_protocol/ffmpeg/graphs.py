"""A filter graph as ffmpeg reads it: its filters, the paths in their options, and whether it uses the standard streams.

Promised: what is told as a place is a path, and another that is written there in its quoting is read as that path. What
ffmpeg would not take, and what could be a path although nobody here knows it for one, is a doubt.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ffmesh_protocol.ffmpeg.escapes import Spelled, after_blanks, spelled, take_token
from ffmesh_protocol.ffmpeg.filter_paths import files_of
from ffmesh_protocol.ffmpeg.places import Place
from ffmesh_protocol.ffmpeg.urls import STDIN, STDOUT
from ffmesh_protocol.media import printable
from ffmesh_protocol.wire import Told

_FLAGS_OF_SCALERS: Final = "sws_flags="
_ENDS_NAME: Final = "=,;["
_ENDS_OPTIONS: Final = "[],;"
_BETWEEN_FILTERS: Final = ",;"


class Graph(Told, frozen=True):
    """`places` have their positions in the text that was read."""

    filters: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    writes_stdout: bool = False
    reads_stdin: bool = False
    urls: tuple[str, ...] = ()
    """What is opened over the network."""
    doubt: str | None = None
    """Why it cannot be read for sure, as a sentence."""


class Filter(NamedTuple):
    name: str
    """Without that of the instance."""
    options: Spelled


class Parsed(NamedTuple):
    filters: tuple[Filter, ...]
    unread: str
    """From where on it is no graph; empty if it is one to its end."""


def read_graph(text: str) -> Graph:
    parsed = parse(text)
    files = [files_of(each.name, each.options) for each in parsed.filters]
    doubts = [doubt for each in files if (doubt := each.doubt) is not None]
    if parsed.unread:
        doubts.append(f"the filter graph cannot be read from “{printable(parsed.unread[:80])}” on")
    return Graph(
        filters=tuple(each.name for each in parsed.filters),
        places=tuple(place for each in files for place in each.places),
        writes_stdout=any(STDOUT in each.streams for each in files),
        reads_stdin=any(STDIN in each.streams for each in files),
        urls=tuple(url for each in files for url in each.urls),
        doubt=doubts[0] if doubts else None,
    )


def parse(text: str) -> Parsed:
    """`[in] name@instance=options [out], …; …`, of which only the filters matter here."""
    filters: list[Filter] = []
    try:
        filters.extend(_filters(spelled(text)))
    except _NoGraph as error:
        return Parsed(tuple(filters), text[error.at :])
    return Parsed(tuple(filters), "")


class _NoGraph(Exception):
    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def _filters(source: Spelled) -> Iterator[Filter]:
    begin = at = _after_flags(source)
    while at < len(source.text) or begin < at:
        begin = at
        name, at = take_token(source, _after_labels(source, at), _ENDS_NAME)
        if not name.text:
            raise _NoGraph(min(begin, len(source.text) - 1))
        options = source.part(at, at)
        if source.text[at : at + 1] == "=":
            options, at = take_token(source, at + 1, _ENDS_OPTIONS)
        yield Filter(name.text.partition("@")[0], options)
        at = _after_labels(source, at)
        if at == len(source.text):
            return
        if source.text[at] not in _BETWEEN_FILTERS:
            raise _NoGraph(at)
        at += 1


def _after_flags(source: Spelled) -> int:
    """`sws_flags=…;` before the first filter holds for all that scale. It knows no quotes."""
    at = after_blanks(source, 0)
    if not source.text.startswith(_FLAGS_OF_SCALERS, at):
        return at
    end = source.text.find(";", at)
    if end < 0:
        raise _NoGraph(at)
    return end + 1


def _after_labels(source: Spelled, at: int) -> int:
    """And after the blanks around them."""
    at = after_blanks(source, at)
    while source.text[at : at + 1] == "[":
        label, end = take_token(source, at + 1, "]")
        if not label.text or end == len(source.text):
            raise _NoGraph(at)
        at = after_blanks(source, end + 1)
    return at

"""The last lines of a failed program's standard error, as its job's summary tells them to people on other machines.

Promised: no more of them, and no longer ones, than a result may have; and no folder of this machine that we know by
name: a root stands there as `$Name`, and what was written aside as the place that it was to take.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ffmesh_protocol.limits import LABEL_CHARS, LAST_LINES

PRIVATE: Final = "…"
"""Stands for folders of the agent's own."""

_progress = re.compile(r"(?:frame|size)= *[0-9N].*(?:time|bitrate)=")
_aside = re.compile(r"/\.ffmesh-[0-9A-Za-z]+(?=/)")


def last_lines(lines: Sequence[str], roots: Mapping[str, str], private: Sequence[str] = ()) -> tuple[str, ...]:
    """`private` are folders that nobody else need know of. Of progress lines in a row only the last one is told."""
    told = [
        line
        for line, after in zip(lines, (*lines[1:], ""), strict=False)  # of none there is one more
        if line.strip() and not (_progress.match(line) and _progress.match(after))
    ]
    names = _names(roots, private)
    return tuple(_hidden(line, names)[:LABEL_CHARS] for line in told[-LAST_LINES:])


def _hidden(line: str, names: Mapping[str, str]) -> str:
    if names:
        places = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))  # of nested ones the inner
        line = re.sub(rf"(?:{places})(?![\w.-])", lambda found: names[found[0]], line)
    return _aside.sub("", line)


def _names(roots: Mapping[str, str], private: Sequence[str]) -> dict[str, str]:
    own = {place.rstrip("/"): PRIVATE for place in private}
    named = {place.rstrip("/"): f"${name}" for name, place in roots.items()}
    return {_as_decoded(place): name for place, name in (own | named).items() if place}


def _as_decoded(place: str) -> str:
    """As it stands in a line whose bytes were no UTF-8 either."""
    return place.encode(errors="surrogateescape").decode(errors="replace")

"""Sets of names, as ffmpeg writes them down: `out_%03d.png`, `%v/seg_%05d.ts`. Pure.

`%d` and `%0Nd` stand for a number, `%v` for the name of a variant, `%%` for a percent sign; also in the folders of a
path. A set has what stands there literally too, so that a name which only looks like a pattern is found.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, TypeAlias

from ffmesh_protocol.media import is_pattern

PLACEHOLDERS_MAX: Final = 8
WIDTH_MAX: Final = 20
"""No number of ours has more digits."""

_PLACEHOLDER: Final = re.compile(r"%(?:%|v|0?[0-9]*d)")
_DIGITS: Final = re.compile(r"[0-9]+")
_PERCENT: Final = "%%"
_VARIANT: Final = "%v"

Row: TypeAlias = tuple[str, ...]
"""What stands for all placeholders but the last: names that differ in their last number alone."""


class Names:
    """Of paths relative to one folder."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._parts = [(part, _tokens(part)) for part in pattern.split("/")]
        self._whole = _tokens(pattern)
        self._placeholders = [found for found in _PLACEHOLDER.findall(pattern) if found != _PERCENT]
        self._ends_in_number = bool(self._placeholders) and self._placeholders[-1] != _VARIANT

    @property
    def depth(self) -> int:
        return len(self._parts)

    def __contains__(self, path: str) -> bool:
        return path == self.pattern or _matched(self._whole, path) is not None

    def has_part(self, depth: int, name: str) -> bool:
        """Whether a file or folder of that name, so deep, may be one of the set or hold some of it."""
        literally, tokens = self._parts[depth]
        return name == literally or _matched(tokens, name) is not None

    def variants(self, path: str) -> frozenset[str]:
        """What stands for `%v` in a path of the set."""
        found = _matched(self._whole, path)
        values = zip(self._placeholders, found, strict=True) if found is not None else ()
        return frozenset(value for placeholder, value in values if placeholder == _VARIANT)

    def going_on(self, made: Iterable[str], there: Iterable[str]) -> list[str]:
        """Those of `there` whose numbers follow on the last of those made, without a gap: the rest of a longer row."""
        last: dict[Row, int] = {}
        for row, number, _ in self._numbered(made):
            last[row] = max(number, last.get(row, number))
        found: list[str] = []
        for row, number, path in sorted(self._numbered(there)):
            if last.get(row) == number - 1:
                last[row] = number
                found.append(path)
        return found

    def _numbered(self, paths: Iterable[str]) -> Iterator[tuple[Row, int, str]]:
        for path in paths if self._ends_in_number else ():
            found = _matched(self._whole, path)
            if found is not None:
                *row, number = found
                yield tuple(row), int(number), path


def why_not(pattern: str) -> str | None:
    """A sentence about a set whose names could be told apart by trying for ever only, or by nobody; None: it can be
    one."""
    placeholders = [found for found in _PLACEHOLDER.finditer(pattern) if found.group() != _PERCENT]
    if len(placeholders) > PLACEHOLDERS_MAX:
        return f"it has {len(placeholders)} placeholders, and {PLACEHOLDERS_MAX} are the limit"
    if any(len(_width(each.group())) > 2 or int(_width(each.group()) or 0) > WIDTH_MAX for each in placeholders):
        return f"its numbers have more than {WIDTH_MAX} digits"
    numbers = [each for each in placeholders if each.group() != _VARIANT]
    if any(one.end() == next_one.start() for one, next_one in pairwise(numbers)):
        return "two of its numbers follow each other with nothing between them"
    return None


def _width(placeholder: str) -> str:
    """`3` of `%03d`."""
    return placeholder[1:-1].lstrip("0")


def fixed_folder(path: str) -> str:
    """The folder above the first name that has a placeholder in it; "" for none."""
    *folders, _ = path.split("/")
    at = next((at for at, part in enumerate(folders) if is_pattern(part)), len(folders))
    return "/".join(folders[:at])


def _tokens(pattern: str) -> tuple[str, ...]:
    """Texts and placeholders by turns."""
    tokens: list[str] = []
    end = 0
    for found in _PLACEHOLDER.finditer(pattern):
        text = pattern[end : found.start()] + ("%" if found.group() == _PERCENT else "")
        if found.group() == _PERCENT:
            tokens.append(text)
        else:
            tokens += [text, found.group()]
        end = found.end()
    return tuple(token for token in (*tokens, pattern[end:]) if token)


def _matched(tokens: tuple[str, ...], name: str) -> Row | None:
    """What stands for each placeholder, the first ones as long as can be.

    All places that a token may end at are gone through once: names that are made to be tried in all ways cost no more
    than others.
    """
    ends: dict[int, Row] = {0: ()}
    for token in tokens:
        after: dict[int, Row] = {}
        for at, row in ends.items():
            if not _is_placeholder(token):
                if name.startswith(token, at):
                    after[at + len(token)] = row
                continue
            for end in _ends_of(token, name, at):
                if end not in after:
                    after[end] = (*row, name[at:end])
        ends = after
        if not ends:
            return None
    return ends.get(len(name))


def _is_placeholder(token: str) -> bool:
    return token != "%" and _PLACEHOLDER.fullmatch(token) is not None


def _ends_of(placeholder: str, name: str, at: int) -> Iterable[int]:
    """Where it may end that begins there, the last first."""
    if placeholder == _VARIANT:
        slash = name.find("/", at)
        return range(slash if slash >= 0 else len(name), at, -1)
    is_padded, width = placeholder[1:2] == "0", int(_width(placeholder) or 0)
    first = at if is_padded or width < 2 else at + len(name[at:]) - len(name[at:].lstrip(" "))
    found = _DIGITS.match(name, first)
    end = found.end() if found is not None else first
    if width >= 2 and not is_padded:
        return range(end, first, -1)
    least = first + max(width, 1)
    if name.startswith("0", first):
        end = min(end, least)
    return range(end, least - 1, -1)

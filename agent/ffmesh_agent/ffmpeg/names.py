"""Sets of names, as ffmpeg writes them down: `out_%03d.png`, `%v/seg_%05d.ts`. Pure.

`%d` and `%0Nd` stand for a number, `%v` for the name of a variant, `%%` for a percent sign; also in the folders of a
path. A set has what stands there literally too, so that a name which only looks like a pattern is found.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from ffmesh_protocol.media import is_pattern

_PLACEHOLDER: Final = re.compile(r"%(?:%|v|0?[0-9]*d)")
_PERCENT: Final = "%%"
_VARIANT: Final = "%v"

Row: TypeAlias = tuple[str, ...]
"""What stands for all placeholders but the last: names that differ in their last number alone."""


class Names:
    """Of paths relative to one folder."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._parts = [(part, re.compile(_expression(part))) for part in pattern.split("/")]
        self._whole = re.compile(_expression(pattern))
        self._placeholders = [found for found in _PLACEHOLDER.findall(pattern) if found != _PERCENT]
        self._ends_in_number = bool(self._placeholders) and self._placeholders[-1] != _VARIANT

    @property
    def depth(self) -> int:
        return len(self._parts)

    def __contains__(self, path: str) -> bool:
        return path == self.pattern or self._whole.fullmatch(path) is not None

    def has_part(self, depth: int, name: str) -> bool:
        """Whether a file or folder of that name, so deep, may be one of the set or hold some of it."""
        literally, expression = self._parts[depth]
        return name == literally or expression.fullmatch(name) is not None

    def variants(self, path: str) -> frozenset[str]:
        """What stands for `%v` in a path of the set."""
        found = self._whole.fullmatch(path)
        values = zip(self._placeholders, found.groups(), strict=True) if found is not None else ()
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
            found = self._whole.fullmatch(path)
            if found is not None:
                *row, number = found.groups()
                yield tuple(row), int(number), path


def fixed_folder(path: str) -> str:
    """The folder above the first name that has a placeholder in it; "" for none."""
    *folders, _ = path.split("/")
    at = next((at for at, part in enumerate(folders) if is_pattern(part)), len(folders))
    return "/".join(folders[:at])


def _expression(pattern: str) -> str:
    parts: list[str] = []
    end = 0
    for found in _PLACEHOLDER.finditer(pattern):
        parts += [re.escape(pattern[end : found.start()]), _expression_of(found.group())]
        end = found.end()
    return "".join([*parts, re.escape(pattern[end:])])


def _expression_of(placeholder: str) -> str:
    if placeholder == _PERCENT:
        return "%"
    if placeholder == _VARIANT:
        return "([^/]+)"
    padding, width = placeholder[1:2], int(placeholder[1:-1] or 0)
    if width < 2:
        return "(0|[1-9][0-9]*)"
    return rf"([0-9]{{{width}}}|[1-9][0-9]{{{width},}})" if padding == "0" else "( *[0-9]+)"

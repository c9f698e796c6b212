"""What the terminal can show, and how everything is said to one that can show less.

Widgets draw as if every terminal had colours and Unicode. On one that has not, each line is translated on its way out,
cell by cell, so that nothing moves.
"""

from collections.abc import Mapping
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from ffmesh_client.tui.looks import Looks

COERCED: Final = "C.UTF-8"
"""What Python itself puts into LC_CTYPE when the locale is C: it says nothing about the terminal."""

TWINS: Final = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True)),
    **dict.fromkeys("━╸╾▀▄", "="),
    **dict.fromkeys("─╌╶╴┄┈╺▔", "-"),
    **dict.fromkeys("│┃┆┊▏▎▍▌▋▊▉▐▕╎", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯", "+"),
    **dict(zip("●◐○◌◔▸✓✗⊘⊖■□◆›‹", "*%o.~>+x/-#.*><", strict=True)),
    **dict(zip("–—…·×°“”‘’→←↑↓⏎␣", "--~.xo\"\"''><^v<_", strict=True)),
}


def has_unicode(environment: Mapping[str, str]) -> bool:
    """As the locale says it, before Python amended it."""
    if environment.get("TERM") == "linux":
        return False  # the console's font has neither the blocks nor the dots
    if environment.get("LC_ALL"):
        return _is_utf8(environment["LC_ALL"])
    kind = environment.get("LC_CTYPE")
    if kind and kind != COERCED:
        return _is_utf8(kind)
    return _is_utf8(environment.get("LANG", ""))


def has_colours(environment: Mapping[str, str]) -> bool:
    return not environment.get("NO_COLOR") and environment.get("TERM", "") not in ("dumb", "vt100", "vt220")


def _is_utf8(locale: str) -> bool:
    return "utf8" in locale.replace("-", "").casefold()


class Ascii(LineFilter):
    """Every cell becomes one letter of ASCII."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]


def in_ascii(text: str) -> str:
    return text if text.isascii() else "".join(map(_twin, text))


def _twin(letter: str) -> str:
    if letter.isascii():
        return letter
    return TWINS.get(letter, "?" * cell_len(letter))


class WithoutColours(LineFilter):
    """The terminal's own colours alone. The line that the keys are at is reversed, and what is strong stays strong."""

    def __init__(self, looks: Looks) -> None:
        super().__init__()
        self._cursor = Style.parse(f"on {looks.cursor}").bgcolor

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [Segment(text, self._plain(style), control) for text, style, control in segments]

    def _plain(self, style: Style | None) -> Style | None:
        if style is None:
            return None
        return Style(
            bold=style.bold,
            underline=style.underline,
            reverse=bool(style.reverse) or style.bgcolor == self._cursor,
            meta=style.meta,
        )

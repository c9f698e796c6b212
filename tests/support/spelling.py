"""The many ways to spell one text for ffmpeg's scanner, at random."""

from typing import Final

from hypothesis import strategies as st

BLANKS: Final = " \n\t\r"
OPTION_ENDS: Final = ":="
GRAPH_ENDS: Final = "[],;"

_PLAIN, _ESCAPED, _QUOTED = "plain", "escaped", "quoted"


@st.composite
def spellings(draw: st.DrawFn, text: str, delimiters: str) -> str:
    r"""Each letter as it is, as `\x`, or between quotes, where one level allows it."""
    dice = draw(st.binary(min_size=len(text), max_size=len(text)))  # one draw for all: there are a great many letters
    styles = [(choice := _styles(text, at, delimiters))[die % len(choice)] for at, die in enumerate(dice)]
    parts: list[str] = []
    is_open = False
    for letter, style in zip(text, styles, strict=True):
        if (style == _QUOTED) != is_open:
            parts.append("'")
            is_open = not is_open
        parts.append(f"\\{letter}" if style == _ESCAPED else letter)
    return "".join(parts) + "'" * is_open


def _styles(text: str, at: int, delimiters: str) -> list[str]:
    letter = text[at]
    at_an_end = at in (0, len(text) - 1)
    styles = [_ESCAPED]
    if letter not in f"\\'{delimiters}" and not (at_an_end and letter in BLANKS):
        styles.insert(0, _PLAIN)
    if letter != "'":
        styles.append(_QUOTED)
    return styles


names = st.text(
    st.one_of(
        st.sampled_from("'\\:,;[]=%|@ \t\n!#$&*?(){}\"`~-+.é日"),
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=10,
)
"""Of files, with a liking for what is special somewhere."""

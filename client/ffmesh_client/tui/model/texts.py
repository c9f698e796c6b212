"""Texts of others, made fit for one line of a terminal."""

from typing import Final

from ffmesh_protocol.media import printable

JOINERS: Final = str.maketrans("", "", "\u200d\ufe0e\ufe0f")
"""What makes one picture of several emoji, or chooses how one looks. Terminals do not agree how wide the result is, and
one that disagrees with us would shift all that stands behind it; apart, every emoji is as wide as everywhere."""


def one_line(text: str) -> str:
    """Without control characters; nothing in it can move the cursor or turn the direction of what follows."""
    return printable(text.translate(JOINERS))

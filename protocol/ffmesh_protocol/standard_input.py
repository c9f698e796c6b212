"""What a program of ffmpeg's reads on its standard input, as far as its arguments tell: data, keys or nothing.

Whoever is not sure takes it for data, which costs nothing but the keys.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final

FFMPEG: Final = "ffmpeg"
FFPROBE: Final = "ffprobe"

_READS_NO_KEYS: Final = frozenset({b"-nostdin", b"-d"})

_may_be_standard_input = re.compile(rb"\bpipe\b(?!:0*[1-9])|\bfd:|/dev/stdin|/fd/0*(?![1-9])")
"""Wherever it stands: behind `concat:`, in a list of protocols, as the file of a filter."""


class Reads(StrEnum):
    DATA = "data"
    KEYS = "keys"
    """As long as it works, with a terminal or without."""
    NOTHING = "nothing"


def reads(program: str, arguments: Sequence[bytes]) -> Reads:
    """Of a program that is not ffmpeg's nobody knows it: data."""
    if program not in (FFMPEG, FFPROBE) or _is_data(program, arguments):
        return Reads.DATA
    if program == FFPROBE or not _READS_NO_KEYS.isdisjoint(arguments):
        return Reads.NOTHING
    return Reads.KEYS


def _is_data(program: str, arguments: Sequence[bytes]) -> bool:
    named = any(option == b"-i" and value == b"-" for option, value in pairwise(arguments))
    if program == FFPROBE:
        named = named or b"-" in arguments
    return named or any(_may_be_standard_input.search(argument) for argument in arguments)

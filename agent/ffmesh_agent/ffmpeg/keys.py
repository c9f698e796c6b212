"""Whether ffmpeg may be given a standard input that stays open, so that `q` asks it to end.

ffmpeg reads keys while it works, with a terminal or without, and ends its files in good order at `q`. It does not when
told so (`-nostdin`, `-d`), nor when its standard input is data. And at "File exists. Overwrite? [y/N]" it waits for
an answer that nobody would give: an input that is at its end says no. So it must have been told which, by `-y` or `-n`.

Whoever is not sure answers no: then the input is at its end as it always was, and the first way to stop is SIGTERM,
at which ffmpeg ends its files too.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ffmesh_agent.ffmpeg.argv import FFMPEG

QUIT: Final = b"q"

_ANSWERED: Final = frozenset({b"-y", b"-n"})
_READS_NONE: Final = frozenset({b"-nostdin", b"-d"})

_may_be_standard_input = re.compile(rb"\bpipe\b(?!:0*[1-9])|\bfd:|/dev/stdin|/fd/0*(?![1-9])")
"""Wherever it stands: behind `concat:`, in a list of protocols, as the file of a filter. A name that only looks like it
costs nothing but the key."""


def reads_keys(program: str, arguments: Sequence[bytes]) -> bool:
    """Of a program on our list and the arguments that its caller gave it."""
    return (
        program == FFMPEG
        and not _ANSWERED.isdisjoint(arguments)
        and _READS_NONE.isdisjoint(arguments)
        and not any(option == b"-i" and value == b"-" for option, value in pairwise(arguments))
        and not any(_may_be_standard_input.search(argument) for argument in arguments)
    )

"""Whether ffmpeg may be given a standard input that stays open, so that `q` asks it to end.

ffmpeg reads keys while it works, with a terminal or without, and ends its files in good order at `q`. It does not when
told so (`-nostdin`, `-d`), nor when its standard input is data. And at "File exists. Overwrite? [y/N]" it waits for
an answer that nobody would give: an input that is at its end says no. So it must have been told which, by `-y` or `-n`.

Whoever is not sure answers no: then the input ends where its caller's does, and the first way to stop is SIGTERM, at
which ffmpeg ends its files too.
"""

from collections.abc import Sequence
from typing import Final

from ffmesh_protocol.standard_input import Reads, reads

QUIT: Final = b"q"

_ANSWERED: Final = frozenset({b"-y", b"-n"})


def reads_keys(program: str, arguments: Sequence[bytes]) -> bool:
    """Of a program on our list and the arguments that its caller gave it."""
    return reads(program, arguments) is Reads.KEYS and not _ANSWERED.isdisjoint(arguments)

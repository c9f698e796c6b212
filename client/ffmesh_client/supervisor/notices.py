"""What `up` tells the person at its terminal, on standard error: few lines, and never a reason to fail."""

import sys
from collections.abc import Iterable


def say(sentence: str, quoted: Iterable[str] = ()) -> None:
    lines = [f"ffmesh: {sentence}", *(f"    {_plain(line)}" for line in quoted)]
    try:
        print("\n".join(lines), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # the terminal is closed; the mesh is not there for it alone


def _plain(line: str) -> str:
    """A log may quote what came from outside: nothing in it may steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in line)

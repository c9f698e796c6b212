"""A command line, laid out for reading: each option on a line with its value, and paths under roots marked."""

import re
import shlex
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from ffmesh_client.tui.model.texts import one_line
from ffmesh_protocol.wire import Told

ROOT: Final = re.compile(r"\$([A-Za-z0-9][A-Za-z0-9_-]{0,62})(?=/|$)")


class Kind(StrEnum):
    PROGRAM = "program"
    OPTION = "option"
    VALUE = "value"
    ROOT = "root"
    """The name of a root, where a path under it begins."""


class Word(Told, frozen=True):
    kind: Kind
    text: str


def laid_out(program: str, args: Sequence[str]) -> tuple[tuple[Word, ...], ...]:
    """Lines of words. Whether an option takes a value is guessed: it is for eyes, and no word is left out or moved."""
    lines: list[tuple[Word, ...]] = [(Word(kind=Kind.PROGRAM, text=one_line(program)),)]
    at = 0
    while at < len(args):
        if not _is_option(args[at]):
            lines.append(_value(args[at]))
            at += 1
            continue
        option = Word(kind=Kind.OPTION, text=one_line(args[at]))
        # The last word of all is what ffmpeg writes, also behind an option that takes no value.
        takes_next = at + 1 < len(args) - 1 and not _is_option(args[at + 1])
        lines.append((option, *_value(args[at + 1])) if takes_next else (option,))
        at += 2 if takes_next else 1
    return tuple(lines)


def to_paste(program: str, args: Sequence[str], roots: Mapping[str, str]) -> str:
    """For a shell of this machine, with the paths that its roots have here; a root that it has not keeps its name."""

    def here(match: re.Match[str]) -> str:
        return roots.get(match[1], match[0]).rstrip("/")

    return shlex.join([program, *(ROOT.sub(here, word) for word in args)])


def _value(text: str) -> tuple[Word, ...]:
    words: list[Word] = []
    at = 0
    for match in ROOT.finditer(text):
        if match.start() > at:
            words.append(Word(kind=Kind.VALUE, text=one_line(text[at : match.start()])))
        words.append(Word(kind=Kind.ROOT, text=match[0]))
        at = match.end()
    if at < len(text) or not words:
        words.append(Word(kind=Kind.VALUE, text=one_line(text[at:]) or "''"))
    return tuple(words)


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-") and not word[1].isdigit() and word[1] != "."

"""The options of a program: which take the word after them, and which hold for all files.

The rules are ffmpeg's own: a name ends at its first colon, `no` before a flag turns it off, `/` before a name says that
its value lies in a file. A setting of a codec or format takes a value always. What is known to no table does as well,
by guess.
"""

from enum import StrEnum

from ffmesh_protocol.wire import Told


class Takes(StrEnum):
    NOTHING = "nothing"
    VALUE = "value"
    QUESTION = "question"
    """It is answered, and nothing else is done; a topic may follow."""
    GUESSED = "guessed"
    """A value, if it is like the others. Nobody knows it."""


NUMBERED = frozenset({"autorotate", "autoscale"})
"""Up to ffmpeg 6.1 they take a number, later none."""


class Table(Told, frozen=True):
    values: frozenset[str]
    flags: frozenset[str]
    questions: frozenset[str]
    whole: frozenset[str]
    """Those that hold for the whole program, wherever they stand."""
    settings: frozenset[str]

    def takes(self, option: str, following: str | None) -> Takes:
        """`option` as it stands behind its `-`, `following` the word behind it."""
        name = plain(option)
        if name in self.questions:
            return Takes.QUESTION
        if name in NUMBERED:
            return Takes.VALUE if following is not None and following.isdecimal() else Takes.NOTHING
        if name in self.values:
            return Takes.VALUE
        if name in self.flags:
            return Takes.NOTHING
        if name in self.settings or (name[:1] in ("v", "a", "s") and name[1:] in self.settings):
            return Takes.VALUE
        if name.startswith("no") and (name[2:] in self.flags or name[2:] in NUMBERED):
            return Takes.NOTHING
        return Takes.GUESSED

    def knows(self, word: str) -> bool:
        """Whether this word is an option for sure."""
        return word.startswith("-") and len(word) > 1 and self.takes(word[1:], None) is not Takes.GUESSED

    def is_whole(self, option: str) -> bool:
        name = plain(option)
        return name in self.whole or (name.startswith("no") and name[2:] in self.whole & self.flags)


def plain(option: str) -> str:
    """Without the streams that it is meant for, and without what says that its value lies in a file."""
    return option.removeprefix("/").partition(":")[0]

"""The words of a command line in the order in which ffmpeg and ffprobe take them: options with their values, and files.

Nothing is said here of what a value means. Words that nobody knows are told as doubts.
"""

from collections.abc import Sequence
from typing import Final

from ffmesh_protocol.ffmpeg.options import Table, Takes, plain
from ffmesh_protocol.ffmpeg.tables import FFPROBE
from ffmesh_protocol.media import printable
from ffmesh_protocol.wire import Told

_FLAGS_AS_VALUES: Final = "flags"
"""Values of options whose names end so may begin with a minus, as those of other flags may not."""


class Option(Told, frozen=True):
    """`name` is what stands behind its minus. Flags have no value and no argument."""

    name: str
    value: str = ""
    argument: int | None = None
    is_guessed: bool = False

    @property
    def plain(self) -> str:
        return plain(self.name)


class Group(Told, frozen=True):
    """A file, and the options that stand between the file before it and itself."""

    options: tuple[Option, ...]
    name: str
    argument: int
    is_input: bool


class Split(Told, frozen=True):
    groups: tuple[Group, ...]
    decoding: tuple[Option, ...]
    """The options before `-dec`, with which ffmpeg 7.1 decodes what it has just encoded."""
    behind: tuple[Option, ...]
    """The options that no file follows."""
    questions: tuple[str, ...]
    doubts: tuple[str, ...]


def split(program: str, words: Sequence[str], table: Table) -> Split:
    return _Splitter(program, words, table).done()


class _Splitter:
    def __init__(self, program: str, words: Sequence[str], table: Table) -> None:
        self._probes = program == FFPROBE
        self._words = words
        self._table = table
        self._at = 0
        self._options: list[Option] = []
        self._groups: list[Group] = []
        self._decoding: list[Option] = []
        self._questions: list[str] = []
        self._doubts: list[str] = []

    def done(self) -> Split:
        only_names = False
        while self._at < len(self._words):
            at, word = self._at, self._words[self._at]
            self._at += 1
            if word == "--" and not only_names:
                # ffprobe takes all that follows for names, ffmpeg one word.
                only_names = self._probes
                if not self._probes and self._at < len(self._words):
                    self._at += 1
                    self._end_group(at + 1, is_input=False)
            elif only_names or not word.startswith("-") or word == "-":
                self._end_group(at, is_input=self._probes)
            else:
                self._take(word[1:])
        return Split(
            groups=tuple(self._groups),
            decoding=tuple(self._decoding),
            behind=tuple(self._options),
            questions=tuple(self._questions),
            doubts=tuple(self._doubts),
        )

    def _take(self, option: str) -> None:
        following = self._words[self._at] if self._at < len(self._words) else None
        if option == "i":
            if following is None:
                self._doubts.append("-i names no file")
                return
            self._at += 1
            self._end_group(self._at - 1, is_input=True)
            return
        if option == "dec" and following is not None and not self._probes:
            self._at += 1
            self._decoding += self._options
            self._options = []
            return
        takes = self._table.takes(option, following)
        match takes:
            case Takes.NOTHING:
                self._options.append(Option(name=option))
            case Takes.QUESTION:
                self._questions.append(option)
                self._at += following is not None and not self._probes
            case Takes.VALUE | Takes.GUESSED:
                if takes is Takes.GUESSED and self._is_rather_a_flag(option, following):
                    self._options.append(Option(name=option))
                elif following is None:
                    self._doubts.append(f"-{printable(option[:80])} stands last, and should have a value")
                else:
                    self._at += 1
                    self._options.append(
                        Option(name=option, value=following, argument=self._at - 1, is_guessed=takes is Takes.GUESSED)
                    )

    def _is_rather_a_flag(self, option: str, following: str | None) -> bool:
        """A stranger before what looks like another option: it may be a flag, or have that for its value."""
        if following is None or not following.startswith("-") or following == "-" or following[1:2].isdigit():
            return False
        if plain(option).endswith(_FLAGS_AS_VALUES):
            return False
        self._doubts.append(
            f"-{printable(option[:80])} is not known, and {printable(following[:80])} may be its value or an option"
        )
        return following == "-i" or self._table.knows(following)

    def _end_group(self, argument: int, *, is_input: bool) -> None:
        group = Group(options=tuple(self._options), name=self._words[argument], argument=argument, is_input=is_input)
        self._groups.append(group)
        self._options = []

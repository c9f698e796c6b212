"""A command line of ffmpeg or ffprobe as a value: its inputs and outputs, and every place where a path stands."""

from collections.abc import Mapping, Sequence
from typing import Final

from ffmesh_protocol.ffmpeg.places import Place
from ffmesh_protocol.ffmpeg.words import Option
from ffmesh_protocol.wire import Told

INPUT: Final = "input"
OUTPUT: Final = "output"
OTHER: Final = "other"


class Named(Told, frozen=True):
    """A path, in which word it stands and what for: it is an input, an output, or another file that is used."""

    argument: int
    place: Place
    role: str


class File(Told, frozen=True):
    """An input or an output. `options` are those that hold for it, in their order."""

    options: tuple[Option, ...]
    name: str
    argument: int
    form: str
    """The format that it is told to have, or that its name tells; "" if neither does."""
    places: tuple[Place, ...] = ()
    """Empty: it is no file."""

    def values(self, *names: str) -> tuple[str, ...]:
        """Of the options of these names, with or without a stream specifier, in their order."""
        return tuple(option.value for option in self.options if option.plain in names)

    def has(self, *names: str) -> bool:
        return any(option.plain in names for option in self.options)

    def last(self, *names: str) -> str | None:
        found = self.values(*names)
        return found[-1] if found else None


class CommandLine(Told, frozen=True):
    program: str
    words: tuple[str, ...]
    inputs: tuple[File, ...]
    outputs: tuple[File, ...]
    whole: tuple[Option, ...]
    """The options that hold for the whole program, wherever they stand."""
    decoding: tuple[Option, ...]
    """Those with which it decodes what it has just encoded."""
    behind: tuple[Option, ...]
    """Options that no file follows: ffmpeg pays no heed to them."""
    questions: tuple[str, ...]
    """What it is asked for; it answers, and does nothing else."""
    named: tuple[Named, ...]
    """In the order of the words, and within a word in that of their places."""
    lists: tuple[Named, ...]
    """Those that name what else is opened: lists, playlists, graphs in files."""
    idle: tuple[Named, ...]
    """Names of outputs that nobody opens, as of the muxer null."""
    filters: tuple[str, ...]
    urls: tuple[str, ...]
    """What is opened over the network."""
    devices: tuple[str, ...]
    """Inputs and outputs that are hardware, by their names."""
    reads_stdin: bool
    writes_stdout: bool
    descriptors: tuple[int, ...]
    """Those that its caller must have opened for it, besides the three that every program has."""
    doubts: tuple[str, ...]

    def paths(self, role: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(named.place.path for named in self.named if named.role == role))


def last_values(options: Sequence[Option]) -> Mapping[str, str]:
    """By their names without streams; the last of each counts. A flag has an empty one."""
    return {option.plain: option.value for option in options}

"""A command line as ffmpeg and ffprobe read it: which of its words are options with their values, and which name files.

Promised: what is called an input or an output here is one, and stands there by itself: not in a pattern, a URL, a list
or a filter, and no device. Refused: to guess. A file that cannot be told for sure is left out, which costs a sentence
before the start, a reservation or a line in a summary, and nothing else.

Options that take no value are known by name; whatever else begins with `-` takes the word after it.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Final

from ffmesh_agent.ffmpeg.argv import FFMPEG, FFPROBE
from ffmesh_protocol import media
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.media import Argument, Piece, RootPath
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

_FLAGS: Final = frozenset(
    {
        *("y", "n", "stats", "stdin", "hide_banner", "report", "ignore_unknown", "copy_unknown", "recast_media"),
        *("benchmark", "benchmark_all", "dump", "hex", "debug_ts", "psnr", "vstats", "qphist", "print_graphs"),
        *("copyts", "start_at_zero", "xerror", "auto_conversion_filters", "re", "shortest", "bitexact", "copyinkf"),
        *("copypriorss", "accurate_seek", "seek_timestamp", "isync", "find_stream_info", "autorotate", "autoscale"),
        *("vn", "an", "sn", "dn", "intra", "deinterlace", "fix_sub_duration", "fix_sub_duration_heartbeat"),
        *("display_hflip", "display_vflip", "ignore_chapters", "reinit_filters", "force_fps", "same_quant"),
    }
)
_FLAGS_OF_FFPROBE: Final = frozenset(
    {
        *("hide_banner", "report", "unit", "prefix", "byte_binary_prefix", "sexagesimal", "pretty", "sections"),
        *("show_data", "show_error", "show_format", "show_frames", "show_packets", "show_programs", "show_streams"),
        *("show_stream_groups", "show_chapters", "count_frames", "count_packets", "show_program_version"),
        *("show_library_versions", "show_versions", "show_pixel_formats", "show_private_data", "private", "bitexact"),
        *("find_stream_info",),
    }
)

_NO_FILES: Final = frozenset(
    {
        *("lavfi", "libndi_newtek", "alsa", "android_camera", "avfoundation", "bktr", "decklink", "dshow", "fbdev"),
        *("gdigrab", "iec61883", "jack", "kmsgrab", "libcdio", "libdc1394", "openal", "oss", "pulse", "sndio"),
        *("v4l2", "video4linux2", "vfwcap", "x11grab", "xcbgrab"),
    }
)
"""Formats (`-f`) whose inputs name devices, or describe a source."""

_FILE: Final = "file:"
_protocol = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*[:,]")
_pattern = re.compile(r"%[0-9]*d|\*")


class File(Told, frozen=True):
    """`options` are those that stand before it and after the file before it, as ffmpeg gives them to it."""

    options: tuple[tuple[str, str], ...]
    named: "Named | None"
    """Null: it is none that could be told, or no file at all."""

    def values(self, *names: str) -> tuple[str, ...]:
        """Of the options of these names, with or without a stream specifier, in their order."""
        return tuple(value for name, value in self.options if name.partition(":")[0] in names)

    def has(self, *names: str) -> bool:
        return bool(self.values(*names))

    def last(self, *names: str) -> str | None:
        return self.values(*names)[-1] if self.has(*names) else None


class Named(Told, frozen=True):
    """A file under a root. `shown` as people see it, `place` as this machine writes it."""

    root: str
    shown: str
    place: bytes


class Line(Told, frozen=True):
    inputs: tuple[File, ...]
    outputs: tuple[File, ...]


def files_in(grant: Grant, roots: Mapping[str, str]) -> Line:
    """Nothing of a program whose words are not known here."""
    if grant.program == FFMPEG:
        return _read(grant, roots, bare_words_are_read=False)
    if grant.program == FFPROBE:
        return _read(grant, roots, bare_words_are_read=True)
    return Line(inputs=(), outputs=())


def takes_no_value(program: str, option: str) -> bool:
    """`option` without its `-`: whether the word after it stands by itself."""
    name = option.partition(":")[0]
    flags = _FLAGS_OF_FFPROBE if program == FFPROBE else _FLAGS
    return name in flags or (name.startswith("no") and name[2:] in flags)


def _read(grant: Grant, roots: Mapping[str, str], *, bare_words_are_read: bool) -> Line:
    inputs: list[File] = []
    outputs: list[File] = []
    options: list[tuple[str, str]] = []
    arguments = iter(grant.args)
    for argument in arguments:
        option = _option(argument)
        if option is None:
            is_input, named = bare_words_are_read, argument
        elif takes_no_value(grant.program, option):
            options.append((option, ""))
            continue
        else:
            value: Argument = next(arguments, ())
            if option != "i":
                options.append((option, media.shown(value)))
                continue
            is_input, named = True, value
        files = inputs if is_input else outputs
        files.append(_file(named, tuple(options), grant.cwd, roots, is_input=is_input))
        options.clear()
    return Line(inputs=tuple(inputs), outputs=tuple(outputs))


def _option(argument: Argument) -> str | None:
    if len(argument) == 1 and isinstance(argument[0], str) and argument[0].startswith("-") and argument[0] != "-":
        return argument[0][1:]
    return None


def _file(
    argument: Argument,
    options: tuple[tuple[str, str], ...],
    cwd: RootPath | None,
    roots: Mapping[str, str],
    *,
    is_input: bool,
) -> File:
    file = File(options=options, named=None)
    if is_input and file.last("f") in _NO_FILES:
        return file
    named = _named(argument, cwd, roots)
    if named is None or _is_several(named, file, is_input=is_input):
        return file
    return File(options=options, named=named)


def _is_several(named: Named, file: File, *, is_input: bool) -> bool:
    if not is_input:
        return b"%" in named.place or "%" in named.shown  # %d, %v, or the time of day
    return file.has("pattern_type") or _pattern.search(named.shown) is not None


def _named(argument: Argument, cwd: RootPath | None, roots: Mapping[str, str]) -> Named | None:
    pieces: Sequence[Piece] = argument
    if pieces and isinstance(pieces[0], str) and pieces[0].startswith(_FILE):
        rest = pieces[0].removeprefix(_FILE)
        pieces = (rest, *pieces[1:]) if rest else pieces[1:]
    if not pieces or any(isinstance(piece, RootPath) for piece in pieces[1:]):
        return None
    first = pieces[0]
    if isinstance(first, RootPath):
        return _placed(first.root, tuple(pieces), media.shown(pieces), roots)
    text = media.shown(pieces)
    if cwd is None or not text or text.startswith(("/", "-")) or (pieces == argument and _protocol.match(text)):
        return None
    below = posixpath.normpath(posixpath.join(cwd.path, text))
    folder = RootPath(root=cwd.root, path=f"{cwd.path.rstrip('/')}/" if cwd.path else "")
    return _placed(cwd.root, (folder, *pieces), f"${cwd.root}/{below}", roots)


def _placed(root: str, pieces: Argument, shown: str, roots: Mapping[str, str]) -> Named | None:
    try:
        place = media.written(pieces, roots)
    except PathRefused:
        return None
    return Named(root=root, shown=media.printable(shown), place=place)

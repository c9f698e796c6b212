"""Which files a command line of ffmpeg writes, all of them, as far as it can be told from its words.

Some formats write more than their output's name: segments beside their playlist, one picture a frame. Their names are
known by ffmpeg's own defaults, and are sets: which numbers there will be, nobody knows before, nor whether there are
subtitles. What has names made of times, or of templates that we do not read, is `Unclear`.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

from ffmesh_protocol.ffmpeg import muxers
from ffmesh_protocol.ffmpeg.command_line import CommandLine, File, last_values
from ffmesh_protocol.ffmpeg.places import WRITTEN
from ffmesh_protocol.ffmpeg.quoting import PATTERN
from ffmesh_protocol.ffmpeg.urls import read_url
from ffmesh_protocol.media import is_pattern
from ffmesh_protocol.wire import Told

_UNTOLD: Final = frozenset(
    {muxers.TEE, muxers.FIFO, muxers.CHUNK, "webm_dash_manifest", "smoothstreaming", "hds", "streamhash"}
)
_NAMES_OF_CHUNKS: Final = ("init_seg_name", "media_seg_name", "single_file_name", "single_file", "hls_playlist")


class Written(Told, frozen=True):
    """`path` as it was written. A set may have a pattern for its name, and may be empty in the end."""

    path: str
    is_set: bool = False


class Unclear(Exception):
    """Which files are written beside this one cannot be told."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def written_by(line: CommandLine) -> tuple[Written, ...]:
    """No file twice; `Unclear`."""
    return tuple(dict.fromkeys(written for file in line.outputs for written in _written(file)))


def _written(file: File) -> Iterator[Written]:
    settings = last_values(file.options)
    if file.form in _UNTOLD:
        raise Unclear(file.name)
    if not file.places:
        return
    path = file.places[0].path
    if muxers.names_are_times(settings):
        raise Unclear(path)
    if file.form == muxers.HLS:
        yield from _hls(path, settings)
    elif file.form == muxers.DASH:
        yield from _dash(path, settings)
    else:
        yield Written(path=path, is_set=muxers.quoting_of_output(file.form, settings) == PATTERN and is_pattern(path))
        yield from _named(settings, "segment_list" if file.form == muxers.SEGMENT else "")


def _named(settings: Mapping[str, str], option: str) -> Iterator[Written]:
    """A file that an option names, as a URL."""
    for place in read_url(settings.get(option, ""), WRITTEN).places:
        yield Written(path=place.path, is_set=is_pattern(place.path))


def _hls(path: str, settings: Mapping[str, str]) -> Iterator[Written]:
    folder, base = posixpath.dirname(path), posixpath.splitext(path)[0]
    is_single = "single_file" in settings.get("hls_flags", "")
    in_pieces = settings.get("hls_segment_type") == "fmp4"
    suffix = ".m4s" if in_pieces else ".ts"
    yield Written(path=path, is_set=is_pattern(path))
    if "hls_segment_filename" in settings:
        for named in _named(settings, "hls_segment_filename"):
            yield Written(path=named.path, is_set=True)
    else:
        yield Written(path=f"{base}{suffix}" if is_single else f"{base}%d{suffix}", is_set=True)
    if in_pieces:
        first = posixpath.join(folder, settings.get("hls_fmp4_init_filename", "init.mp4"))
        stem, end = posixpath.splitext(first)
        yield Written(path=first, is_set=True)
        yield Written(path=f"{stem}_%v{end}", is_set=True)  # one for each variant
    yield Written(path=f"{base}_vtt.m3u8", is_set=True)
    yield Written(path=f"{base}%d.vtt", is_set=True)
    if "master_pl_name" in settings:
        above = posixpath.dirname(folder) if "%v" in posixpath.basename(folder) else folder
        yield Written(path=posixpath.join(above, settings["master_pl_name"]))


def _dash(path: str, settings: Mapping[str, str]) -> Iterator[Written]:
    if any(name in settings for name in _NAMES_OF_CHUNKS):
        raise Unclear(path)
    folder = posixpath.dirname(path)
    yield Written(path=path)
    for name in ("init-stream%d.%v", "chunk-stream%d-%05d.%v"):
        yield Written(path=posixpath.join(folder, name), is_set=True)

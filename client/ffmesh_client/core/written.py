"""Which files an ffmpeg command line writes, as far as it can be told from its words. Pure.

A file is named by a word that is no option and no option's value. Some formats write more than that: segments beside
their playlist, one picture a frame. Their names are known by ffmpeg's own defaults, and are sets: which numbers there
will be, nobody knows before, nor whether there are subtitles. What has names made of times, or of templates that we do
not read, is `Unclear`.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ffmesh_protocol.media import is_pattern
from ffmesh_protocol.wire import Told

_TAKE_NOTHING: Final = frozenset(
    {
        *("y", "n", "stats", "stdin", "hide_banner", "report", "ignore_unknown", "copy_unknown", "benchmark"),
        *("benchmark_all", "dump", "hex", "debug_ts", "vstats", "psnr", "qphist", "copyts", "start_at_zero", "xerror"),
        *("re", "shortest", "bitexact", "copyinkf", "copypriorss", "accurate_seek", "seek_timestamp", "isync"),
        *("find_stream_info", "autorotate", "autoscale", "vn", "an", "sn", "dn", "fix_sub_duration", "recast_media"),
        *("auto_conversion_filters", "display_hflip", "display_vflip", "ignore_chapters"),
    }
)

_UNTOLD: Final = frozenset({"tee", "fifo", "webm_chunk", "webm_dash_manifest", "smoothstreaming", "hds", "streamhash"})
_SEGMENTS: Final = frozenset({"segment", "ssegment", "stream_segment"})
_NAMES_OF_TIMES: Final = ("strftime", "strftime_mkdir", "use_localtime", "segment_atclocktime_names")
_NAMES_OF_CHUNKS: Final = ("init_seg_name", "media_seg_name", "single_file_name", "single_file", "hls_playlist")
_BY_SUFFIX: Final = {".m3u8": "hls", ".mpd": "dash"}

Options = Mapping[str, str]


class Output(Told, frozen=True):
    """`path` as it was written. A set may have a pattern for its name, and may be empty in the end."""

    path: str
    is_set: bool = False


class Unclear(Exception):
    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def written_by_ffmpeg(words: Sequence[str]) -> tuple[Output, ...]:
    """All of it, also what is no file; `Unclear`."""
    return tuple(output for path, options in _outputs(words) for output in _written(path, options))


def _outputs(words: Sequence[str]) -> Iterator[tuple[str, Options]]:
    """Options belong to the file that they stand before."""
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            yield word, options
            options = {}
            continue
        name = word[1:]
        plain = name.partition(":")[0]
        if plain in _TAKE_NOTHING or plain.removeprefix("no") in _TAKE_NOTHING:
            continue
        value = next(rest, "")
        if name == "i":
            options = {}
        else:
            options[name] = value


def _written(path: str, options: Options) -> Iterator[Output]:
    kind = options.get("f") or _BY_SUFFIX.get(posixpath.splitext(path)[1].lower(), "")
    if kind in _UNTOLD or any(name in options for name in _NAMES_OF_TIMES):
        raise Unclear(path)
    if kind == "hls":
        yield from _hls(path, options)
    elif kind == "dash":
        yield from _dash(path, options)
    else:
        yield Output(path=path, is_set=is_pattern(path))
        if kind in _SEGMENTS and "segment_list" in options:
            yield Output(path=options["segment_list"])


def _hls(path: str, options: Options) -> Iterator[Output]:
    folder, base = posixpath.dirname(path), posixpath.splitext(path)[0]
    is_single = "single_file" in options.get("hls_flags", "")
    in_pieces = options.get("hls_segment_type") == "fmp4"
    suffix = ".m4s" if in_pieces else ".ts"
    yield Output(path=path, is_set=is_pattern(path))
    segments = options.get("hls_segment_filename", f"{base}{suffix}" if is_single else f"{base}%d{suffix}")
    yield Output(path=segments, is_set=True)
    if in_pieces:
        first = posixpath.join(folder, options.get("hls_fmp4_init_filename", "init.mp4"))
        stem, end = posixpath.splitext(first)
        yield Output(path=first, is_set=True)
        yield Output(path=f"{stem}_%v{end}", is_set=True)  # one for each variant
    yield Output(path=f"{base}_vtt.m3u8", is_set=True)
    yield Output(path=f"{base}%d.vtt", is_set=True)
    if "master_pl_name" in options:
        above = posixpath.dirname(folder) if "%v" in posixpath.basename(folder) else folder
        yield Output(path=posixpath.join(above, options["master_pl_name"]))


def _dash(path: str, options: Options) -> Iterator[Output]:
    if any(name in options for name in _NAMES_OF_CHUNKS):
        raise Unclear(path)
    folder = posixpath.dirname(path)
    yield Output(path=path)
    for name in ("init-stream%d.%v", "chunk-stream%d-%05d.%v"):
        yield Output(path=posixpath.join(folder, name), is_set=True)

"""What a command line asks of the ffmpeg that runs it: names as they stand in it, without what ffmpeg takes by itself.

Several formats may be worked with at a time, so a name counts also where a later one overrides it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.tables import FFPROBE
from ffmesh_protocol.ffmpeg.words import Option
from ffmesh_protocol.limits import WORD_CHARS
from ffmesh_protocol.wire import Told

_CODECS: Final = ("c", "codec", "vcodec", "acodec", "scodec")
_COPIED: Final = "copy"
_NO_HWACCEL: Final = frozenset({"auto", "none", ""})
_DEVICES: Final = {"vaapi_device": "vaapi", "qsv_device": "qsv"}
_kind_of_device = re.compile(r"[^=:@,]*")

_FORMATS: Final = frozenset(
    {
        *("a64_multi", "a64_multi5", "adpcm_g722", "adpcm_g726", "adpcm_g726le", "amr_nb", "amr_wb", "arib_caption"),
        *("ass", "atrac3p", "atrac3pal", "av1", "avc", "avs2", "avs3", "celt", "cmv", "codec2", "cscd", "dirac", "dts"),
        *("dvb_subtitle", "dvb_teletext", "dvd_subtitle", "eia_608", "evc", "flv1", "gsm", "gsm_ms", "h261", "h263"),
        *("h264", "hdmv_pgs_subtitle", "hdmv_text_subtitle", "hevc", "idcin", "iff_ilbm", "ilbc", "jpeg2000", "jpegxl"),
        *("lc3", "lcevc", "mad", "mp1", "mp2", "mp3", "mp4als", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v3"),
        *("musepack7", "musepack8", "opus", "ra_144", "ra_288", "roq", "smackaudio", "smackvideo", "speex", "subrip"),
        *("svg", "tgq", "tgv", "theora", "tqi", "tscc", "ulti", "vixl", "vorbis", "vp8", "vp9", "vvc", "webp"),
        *("westwood_snd1", "wmav1", "wmav2", "wmv1", "wmv2", "ws_vqa"),
    }
)
"""ffmpeg takes these too, and chooses an encoder or decoder that may be called otherwise."""

_LISTED_AS: Final = {"nvdec": "cuda", "cuvid": "cuda"}
"""Older names, which ffmpeg takes and does not list."""


class Wanted(Told, frozen=True):
    """All sorted."""

    encoders: tuple[str, ...]
    decoders: tuple[str, ...]
    hwaccels: tuple[str, ...]
    filters: tuple[str, ...]


def wanted(line: CommandLine) -> Wanted:
    before_inputs = [*(option for file in line.inputs for option in file.options), *line.decoding]
    before_outputs = [option for file in line.outputs for option in file.options]
    if line.program == FFPROBE:
        before_inputs += line.behind
    return Wanted(
        encoders=_sorted(_codecs(before_outputs)),
        decoders=_sorted(_codecs(before_inputs)),
        hwaccels=_sorted(_hwaccels([*before_inputs, *before_outputs], line.whole)),
        filters=_sorted(line.filters),
    )


def capabilities(line: CommandLine) -> tuple[str, ...]:
    """What an agent must have on its lists, as `encoder=libx264`: only what ffmpeg lists by that name if it has it.

    Where a word is in doubt it could be a graph's, and what seems to be a filter may be none.
    """
    names = wanted(line)
    kinds = (
        ("encoder", (name for name in names.encoders if name not in _FORMATS)),
        ("decoder", (name for name in names.decoders if name not in _FORMATS)),
        ("hwaccel", (_LISTED_AS.get(name, name) for name in names.hwaccels)),
        ("filter", () if line.doubts else names.filters),
    )
    found = (f"{kind}={name}" for kind, each in kinds for name in each if name.isascii() and name.isprintable())
    return tuple(dict.fromkeys(need for need in found if len(need) <= WORD_CHARS))


def _codecs(options: Iterable[Option]) -> Iterator[str]:
    return (option.value for option in options if option.plain in _CODECS and option.value not in ("", _COPIED))


def _hwaccels(options: Iterable[Option], whole: Iterable[Option]) -> Iterator[str]:
    for option in options:
        if option.plain == "hwaccel" and option.value not in _NO_HWACCEL:
            yield option.value
    for option in whole:
        if option.plain in _DEVICES:
            yield _DEVICES[option.plain]
        elif option.plain == "init_hw_device":
            found = _kind_of_device.match(option.value)
            if found is not None and found[0]:
                yield found[0]


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))

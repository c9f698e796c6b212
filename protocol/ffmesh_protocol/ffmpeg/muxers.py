"""What a muxer makes of the name of its output, and a demuxer or a device of the name of its input."""

import posixpath
import re
from collections.abc import Mapping
from typing import Final

from ffmesh_protocol.ffmpeg.quoting import GLOB, NONE, PATTERN

NULL: Final = "null"
TEE: Final = "tee"
FIFO: Final = "fifo"
HLS: Final = "hls"
DASH: Final = "dash"
SEGMENT: Final = "segment"
IMAGES: Final = "image2"
LAVFI: Final = "lavfi"
CHUNK: Final = "webm_chunk"
HEADER: Final = "header"

_SAME: Final = {"ssegment": SEGMENT, "stream_segment": SEGMENT, "stream_segment,ssegment": SEGMENT}

INPUT_DEVICES: Final = frozenset(
    {
        *("alsa", "android_camera", "avfoundation", "bktr", "decklink", "dshow", "fbdev", "gdigrab", "iec61883"),
        *("jack", "kmsgrab", "libcdio", "libdc1394", "libndi_newtek", "openal", "oss", "pulse", "sndio", "v4l2"),
        *("video4linux2", "video4linux2,v4l2", "vfwcap", "x11grab", "xcbgrab"),
    }
)
OUTPUT_DEVICES: Final = frozenset(
    {
        *("alsa", "audiotoolbox", "caca", "decklink", "fbdev", "libndi_newtek", "opengl", "oss", "pulse", "sdl"),
        *("sdl,sdl2", "sdl2", "sndio", "v4l2", "video4linux2", "video4linux2,v4l2", "xv"),
    }
)
TO_URLS: Final = frozenset({"rtp", "rtsp", "sap", "rtp_mpegts", "whip"})
"""Their outputs are addresses, whatever they look like."""

_PICTURES: Final = frozenset(
    {
        *("avif", "bmp", "cri", "dpx", "exr", "fit", "fits", "gem", "hdr", "im1", "im24", "im32", "im8", "img"),
        *("j2c", "j2k", "jls", "jp2", "jpeg", "jpg", "jps", "jpx", "jxl", "ljpg", "mng", "mpg1-img", "mpo"),
        *("pam", "pbm", "pcd", "pct", "pcx", "pfm", "pgm", "pgmyuv", "phm", "pic", "pict", "pix", "png", "pnm"),
        *("pns", "ppm", "psd", "ptx", "qdraw", "qoi", "ras", "raw", "rs", "sgi", "sun", "sunras", "svg", "svgz"),
        *("tga", "tif", "tiff", "tim", "wbmp", "webp", "xbm", "xface", "xpm", "xwd", "y"),
    }
)
_MANY_AT_A_TIME: Final = frozenset({"webp", "avif"})
"""By their suffix alone these are one file with all pictures in it."""

_BY_SUFFIX: Final = {".m3u8": HLS, ".m3u": HLS, ".mpd": DASH}
_TIMES: Final = ("strftime", "strftime_mkdir", "use_localtime")
_OFF: Final = frozenset({"", "0", "false", "n", "no", "disable", "disabled", "off"})
_numbers = re.compile(r"%[0-9]*d")
_wildcards = re.compile(r"%[*?\[{]")

_camera = re.compile(r"/dev/video[0-9]+\Z")

Options = Mapping[str, str]
"""By their names without streams; the last of each counts."""


def muxer_of(options: Options, name: str) -> str:
    """What is not told by name or suffix is "": any that writes one file."""
    form = options.get("f", "")
    if form:
        return _SAME.get(form, form)
    suffix = posixpath.splitext(name)[1].lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    is_picture = suffix[1:] in _PICTURES and (suffix[1:] not in _MANY_AT_A_TIME or _numbers.search(name) is not None)
    return IMAGES if is_picture else ""


def quoting_of_output(muxer: str, options: Options) -> str:
    """How its name is expanded, if it is."""
    if muxer == IMAGES:
        return NONE if is_on(options.get("update")) else PATTERN
    return PATTERN if muxer in (SEGMENT, CHUNK) else NONE


def quoting_of_input(options: Options, name: str) -> str:
    """Pictures in a row are read by a pattern, if they are there by it."""
    form = options.get("f", "")
    if form not in ("", IMAGES) or (not form and posixpath.splitext(name)[1].lower()[1:] not in _PICTURES):
        return NONE
    match options.get("pattern_type", ""):
        case "glob":
            return GLOB
        case "none":
            return NONE
        case "sequence":
            return PATTERN
        case _:
            return PATTERN if _numbers.search(name) or _wildcards.search(name) else NONE


def is_camera(name: str) -> bool:
    return _camera.match(name) is not None


def names_are_times(options: Options) -> bool:
    return any(is_on(options.get(name)) for name in _TIMES)


def is_on(value: str | None) -> bool:
    return value is not None and value.lower() not in _OFF

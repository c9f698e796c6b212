"""Which encoders need hardware, of which family they are, and which encoders everybody asks for. Pure."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """Encoders that reach their hardware in the same way; the value is how their names end."""

    NVENC = "nvenc"
    QSV = "qsv"
    VAAPI = "vaapi"
    V4L2M2M = "v4l2m2m"
    RKMPP = "rkmpp"
    VIDEOTOOLBOX = "videotoolbox"
    AMF = "amf"
    OMX = "omx"
    MEDIA_FOUNDATION = "mf"
    VULKAN = "vulkan"


_BY_SUFFIX: Final[Mapping[str, Family]] = {family.value: family for family in Family}
_OLD_NVENC: Final = re.compile(r"^nvenc(_|$)")
"""`nvenc_h264` and `nvenc` of ffmpeg 4, which mean `h264_nvenc`."""

USUAL_VIDEO: Final = (
    *("libx264", "libx265", "libsvtav1", "libaom-av1", "librav1e", "libvpx", "libvpx-vp9", "libtheora", "libxvid"),
    *("mpeg2video", "mpeg4", "mjpeg", "prores_ks", "ffv1", "libwebp", "png"),
)
USUAL_AUDIO: Final = ("aac", "libfdk_aac", "ac3", "eac3", "flac", "libmp3lame", "libopus", "libvorbis")
"""What nearly every job asks for, of more than a hundred that need nothing but a processor. The others are taken at the
list's word."""

USUAL: Final = frozenset({*USUAL_VIDEO, *USUAL_AUDIO})


def family_of(encoder: str) -> Family | None:
    """None: it needs no hardware."""
    if _OLD_NVENC.match(encoder):
        return Family.NVENC
    codec, _, suffix = encoder.rpartition("_")
    return _BY_SUFFIX.get(suffix) if codec else None


_DECODERS: Final[Mapping[str, str]] = {"cuvid": "cuda", "qsv": "qsv"}
_FILTERS: Final[Mapping[str, str]] = {
    "cuda": "cuda",
    "npp": "cuda",
    "opencl": "opencl",
    "qsv": "qsv",
    "vaapi": "vaapi",
    "vt": "videotoolbox",
    "vulkan": "vulkan",
}
"""How the names of those end that do their work with an accelerator, and with which."""


def accelerator_of_decoder(decoder: str) -> str | None:
    """None: it needs none, or finds its hardware by itself."""
    return _DECODERS.get(decoder.rpartition("_")[2])


def accelerator_of_filter(name: str) -> str | None:
    return _FILTERS.get(name.rpartition("_")[2])


DEVICE_TYPES: Final[Mapping[str, str]] = {"cuvid": "cuda", "nvdec": "cuda"}
"""What `-hwaccels` of older versions calls by other names than `-init_hw_device` does."""

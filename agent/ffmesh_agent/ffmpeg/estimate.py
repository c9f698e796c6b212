"""How many bytes an ffmpeg will write, from its command line and the sizes of its inputs. No program is asked.

For each output the smallest of what can be said counts:

- its limit: `-fs`, or `-t` (or `-to`) times the bitrates that are set, or times `RATE_MAX`; a number of frames times
  `FRAME_BYTES`;
- its share of the inputs: all that they hold where streams are copied; where they are encoded, all too, for who encodes
  anew rarely wants more bytes than there were; `GROWS` times that where the encoder keeps every bit, or nearly;
  `SOUND_SHARE` of it where no picture is written, `TEXT_SHARE` where there is no sound either.

Nothing can be said of an output whose inputs are devices, URLs or pictures, or are repeated, and that is not limited.

An estimate that is too high refuses a job that would have fitted; one that is too low lets a disk fill, which is told
as the fault of that machine and leaves nothing. The second is the lesser harm, so the figures here are no upper bounds.
"""

import math
import re
from collections.abc import Sequence
from typing import Final

from ffmesh_agent.ffmpeg.command_line import File, Line

RATE_MAX: Final = 25_000_000.0
"""Bytes a second of what is copied or of what no bitrate is set for: 200 Mbit/s, above any disc."""

FRAME_BYTES: Final = 10_000_000
"""Of one that was asked for by number."""

GROWS: Final = 4.0
SOUND_SHARE: Final = 0.25
TEXT_SHARE: Final = 0.01
CONTAINER: Final = 1.02
SOUND_RATE: Final = 24_000.0
"""Bytes a second, where a bitrate is set for the picture and none for the sound."""

NUMBER_MAX: Final = 1e18
"""No disk holds as many bytes, and no film lasts as many seconds: nothing is said by a number above."""

_KEEPS_EVERY_BIT: Final = (
    *("rawvideo", "ffv1", "ffvhuff", "huffyuv", "utvideo", "prores", "dnxhd", "v210", "v410", "qtrle", "magicyuv"),
    *("cfhd", "jpeg2000", "png", "mjpeg"),
)
_PICTURES: Final = frozenset({"jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "heic", "avif"})
_number = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([kKMGT]?)(i?)(B?)\Z")
_clock = re.compile(r"(?:([0-9]+):)?([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]*)?)\Z")
_plain_time = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(s|ms|us)?\Z")
_POWER: Final = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_UNIT: Final = {None: 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def expected_bytes(line: Line, sizes: Sequence[int | None]) -> tuple[int | None, ...]:
    """Of each output; None: nothing can be said. `sizes` are those of the inputs, None where it is not known."""
    return tuple(_expected(output, line.inputs, sizes) for output in line.outputs)


def _expected(output: File, inputs: Sequence[File], sizes: Sequence[int | None]) -> int | None:
    if output.last("f") == "null":
        return 0
    said = [_by_size_limit(output), _by_time(output, inputs), _by_frames(output), _by_inputs(output, inputs, sizes)]
    known = [each for each in said if each is not None and math.isfinite(each)]
    return int(min(known)) if known else None


def _by_size_limit(output: File) -> float | None:
    limit = output.last("fs")
    return number(limit) if limit is not None else None


def _by_frames(output: File) -> float | None:
    """Of pictures; as many frames of sound are no matter, but then there may be more than that."""
    count = output.last("frames", "vframes")
    frames = number(count) if count is not None else None
    return frames * FRAME_BYTES if frames is not None and _has_no_sound(output) else None


def _has_no_sound(output: File) -> bool:
    return output.has("an") or _is_picture(output)


def _is_picture(file: File) -> bool:
    return file.named is not None and file.named.shown.rpartition(".")[2].lower() in _PICTURES


def _by_time(output: File, inputs: Sequence[File]) -> float | None:
    length = _length(output)
    if length is None and len(inputs) == 1:
        length = _length(inputs[0])
    if length is None:
        return None
    rate = _rate(output)
    return length * (rate * CONTAINER if rate is not None else RATE_MAX)


def _length(file: File) -> float | None:
    length, until = file.last("t"), file.last("to")
    if length is not None:
        return seconds(length)
    return seconds(until) if until is not None else None


def _rate(output: File) -> float | None:
    """Bytes a second, if it is set for the picture, or for the sound and there is no picture."""
    pictures = [
        number(each.value) for each in output.options if each.name in ("vb", "b") or each.name.startswith("b:v")
    ]
    sounds = [number(each.value) for each in output.options if each.name == "ab" or each.name.startswith("b:a")]
    if not pictures:
        pictures = [number(value) for value in output.values("maxrate")]
    if None in pictures or None in sounds or (not pictures and not (sounds and output.has("vn"))):
        return None
    bits = sum(filter(None, (*pictures, *sounds)))
    has_sound = bool(sounds) or output.has("an")
    return bits / 8 + (0.0 if has_sound else SOUND_RATE)


def _by_inputs(output: File, inputs: Sequence[File], sizes: Sequence[int | None]) -> float | None:
    known = [size for size in sizes if size is not None]
    if not known or len(known) < len(inputs) or any(_says_little(file) for file in inputs):
        return None
    return sum(known) * _share(output)


def _says_little(source: File) -> bool:
    """Its size says nothing of how much is made of it: a picture becomes a film, a minute an hour, a list a library."""
    return (
        source.has("stream_loop", "loop")
        or _is_picture(source)
        or source.last("f") in ("concat", "hls", "dash", "rawvideo")
        or (source.named is not None and source.named.shown.endswith((".m3u8", ".mpd", ".txt", ".ffconcat")))
    )


def _share(output: File) -> float:
    codecs = [each.value for each in output.options if each.name in ("c", "codec", "vcodec") or _is_of(each.name, "v")]
    if output.has("vn") or _maps_only(output, "as"):
        return TEXT_SHARE if output.has("an") or _maps_only(output, "s") else SOUND_SHARE
    return GROWS if any(codec.startswith(_KEEPS_EVERY_BIT) for codec in codecs) else 1.0


def _is_of(option: str, kind: str) -> bool:
    return option.startswith((f"c:{kind}", f"codec:{kind}"))


def _maps_only(output: File, kinds: str) -> bool:
    """`-map 0:a:0`, `-map 0:s?`: only streams of these kinds."""
    maps = output.values("map")
    return bool(maps) and all(
        each.count(":") >= 1 and each.split(":")[1].rstrip("?") in tuple(kinds) and not each.startswith(("-", "["))
        for each in maps
    )


def number(text: str) -> float | None:
    """As ffmpeg reads it: `5M`, `128k`, `1.5Gi`; `B` stands for eight bits. None also for what is beyond all bounds."""
    found = _number.match(text)
    if found is None:
        return None
    digits, prefix, binary, octets = found.groups()
    return _sane(float(digits) * (1024.0 if binary else 1000.0) ** _POWER[prefix] * (8 if octets else 1))


def seconds(text: str) -> float | None:
    """`90`, `1:30`, `00:01:30.5`, `500ms`. None also for what is beyond all bounds."""
    if (clock := _clock.match(text)) is not None:
        hours, minutes, rest = clock.groups()
        return _sane(float(hours or 0) * 3600 + float(minutes) * 60 + float(rest))
    if (plain := _plain_time.match(text)) is not None:
        return _sane(float(plain[1]) * _UNIT[plain[2]])
    return None


def _sane(value: float) -> float | None:
    """Digits enough make infinity of a number, and nothing can be reckoned with that."""
    return value if value <= NUMBER_MAX else None

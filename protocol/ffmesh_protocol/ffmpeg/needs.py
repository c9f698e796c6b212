"""What a command line asks of the ffmpeg that runs it: names as they stand in it, without what ffmpeg takes by itself.

Several formats may be worked with at a time, so a name counts also where a later one overrides it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ffmesh_protocol.ffmpeg.command_line import CommandLine
from ffmesh_protocol.ffmpeg.tables import FFPROBE
from ffmesh_protocol.ffmpeg.words import Option
from ffmesh_protocol.wire import Told

_CODECS: Final = ("c", "codec", "vcodec", "acodec", "scodec")
_COPIED: Final = "copy"
_NO_HWACCEL: Final = frozenset({"auto", "none", ""})
_DEVICES: Final = {"vaapi_device": "vaapi", "qsv_device": "qsv"}
_kind_of_device = re.compile(r"[^=:@,]*")


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

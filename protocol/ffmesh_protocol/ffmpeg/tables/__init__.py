"""Which options ffmpeg and ffprobe have: which take a value, and which hold for the whole program.

The reference is ffmpeg 5.1 (`reference`, made by `scripts/make-ffmpeg-tables`), merged with what other versions and the
builds of media servers have besides (`builds`). Client and agent read with the same table, whatever ffmpeg they have.
"""

from functools import cache
from typing import Final

from ffmesh_protocol.ffmpeg.options import Table

FFMPEG: Final = "ffmpeg"
FFPROBE: Final = "ffprobe"


@cache
def table_of(program: str) -> Table:
    from ffmesh_protocol.ffmpeg.tables import builds, reference

    if program == FFPROBE:
        return Table(
            values=_names(reference.PROBE_VALUES) | _names(builds.PROBE_VALUES),
            flags=_names(reference.PROBE_FLAGS) | _names(builds.PROBE_FLAGS),
            questions=_names(reference.PROBE_QUESTIONS),
            whole=frozenset(),
            settings=_names(reference.PROBE_SETTINGS) | _names(builds.SETTINGS),
        )
    return Table(
        values=_names(reference.VALUES) | _names(builds.VALUES),
        flags=_names(reference.FLAGS) | _names(builds.FLAGS),
        questions=_names(reference.QUESTIONS) | _names(builds.QUESTIONS),
        whole=_names(reference.WHOLE) | _names(builds.WHOLE),
        settings=_names(reference.SETTINGS) | _names(builds.SETTINGS),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())

"""Which options ffmpeg and ffprobe have: which take a value, and which hold for the whole program.

The reference is ffmpeg 5.1 (`reference`, made by `scripts/make-ffmpeg-tables`), merged with what other versions and the
builds of media servers have besides (`builds`). `of` makes the same of the `-h full` of the program at hand.
"""

import re
from functools import cache
from typing import Final

from ffmesh_protocol.ffmpeg.options import Table

FFMPEG: Final = "ffmpeg"
FFPROBE: Final = "ffprobe"

_main = re.compile(r"^-(-?[A-Za-z?][\w-]*)(?: (\S.*?))?(?: {2,}.*)?$")
_setting = re.compile(r"^ {1,4}-([\w-]+) +<")


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


def of(program: str, help_text: str) -> Table:
    """The table of a program that says this to `-h full`.

    That text does not always name the value of an option: what the reference knows better counts, and an option that is
    new, with no word for its value, is a flag.
    """
    known = table_of(program)
    values: set[str] = set()
    flags: set[str] = set()
    questions: set[str] = set()
    whole: set[str] = set()
    settings: set[str] = set()
    heading = ""
    for line in help_text.splitlines():
        if line and line[0] not in " -":
            heading = line
        setting = _setting.match(line)
        if setting:
            settings.add(setting[1])
        found = _main.match(line)
        if found is None or "AVOptions" in heading:
            continue
        name, value = found[1], found[2]
        if heading.startswith("Print help"):
            questions.add(name)
            continue
        takes_one = name in known.values or (value is not None and name not in known.flags)
        (values if takes_one else flags).add(name)
        if "lobal options" in heading:
            whole.add(name)
    return Table(
        values=known.values | values,
        flags=(known.flags | flags) - values,
        questions=known.questions | questions,
        whole=(known.whole - (values | flags)) | whole if whole else known.whole,
        settings=known.settings | settings,
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())

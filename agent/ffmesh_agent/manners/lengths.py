"""Lengths of time as people write and read them: `90 s`, `10 min`, `2 h`."""

import re
from typing import Annotated, Final, TypeAlias

import msgspec

Length: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})? ?(s|min|h)\Z")]

_length = re.compile(r"([0-9.]+) ?(s|min|h)")
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600}


def seconds_of(length: Length) -> float:
    found = _length.fullmatch(length)
    assert found is not None, "its type has checked it"
    number, unit = found.groups()
    return float(number) * _SECONDS[unit]


def length_shown(seconds: float) -> str:
    """Roughly, and never more than it is: what was 119 s ago was 1 min ago."""
    for unit in ("h", "min"):
        if seconds >= _SECONDS[unit]:
            return f"{int(seconds // _SECONDS[unit])} {unit}"
    return f"{int(max(0.0, seconds))} s"

"""Hours of the week as people write them, in the machine's local time: `Mo-Fr 18:00-08:00`, `Sa,Su`, `22:00-06:30`.

Days, times, or both; several of each are parted by commas. Times may pass midnight, and then belong to the day on which
they begin: `Fr 18:00-08:00` ends on Saturday. A range of days may pass Sunday.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final, TypeAlias

DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
A_DAY: Final = 24 * 60
A_WEEK: Final = 7 * A_DAY

Span: TypeAlias = tuple[int, int]
"""Minutes of the week, from Monday 00:00: the first one in it, and how many follow."""

_time = re.compile(r"(\d\d?):(\d\d)")


class NoHours(ValueError):
    """Not written as hours are; a sentence that says what would be."""


def is_within(texts: Iterable[str], minute: float) -> bool:
    """Whether this minute of the week is in any of these hours."""
    return any((minute - begins) % A_WEEK < lasts for text in texts for begins, lasts in spans(text))


def shown(minute: float) -> str:
    day, of_day = divmod(int(minute) % A_WEEK, A_DAY)
    return f"{DAYS[day]} {of_day // 60:02}:{of_day % 60:02}"


@cache
def spans(text: str) -> tuple[Span, ...]:
    days, times = _parted(text)
    of_days = [day for part in days for day in _days(part)] if days else range(len(DAYS))
    of_a_day = [_times(part) for part in times] if times else [(0, A_DAY)]
    return tuple((day * A_DAY + begins, lasts) for day in of_days for begins, lasts in of_a_day)


def _parted(text: str) -> tuple[list[str], list[str]]:
    match text.split():
        case [word] if ":" in word:
            return [], word.split(",")
        case [word]:
            return word.split(","), []
        case [days, times]:
            return days.split(","), times.split(",")
        case _:
            raise NoHours(f"“{text[:80]}” is no hours of the week; write days, times or both, as in Mo-Fr 18:00-08:00")


def _days(text: str) -> list[int]:
    first, dash, last = text.partition("-")
    begins, ends = _day(first), _day(last if dash else first)
    return [(begins + each) % len(DAYS) for each in range((ends - begins) % len(DAYS) + 1)]


def _day(text: str) -> int:
    try:
        return DAYS.index(text.capitalize())
    except ValueError:
        raise NoHours(f"“{text[:80]}” is no day; write one of {', '.join(DAYS)}") from None


def _times(text: str) -> Span:
    first, _, last = text.partition("-")
    begins, ends = _minute(first), _minute(last)
    if begins in (A_DAY, ends):
        raise NoHours(f"“{text}” is no time at all; for a whole day leave the times out, or write 00:00-24:00")
    return begins, (ends - begins) % A_DAY or A_DAY


def _minute(text: str) -> int:
    found = _time.fullmatch(text)
    if found is not None:
        hour, minute = map(int, found.groups())
        if (hour < 24 and minute < 60) or (hour, minute) == (24, 0):
            return hour * 60 + minute
    raise NoHours(f"“{text[:80]}” is no time; write it as in 18:00-08:00")

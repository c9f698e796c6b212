"""What a sensor says, as a number; and what that number means to a condition."""

from typing import TypeAlias, assert_never

from ffmesh_agent.manners import hours
from ffmesh_agent.manners.lengths import length_shown, seconds_of
from ffmesh_agent.manners.minds import Hours, Input, Minds, Others, Power, Programs, Temperature
from ffmesh_protocol.wire import Told


class Seen(Told, frozen=True):
    """°C of `temperature`, seconds since the last `input`, percent of `others`, how many of the `programs` are running;
    of `power` 1 for mains and 0 for a battery.

    Of `hours` the minute of the week, from Monday 00:00. But what a sensor of its own prints is 1 for its hours and 0.
    """

    value: float
    said: str | None = None
    """In words, where the sensor knows more than a number. None is also said of a sensor that the owner has named."""


class Unseen(Told, frozen=True):
    why: str
    """The rest of a sentence that begins with: not known, because …"""


Reading: TypeAlias = Seen | Unseen


class Judged(Told, frozen=True):
    """Both are false where a value lies within the margin. `sentence` names the value and what it is held against."""

    begins: bool
    ends: bool
    sentence: str


def judged(minds: Minds, seen: Seen) -> Judged:
    value = seen.value
    match minds:
        case Temperature(above=above, margin=margin):
            return _level(value, above, margin, f"{value:.1f} °C", "°C")
        case Others(above=above, margin=margin):
            return _level(value, above, margin, f"others use {value:.0f} % of the processors", "%")
        case Input(idle=idle):
            return _input(value, idle)
        case Power():
            is_battery = value < 1
            said = seen.said or ("on battery" if is_battery else "on mains power")
            return Judged(begins=is_battery, ends=not is_battery, sentence=said)
        case Programs():
            is_any = value > 0
            said = seen.said or ("one of its programs is running" if is_any else "none of its programs is running")
            return Judged(begins=is_any, ends=not is_any, sentence=said)
        case Hours():
            return _hours(minds, value)
        case _:
            assert_never(minds)


def _level(value: float, above: float, margin: float, said: str, unit: str) -> Judged:
    if value > above:
        return Judged(begins=True, ends=False, sentence=f"{said}, above {above:g} {unit}")
    least = max(0.0, above - margin)
    if value <= least:
        return Judged(begins=False, ends=True, sentence=f"{said}, not above {above:g} {unit}")
    return Judged(begins=False, ends=False, sentence=f"{said}, between {least:g} and {above:g} {unit}")


def _input(seconds: float, idle: str) -> Judged:
    said = f"last input {length_shown(seconds)} ago"
    if seconds < seconds_of(idle):
        return Judged(begins=True, ends=False, sentence=f"{said}, less than {idle}")
    return Judged(begins=False, ends=True, sentence=said)


def _hours(minds: Hours, value: float) -> Judged:
    if minds.sensor:
        is_within, said = value >= 1, "now"
    else:
        is_within, said = hours.is_within(minds.only, value), hours.shown(value)
    only = f" ({', '.join(minds.only)})" if minds.only and not minds.sensor else ""
    where = "within" if is_within else "outside of"
    return Judged(begins=not is_within, ends=is_within, sentence=f"{said} is {where} its hours{only}")

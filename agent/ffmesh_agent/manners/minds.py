"""What `[manners]` of `agent.toml` says: what the agent minds of its machine, and what it does then.

    [manners]
    slow_cpus = 2                           # processors for all programs while `slow` is in force; half unless said
    inhibit_sleep = true                    # the machine does not fall asleep while a job runs

    [manners.hours]
    only = ["Mo-Fr 18:00-08:00", "Sa-Su"]   # local time; outside of these hours …
    then = "drain"                          # … this is done: slow, pause, drain or stop

    [manners.input]
    idle = "10 min"                         # somebody has used keyboard or mouse within this time
    then = "slow"

    [manners.others]
    above = 50                              # percent of all processors, used by what is not ours
    margin = 10                             # it ends at 40

    [manners.power]                         # the machine runs on its battery
    then = "stop"

    [manners.temperature]
    above = 80                              # °C
    margin = 5                              # it ends at 75
    file = "/sys/class/thermal/thermal_zone0/temp"

    [manners.programs]
    names = ["steam", "obs"]                # one of these is running

A condition that has no table is not sensed. Each table may also say:

    unknown = "drain"                       # what is done while its sensor cannot be read; "ignore": nothing
    sensor = ["/usr/local/bin/heat", "gpu"] # prints the number that is taken instead
    begins_after = "5 s"                    # it must have been so for this time
    ends_after = "30 s"                     # it must have been over for this time
    every = "5 s"                           # how often its sensor is read
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from ffmesh_agent.manners.hours import NoHours, spans
from ffmesh_agent.manners.lengths import Length, seconds_of
from ffmesh_agent.roots import Strict
from ffmesh_protocol.limits import SLOTS
from ffmesh_protocol.messages.manners import Manner

LEAST_PAUSE: Final = 0.1

Percent: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=100)]
Degrees: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=150)]
Names: TypeAlias = tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=255)], ...]


class Minded(Strict, frozen=True):
    """What each of them may say."""

    then: Manner = Manner.PAUSE
    unknown: Literal["ignore", "slow", "drain", "pause", "stop"] = "drain"
    """Who does not see whether he is welcome begins nothing, and what runs goes on."""
    sensor: Names = ()
    begins_after: Length = "0 s"
    ends_after: Length = "0 s"
    every: Length = "5 s"


class Hours(Minded, frozen=True):
    only: tuple[str, ...] = ()


class Input(Minded, frozen=True):
    idle: Length = "10 min"
    every: Length = "2 s"
    """Who comes back does not wait long for his machine."""


class Others(Minded, frozen=True):
    above: Percent = 50
    margin: Percent = 10
    begins_after: Length = "15 s"
    """What somebody starts is busy for a moment."""
    ends_after: Length = "1 min"


class Power(Minded, frozen=True):
    ends_after: Length = "10 s"


class Temperature(Minded, frozen=True):
    above: Degrees = 80
    margin: Degrees = 5
    file: str | None = None
    begins_after: Length = "5 s"
    """Sensors of processors jump by ten degrees within a second."""
    ends_after: Length = "30 s"


class Programs(Minded, frozen=True):
    names: Names = ()
    ends_after: Length = "30 s"
    """A game that ends is often started again at once, or by its launcher."""


Minds: TypeAlias = Hours | Input | Others | Power | Temperature | Programs


class Manners(Strict, frozen=True):
    slow_cpus: Annotated[int, msgspec.Meta(ge=1, le=SLOTS)] | None = None
    inhibit_sleep: bool = True
    hours: Hours | None = None
    input: Input | None = None
    others: Others | None = None
    power: Power | None = None
    temperature: Temperature | None = None
    programs: Programs | None = None

    @property
    def minded(self) -> dict[str, Minds]:
        """Those that have a table, by their names."""
        all_of_them: dict[str, Minds | None] = {
            "hours": self.hours,
            "input": self.input,
            "others": self.others,
            "power": self.power,
            "temperature": self.temperature,
            "programs": self.programs,
        }
        return {name: minds for name, minds in all_of_them.items() if minds is not None}


class NoManners(ValueError):
    """What the types cannot say: the key, and what to do."""


def check(manners: Manners) -> None:
    for name, minds in manners.minded.items():
        if seconds_of(minds.every) < LEAST_PAUSE:
            raise NoManners(f"manners.{name}.every: “{minds.every}” is too often; {LEAST_PAUSE:g} s is the least")
        if any("\0" in word for word in minds.sensor):
            raise NoManners(f"manners.{name}.sensor: no program can be given a zero byte")
        if isinstance(minds, Others | Temperature) and minds.margin > minds.above:
            raise NoManners(f"manners.{name}.margin: it would end below 0, and that is never; say less than above")
    hours, programs, temperature = manners.hours, manners.programs, manners.temperature
    if hours is not None:
        if not hours.only and not hours.sensor:
            raise NoManners('manners.hours: say which, as in only = ["Mo-Fr 18:00-08:00", "Sa-Su"]')
        try:
            for text in hours.only:
                spans(text)
        except NoHours as error:
            raise NoManners(f"manners.hours.only: {error}") from None
    if programs is not None and not programs.names and not programs.sensor:
        raise NoManners('manners.programs: say which, as in names = ["steam", "obs"]')
    for name in programs.names if programs is not None else ():
        if "/" in name:
            raise NoManners(f"manners.programs.names: “{name}” is a path; write the name as ps shows it")
    if temperature is not None and temperature.file is not None and not temperature.file.startswith("/"):
        raise NoManners(f"manners.temperature.file: “{temperature.file}” is not absolute; write the whole path")

"""Reads the sensors of what `[manners]` minds, each at its own pace, and tells the conditions whenever one is another.

What no table names is not read. A sensor that hangs costs a thread, or a program that is ended in time; one that fails
in a way that nobody expected is not known, and the others go on.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, assert_never

from ffmesh_agent.core.events import ConditionsSeen
from ffmesh_agent.manners.fold import NOT_READ_YET, conditions, step
from ffmesh_agent.manners.hours import A_DAY
from ffmesh_agent.manners.lengths import seconds_of
from ffmesh_agent.manners.minds import Hours, Input, Minds, Others, Power, Programs, Temperature
from ffmesh_agent.manners.readings import Reading, Seen, Unseen
from ffmesh_agent.shell import sensors, supplies
from ffmesh_agent.shell.capture import Asker, NoAnswer
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.hanging import Look
from ffmesh_agent.shell.last_input import LastInput
from ffmesh_agent.shell.processes import NoProcesses, running
from ffmesh_agent.shell.usage import Usage
from ffmesh_protocol.media import printable
from ffmesh_protocol.messages.manners import Condition, Manner

SENSOR_SECONDS: Final = 5.0
"""A sensor that takes longer hangs."""

Sensor: TypeAlias = Callable[[], Awaitable[Reading]]

_HANGS: Final = Unseen(why=f"its sensor does not answer within {SENSOR_SECONDS:.0f} s")

log = logging.getLogger(__name__)


class Sensing:
    def __init__(self, minded: Mapping[str, Minds], asker: Asker, tell: Callable[[ConditionsSeen], None]) -> None:
        self._minded = minded
        self._tell = tell
        self._sensors = {name: sensor_of(minds, asker) for name, minds in minded.items()}
        self._standings = dict.fromkeys(minded, NOT_READ_YET)
        self._besides: Condition | None = None
        self._told: tuple[Condition, ...] = ()
        self._logged: dict[str, tuple[bool, Manner]] = {}

    async def run(self) -> None:
        """Never ends, unless nothing is minded."""
        self._say()
        async with asyncio.TaskGroup() as tasks:
            for name in self._minded:
                tasks.create_task(self._keep_reading(name), name=f"sensor of {name}")

    async def _keep_reading(self, name: str) -> None:
        minds = self._minded[name]
        while True:
            reading = await self._reading(name)
            self._standings[name] = step(minds, reading, boottime(), self._standings[name])
            self._say()
            await asyncio.sleep(seconds_of(minds.every))

    async def _reading(self, name: str) -> Reading:
        try:
            return await self._sensors[name]()
        except Exception:  # of one sensor, whatever it is
            if self._standings[name].seen is not None or self._standings[name] is NOT_READ_YET:
                log.exception("the sensor of %s cannot be read", name)
            return Unseen(why="its sensor failed; the agent's log says how")

    def also(self, condition: Condition | None) -> None:
        """One that no sensor tells of, as long as it is in force."""
        if condition is not None and condition != self._besides:
            log.info("%s: %s: %s", condition.name, condition.manner, condition.reason)
        self._besides = condition
        self._say()

    def _say(self) -> None:
        sensed = conditions(self._minded, self._standings)
        now = sensed if self._besides is None else (*sensed, self._besides)
        if now != self._told:
            self._told = now
            self._tell(ConditionsSeen(conditions=now))
        for each in sensed:
            self._log(each)

    def _log(self, condition: Condition) -> None:
        """What begins and ends, and not each value."""
        name, stands = condition.name, (condition.in_force, condition.manner)
        if self._standings[name] is NOT_READ_YET or self._logged.get(name) == stands:
            return
        self._logged[name] = stands
        log.info("%s: %s: %s", name, condition.manner if condition.in_force else "not in force", condition.reason)


def sensor_of(minds: Minds, asker: Asker) -> Sensor:
    if minds.sensor:
        worst = min if isinstance(minds, Hours | Input | Power) else max
        return partial(_printed, replace(asker, seconds=SENSOR_SECONDS), minds.sensor, worst)
    match minds:
        case Hours():
            return _in_a_thread("clock", _minute_of_the_week)
        case Input():
            return partial(_input, LastInput(asker))
        case Others():
            return _in_a_thread("usage", partial(_usage, Usage()))
        case Power():
            return _in_a_thread("power", supplies.power)
        case Temperature(file=file):
            return _in_a_thread("temperature", _temperature if file is None else partial(_temperature_in, file))
        case Programs(names=names):
            return _in_a_thread("programs", partial(_running, names))
        case _:
            assert_never(minds)


_NUMBER: Final = re.compile(r"[+-]?\d{1,9}(\.\d{1,9})?", re.ASCII)


def _in_a_thread(name: str, ask: Callable[[], Reading]) -> Sensor:
    look = Look(name, ask)

    async def reading() -> Reading:
        return await look.answer(SENSOR_SECONDS) or _HANGS

    return reading


async def _printed(asker: Asker, argv: tuple[str, ...], worst: Callable[[list[float]], float]) -> Reading:
    """A number, or several of which the one counts that restrains most: the hottest of two graphics cards."""
    called = Path(argv[0]).name
    try:
        printed = await asker.asked(argv)
    except NoAnswer as error:
        return Unseen(why=f"its sensor {called} {error}")
    lines = [line.strip() for line in printed.splitlines() if line.strip()] or [""]
    wrong = next((line for line in lines if not _NUMBER.fullmatch(line)), None)
    if wrong is not None:
        return Unseen(why=f"its sensor {called} prints no number but “{printable(wrong[:40])}”")
    return Seen(value=worst([float(line) for line in lines]))


def _minute_of_the_week() -> Reading:
    time.tzset()  # the machine may have another time zone by now
    now = time.localtime()
    return Seen(value=now.tm_wday * A_DAY + now.tm_hour * 60 + now.tm_min)


async def _input(last: LastInput) -> Reading:
    return await last.reading() or _HANGS


def _usage(usage: Usage) -> Reading:
    try:
        percent = usage.percent()
    except NoProcesses as error:
        return Unseen(why=str(error))
    return Seen(value=percent) if percent is not None else Unseen(why="it has not been measured yet")


def _temperature() -> Reading:
    celsius = sensors.temperature()
    return Seen(value=celsius) if celsius is not None else Unseen(why="this machine shows no temperature")


def _temperature_in(file: str) -> Reading:
    try:
        return Seen(value=sensors.temperature_in(file))
    except OSError as error:
        return Unseen(why=f"the file of its sensor cannot be read ({error.strerror})")
    except ValueError:
        return Unseen(why="the file of its sensor has no number in it")


def _running(names: tuple[str, ...]) -> Reading:
    try:
        found = running(names)
    except NoProcesses as error:
        return Unseen(why=str(error))
    if not found:
        return Seen(value=0, said=f"none of these is running: {', '.join(names)}")
    return Seen(value=len(found), said=f"{', '.join(found)} {'is' if len(found) == 1 else 'are'} running")

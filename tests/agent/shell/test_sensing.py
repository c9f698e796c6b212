"""Sensors are read, and what is in force is told."""

import asyncio
import os
import shlex
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from ffmesh_agent.core.events import ConditionsSeen
from ffmesh_agent.manners.minds import Hours, Input, Minds, Others, Power, Programs, Temperature
from ffmesh_agent.manners.readings import Seen, Unseen
from ffmesh_agent.shell import sensing
from ffmesh_agent.shell.capture import Asker
from ffmesh_agent.shell.sensing import Sensing, sensor_of
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_warden.handle import Warden
from support.fake_sensors import FakeSensor


class Told:
    def __init__(self) -> None:
        self.events: asyncio.Queue[ConditionsSeen] = asyncio.Queue()
        self.last: dict[str, Condition] = {}

    def tell(self, event: ConditionsSeen) -> None:
        self.events.put_nowait(event)

    async def until(self, is_so: Callable[[dict[str, Condition]], bool]) -> dict[str, Condition]:
        async with asyncio.timeout(60):
            while not self.last or not is_so(self.last):
                event = await self.events.get()
                self.last = {each.name: each for each in event.conditions}
            return self.last


@asynccontextmanager
async def _sensed(minded: dict[str, Minds], asker: Asker) -> AsyncGenerator[Told, None]:
    told = Told()
    running = asyncio.TaskGroup()
    with suppress(asyncio.CancelledError):
        async with running as tasks:
            task = tasks.create_task(Sensing(minded, asker, told.tell).run(), name="sensing")
            yield told
            task.cancel()


@pytest.fixture
def asker(warden: Warden, tmp_path: Path) -> Asker:
    return Asker(warden, {"PATH": os.defpath}, tmp_path)


AT_ONCE = {"begins_after": "0 s", "ends_after": "0 s", "every": "0.1 s"}

EACH: list[tuple[str, Callable[..., Minds], float, float]] = [
    ("hours", Hours, 0, 1),
    ("input", Input, 5, 3600),
    ("others", Others, 90, 10),
    ("power", Power, 0, 1),
    ("temperature", Temperature, 90, 40),
    ("programs", Programs, 1, 0),
]


async def test_each_condition_begins_and_ends_with_its_sensor_and_is_unknown_when_that_dies(
    asker: Asker, tmp_path: Path
) -> None:
    fakes = {name: FakeSensor(tmp_path, name) for name, *_ in EACH}
    minded = {name: kind(sensor=fakes[name].argv, unknown="stop", **AT_ONCE) for name, kind, *_ in EACH}
    for name, _, begins, _ in EACH:
        fakes[name].says(begins)
    async with _sensed(minded, asker) as told:
        first = await told.until(lambda _: True)
        assert {(each.in_force, each.manner) for each in first.values()} == {(True, Manner.STOP)}
        await told.until(lambda now: all(each.manner is Manner.PAUSE and each.in_force for each in now.values()))
        for name, _, _, ends in EACH:
            fakes[name].says(ends)
        await told.until(lambda now: not any(each.in_force for each in now.values()))
        for fake in fakes.values():
            fake.dies()
        lost = await told.until(lambda now: all(each.manner is Manner.STOP and each.in_force for each in now.values()))
        assert {each.reason for each in lost.values()} == {"not known, because its sensor sh ended with exit code 1"}
        for name, _, begins, _ in EACH:
            fakes[name].says(begins)
        await told.until(lambda now: all(each.manner is Manner.PAUSE and each.in_force for each in now.values()))


async def test_a_sensor_that_hangs_holds_up_no_other(
    asker: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensing, "SENSOR_SECONDS", 0.5)
    hot = FakeSensor(tmp_path, "hot")
    hot.says(90)
    minded: dict[str, Minds] = {
        "power": Power(sensor=("/bin/sleep", "600"), unknown="ignore", every="0.1 s"),
        "temperature": Temperature(sensor=hot.argv, every="0.1 s"),
    }
    async with _sensed(minded, asker) as told:
        await told.until(lambda now: now["temperature"].reason == "90.0 °C, above 80 °C")
        hot.says(40)
        now = await told.until(lambda now: "did not answer" in now["power"].reason)
        assert (now["power"].in_force, now["power"].reason) == (
            False,
            "not known, because its sensor sleep did not answer within 0 s; ignored",
        )
        await told.until(lambda now: now["temperature"].reason.startswith("40.0 °C"))


@pytest.mark.parametrize(
    ("prints", "reading"),
    [
        ("81.5", Seen(value=81.5)),
        ("  7 \n", Seen(value=7)),
        ("40\n85.5\n", Seen(value=85.5)),
        ("7\nmore", Unseen(why="its sensor sh prints no number but “more”")),
        ("\x1b[1m40", Unseen(why="its sensor sh prints no number but “\\x1b[1m40”")),
        ("1e300", Unseen(why="its sensor sh prints no number but “1e300”")),
        ("", Unseen(why="its sensor sh prints no number but “”")),
        ("81,5", Unseen(why="its sensor sh prints no number but “81,5”")),
        ("nan", Unseen(why="its sensor sh prints no number but “nan”")),
    ],
)
async def test_a_sensor_of_the_owner_prints_one_number(prints: str, reading: object, asker: Asker) -> None:
    argv = ("/bin/sh", "-c", f"printf %s {shlex.quote(prints)}")
    assert await sensor_of(Temperature(sensor=argv), asker)() == reading


async def test_of_several_numbers_the_one_counts_that_restrains_most(asker: Asker) -> None:
    argv = ("/bin/sh", "-c", "echo 600; echo 3")
    assert await sensor_of(Input(sensor=argv), asker)() == Seen(value=3)
    assert await sensor_of(Others(sensor=argv), asker)() == Seen(value=600)


async def test_a_file_has_degrees_or_thousandths_of_them(asker: Asker, tmp_path: Path) -> None:
    file = tmp_path / "temp"
    read = sensor_of(Temperature(file=str(file)), asker)
    assert await read() == Unseen(why="the file of its sensor cannot be read (No such file or directory)")
    file.write_text("48312\n")
    assert await read() == Seen(value=48.312)
    file.write_text("48.5\n")
    assert await read() == Seen(value=48.5)
    file.write_text("hot\n")
    assert await read() == Unseen(why="the file of its sensor has no number in it")


async def test_hours_are_those_of_the_local_clock(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    read = sensor_of(Hours(only=("Mo",)), asker)
    try:
        minutes = set[float]()
        for zone in ("UTC-00:00", "UTC-12:00"):
            monkeypatch.setenv("TZ", zone)
            reading = await read()
            assert isinstance(reading, Seen)
            minutes.add((reading.value - (12 * 60 if zone == "UTC-12:00" else 0)) % (7 * 24 * 60))
        assert max(minutes) - min(minutes) in {0, 1, 7 * 24 * 60 - 1}
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("minds", [Input(), Others(), Power(), Temperature(), Programs(names=("steam", "obs"))])
async def test_every_sensor_of_this_machine_says_something(minds: Minds, asker: Asker) -> None:
    reading = await sensor_of(minds, asker)()
    if isinstance(minds, Programs):
        assert reading == Seen(value=0, said="none of these is running: steam, obs")
    else:
        assert isinstance(reading, Seen | Unseen)


async def test_a_sensor_that_fails_in_a_way_that_nobody_expected_is_not_known(
    asker: Asker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sensing, "running", fails)
    async with _sensed({"programs": Programs(names=("x",), every="0.1 s")}, asker) as told:
        now = await told.until(lambda now: "failed" in now["programs"].reason)
        assert now["programs"].reason == "not known, because its sensor failed; the agent's log says how"
    assert sum("cannot be read" in each.message for each in caplog.records) == 1


async def test_what_nobody_minds_is_not_told(asker: Asker) -> None:
    told = Told()
    await Sensing({}, asker, told.tell).run()
    assert told.events.empty()

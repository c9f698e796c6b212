"""What an agent minds of its machine is seen by everybody; and one slot is one job at a time."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest
import tomli_w

from end_to_end.outside import Mesh, ending, mesh, programs_with, until
from support.fake_sensors import FakeSensor
from support.logind import Logind, system_bus

ALL: Final = frozenset(os.sched_getaffinity(0))

AT_ONCE: Final = {"begins_after": "0 s", "ends_after": "0 s", "every": "0.2 s"}

BEGINS: Final = {"hours": 0, "input": 5, "others": 90, "power": 0, "temperature": 90.04, "programs": 1}
ENDS: Final = {"hours": 1, "input": 3600, "others": 10, "power": 1, "temperature": 70, "programs": 0}
MARGIN: Final = {"others": 45, "temperature": 78}

THEN: Final = {
    "hours": "drain",
    "input": "slow",
    "others": "slow",
    "power": "stop",
    "temperature": "pause",
    "programs": "pause",
}
SAID: Final = {
    "hours": "now is outside of its hours",
    "input": "last input 5 s ago, less than 10 min",
    "others": "others use 90 % of the processors, above 50 %",
    "power": "on battery",
    "temperature": "90.0 °C, above 80 °C",
    "programs": "one of its programs is running",
}


def _configured(home: Path, manners: dict[str, Any]) -> None:
    """What a person has written there is left alone."""
    file = home / "agents" / "agent-1" / "agent.toml"
    file.parent.mkdir(parents=True, mode=0o700)
    file.write_text(tomli_w.dumps({"manners": manners}), encoding="utf-8")
    file.chmod(0o600)


def _until_conditions(running: Mesh, wanted: dict[str, tuple[bool, str]], but: str = "") -> dict[str, str]:
    """As soon as all stand like that; and the reason of each."""

    def look() -> dict[str, str] | None:
        conditions = running.agent()["conditions"]
        stand = {each["name"]: (each["in_force"], each["manner"]) for each in conditions}
        reasons = {each["name"]: each["reason"] for each in conditions}
        return reasons if stand == wanted and all(but in reason for reason in reasons.values()) else None

    return until(look, f"conditions are {wanted}")


def test_each_condition_begins_ends_and_is_unknown_when_its_sensor_dies_and_all_that_is_shown(tmp_path: Path) -> None:
    fakes = {name: FakeSensor(tmp_path, name) for name in THEN}
    tables = {
        name: {"sensor": fakes[name].argv, "then": then, "unknown": "ignore" if name == "power" else "drain", **AT_ONCE}
        for name, then in THEN.items()
    }
    for name, value in BEGINS.items():
        fakes[name].says(value)
    _configured(tmp_path / "home", tables)
    with mesh(tmp_path / "home") as running:
        in_force = {name: (True, then) for name, then in THEN.items()}
        assert _until_conditions(running, in_force) == SAID
        assert "slow (input, others)" in running.say("agents")
        lines = [" ".join(line.split()) for line in running.say("agent", "agent-1").splitlines()]
        assert "mind temperature pause: 90.0 °C, above 80 °C" in lines

        for name, value in (ENDS | MARGIN).items():
            fakes[name].says(value)
        within = {name: (name in MARGIN, then) for name, then in THEN.items()}
        assert _until_conditions(running, within)["temperature"] == "78.0 °C, between 75 and 80 °C"
        for name in MARGIN:
            fakes[name].says(ENDS[name])
        _until_conditions(running, {name: (False, then) for name, then in THEN.items()})
        lines = [" ".join(line.split()) for line in running.say("agent", "agent-1").splitlines()]
        assert "mind temperature not in force: 70.0 °C, not above 80 °C" in lines

        for fake in fakes.values():
            fake.dies()
        unknown = dict.fromkeys(THEN, (True, "drain")) | {"power": (False, "stop")}
        reasons = _until_conditions(running, unknown)
        assert reasons["temperature"] == "not known, because its sensor sh ended with exit code 1"
        assert reasons["power"] == "not known, because its sensor sh ended with exit code 1; ignored"


@pytest.mark.skipif(len(ALL) < 2, reason="of one processor none can be spared")
def test_a_slow_agent_leaves_processors_to_others_and_gives_them_back(tmp_path: Path) -> None:
    films, others = tmp_path / "films", FakeSensor(tmp_path, "others")
    films.mkdir()
    others.says(10)
    _configured(tmp_path / "home", {"slow_cpus": 1, "others": {"sensor": others.argv, "then": "slow", **AT_ONCE}})
    line = ["ffmpeg", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x180", "-c:v", "libx264"]

    def on(word: str) -> frozenset[int]:
        """The processors that are left to all threads of the ffmpeg with this word; none, while it is not there."""
        tasks = [task for pid in programs_with("ffmpeg", word) for task in Path(f"/proc/{pid}/task").iterdir()]
        with suppress(OSError):
            each = {frozenset(os.sched_getaffinity(int(task.name))) for task in tasks}
            return each.pop() if len(each) == 1 else frozenset()
        return frozenset()

    with mesh(tmp_path / "home", "--slots", "2", "--root", f"Films={films}") as running:
        job = running.submit("--", *line, films / "before.mkv")
        until(lambda: on("before.mkv") == ALL, "it has all processors")
        others.says(90)
        until(lambda: len(on("before.mkv")) == 1, "it has one processor")
        with ending(running.begin("run", "--", *line, films / "meanwhile.mkv")):
            until(
                lambda: len(on("meanwhile.mkv")) == 1,
                "what starts has one too, also an interactive one",
            )
            assert on("meanwhile.mkv") == on("before.mkv")
            others.says(10)
            until(lambda: on("before.mkv") == on("meanwhile.mkv") == ALL, "both have all processors")
        running.say("cancel", job)


def test_a_machine_with_a_job_stays_awake_and_before_it_sleeps_that_is_a_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asleep() -> list[tuple[str, bool]]:
        return [(each["manner"], each["in_force"]) for each in running.agent()["conditions"] if each["name"] == "sleep"]

    with system_bus(tmp_path) as bus, Logind.on(bus) as logind:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        with mesh(tmp_path / "home", "--program", "sleep") as running:
            job = running.submit("--", "sleep", "600")
            assert logind.inhibitor("block").what == "sleep"
            logind.prepare_for_sleep(begins=True)
            until(lambda: asleep() == [("stop", True)], "it is about to sleep")
            logind.inhibitor("delay").wait_until_released()
            logind.prepare_for_sleep(begins=False)
            until(lambda: asleep() == [], "it is awake")
            running.ffmesh("cancel", job)
            logind.inhibitor("block").wait_until_released()


def test_one_slot_under_ten_submissions_runs_one_job_at_a_time_and_shows_what_it_does(tmp_path: Path) -> None:
    place, go_on = tmp_path / "place", tmp_path / "place" / "go on"
    place.mkdir()
    work = (
        f"cd {place}; mkdir alone || touch two; until [ -e 'go on' ]; do sleep 0.05; done; rmdir alone; echo x >> done"
    )
    options = ("--program", "sh", "--root", f"Place={place}")
    with mesh(tmp_path / "home", *options, unfenced=1) as running:
        assert running.agent()["activity"] == "idle"
        jobs = [running.submit("--", "sh", "-c", work) for _ in range(10)]

        def busy() -> dict[str, Any] | None:
            agent = running.agent()
            return agent if agent["running"] and agent["activity"] == "busy" else None

        agent = until(busy, "the agent is busy")
        [current] = agent["running"]
        assert current in jobs
        assert agent["slots"] == {"cpu": {"total": 1, "used": 1}}
        assert 0 <= agent["load"]["cpu_percent"] <= 100
        assert 0 < agent["load"]["memory_percent"] <= 100
        shown = dict(line.split(maxsplit=1) for line in running.say("agent", "agent-1").splitlines())
        assert shown["state"] == "online"
        assert shown["now"] == "busy"
        assert shown["running"] in jobs
        assert {"cpu", "memory"} <= shown.keys()
        go_on.touch()
        assert running.wait(*jobs).returncode == 0
        assert (place / "done").read_text() == "x\n" * 10
        assert not (place / "two").exists()
        until(lambda: running.agent()["activity"] == "idle", "the agent is idle")
        assert running.agent()["running"] == []

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.shell.stage import fresh_id
from ffmesh_agent.config import AgentConfig, BrokerPlace, Trials
from ffmesh_agent.core.events import CapabilitySeen
from ffmesh_agent.ffmpeg import lists
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell import capability as capability_module
from ffmesh_agent.shell import recovering
from ffmesh_agent.shell.capability import Capability
from ffmesh_agent.shell.capture import Asker, NoAnswer
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.environment import environment, of_this_machine
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.host import boot, host
from ffmesh_agent.shell.in_force import UNFENCED, WANTED_OFF
from ffmesh_agent.shell.looking import Eyes, Sight
from ffmesh_agent.shell.roots import Roots
from ffmesh_agent.shell.sensors import Sensors
from ffmesh_protocol import codec
from ffmesh_protocol.messages.capability import RootState
from ffmesh_warden.handle import Warden
from support.mounts import mount_tmpfs, mountable, silent_mount, unmount

VERSION = 'echo "ffmpeg version 9.9 Copyright"'


def _script(file: Path, text: str) -> str:
    file.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def _config(programs: dict[str, str], roots: Mapping[str, str | RootPlace] | None = None) -> AgentConfig:
    return AgentConfig(
        cluster="home",
        name="pi-1",
        secret=bytes(32),
        broker=BrokerPlace(host="x", port=1),
        programs=programs,
        roots={**(roots or {})},
        slots={"cpu": 2},
        trials=Trials(run=False),
    )


class Seen:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[CapabilitySeen] = asyncio.Queue()

    async def where(self, *programs: str) -> CapabilitySeen:
        """The first that lists these."""
        while True:
            seen = await self.queue.get()
            if set(programs) <= seen.advert.programs.keys():
                return seen

    async def without(self, program: str) -> CapabilitySeen:
        """The first that says why this program is left out."""
        while True:
            seen = await self.queue.get()
            if seen.programs is not None and f"program/{program}" in seen.programs.unavailable:
                return seen


@asynccontextmanager
async def _looking(
    config: AgentConfig, warden: Warden, home: Path, seconds: float = 10.0, unkept: Sequence[str] = ()
) -> AsyncGenerator[Seen, None]:
    asker = Asker(warden, environment(of_this_machine(), {}, home), home, seconds)
    seen = Seen()
    async with asyncio.TaskGroup() as tasks:
        capability = Capability(config, fresh_id(), home, asker, Fencing(config, UNFENCED, ""), unkept)
        task = tasks.create_task(capability.run(seen.queue.put_nowait))
        yield seen
        task.cancel()


async def test_limits_that_cannot_be_kept_are_told_to_everybody(warden: Warden, tmp_path: Path) -> None:
    unkept = ["[limits] memory: not in force, because x", "[limits] nice = -5: not in force, because y"]
    async with _looking(_config({"true": ""}), warden, tmp_path, unkept=unkept) as seen:
        found = await seen.where("true")
    assert found.programs is not None
    sentence = "memory: not in force, because x; nice = -5: not in force, because y"
    assert found.programs.unavailable == {"fence": WANTED_OFF, "limits": sentence}


async def test_a_look_that_nobody_expected_to_fail_is_of_its_root_alone_and_others_follow(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    really, is_broken = Eyes.look, True

    def look(self: Eyes) -> Sight:
        sight = really(self)
        if is_broken and sight.place == str(tmp_path / "broken"):
            raise RecursionError
        return sight

    monkeypatch.setattr(Eyes, "look", look)
    monkeypatch.setattr(capability_module, "HOLDING", 0.01)
    for name in ("broken", "well"):
        (tmp_path / name).mkdir()
    roots = {"Broken": str(tmp_path / "broken"), "Well": str(tmp_path / "well")}
    async with _looking(_config({}, roots), warden, tmp_path) as seen:
        told = (await seen.queue.get()).advert.roots
        assert told["Broken"] == RootState(mounted=False, why="the look at it failed: RecursionError")
        assert told["Well"].mounted
        (tmp_path / "well").rmdir()
        assert not (await seen.queue.get()).advert.roots["Well"].mounted
        is_broken = False
        assert (await seen.queue.get()).advert.roots["Broken"].mounted
    assert caplog.text.count("root Broken: the look at it failed") == 1
    assert "RecursionError" in caplog.text


async def test_a_watch_over_the_roots_that_nobody_expected_to_fail_begins_anew(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[type[Exception]] = [OSError, RecursionError]
    really = Roots.mounts_changed

    def mounts_changed(self: Roots) -> None:
        if failures:
            raise failures.pop()
        really(self)

    monkeypatch.setattr(Roots, "mounts_changed", mounts_changed)
    monkeypatch.setattr(capability_module, "HOLDING", 0.01)
    async with _looking(_config({}, {"R": str(tmp_path / "root")}), warden, tmp_path) as seen:
        assert not (await seen.queue.get()).advert.roots["R"].mounted
        (tmp_path / "root").mkdir()
        assert (await seen.queue.get()).advert.roots["R"].mounted
    assert caplog.text.count("the watch over the roots failed, and begins anew") == 2


async def test_the_installed_ffmpeg_is_advertised_with_what_it_lists(warden: Warden, tmp_path: Path) -> None:
    async with _looking(_config({"ffmpeg": "", "ffprobe": ""}), warden, tmp_path) as seen:
        found = await seen.where("ffmpeg", "ffprobe")
    assert found.programs is not None
    assert {"aac", "png"} <= set(found.programs.encoders)
    assert {"h264", "aac"} <= set(found.programs.decoders)
    assert {"scale", "overlay"} <= set(found.programs.filters)
    assert found.programs.unavailable == {"fence": WANTED_OFF}
    assert not found.programs.tried
    assert (found.advert.tried, found.advert.fence, found.advert.slots["cpu"].total) == (False, "none", 2)
    assert len(codec.encode(found.programs)) < 64 * 1024
    assert len(codec.encode(found.advert)) < 4096


async def test_a_warm_start_asks_nobody_until_the_file_changes(warden: Warden, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = _script(tmp_path / "ffprobe", f"echo >>{asked}; {VERSION}")
    for _ in range(2):
        async with _looking(_config({"ffprobe": program}), warden, tmp_path) as seen:
            assert (await seen.where("ffprobe")).advert.programs == {"ffprobe": "9.9"}
    assert asked.read_text() == "\n"
    _script(tmp_path / "ffprobe", f"echo >>{asked}; {VERSION.replace('9.9', '10')}")
    async with _looking(_config({"ffprobe": program}), warden, tmp_path) as seen:
        assert (await seen.where("ffprobe")).advert.programs == {"ffprobe": "10"}


async def test_a_damaged_memory_is_made_anew(warden: Warden, tmp_path: Path) -> None:
    (tmp_path / "lists.json").write_bytes(b"\xff{")
    program = _script(tmp_path / "ffprobe", VERSION)
    async with _looking(_config({"ffprobe": program}), warden, tmp_path) as seen:
        await seen.where("ffprobe")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sleep 1000", "did not answer within 0 s"),
        ("kill -SEGV $$", "was ended by signal 11"),
        ("exit 3", "ended with exit code 3"),
        ("echo hello", "does not say its version as ffmpeg and ffprobe do"),
        ("yes", "prints without end"),
        (
            "#!/no/such/interpreter",
            "cannot be started: fake is there, but not the interpreter or the file that it points to",
        ),
    ],
)
async def test_a_program_that_hangs_crashes_or_lies_is_left_out_with_the_reason_and_the_agent_is_told_of_the_rest(
    script: str, reason: str, warden: Warden, tmp_path: Path
) -> None:
    program = _script(tmp_path / "fake", script)
    seconds = 0.3 if "sleep" in script else 10.0
    async with _looking(_config({"ffmpeg": program, "true": ""}), warden, tmp_path, seconds) as seen:
        left_out = await seen.without("ffmpeg")
    assert left_out.programs is not None
    assert left_out.programs.unavailable["program/ffmpeg"] == f"ffmpeg {reason}"
    assert left_out.advert.programs == {"true": ""}
    assert str(tmp_path).encode() not in codec.encode(left_out.programs)


async def test_the_first_advert_does_not_wait_for_a_slow_program_but_names_it_until_it_has_answered_or_is_left_out(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_module, "FIRST_ADVERT_SECONDS", 0.01)
    slow = _script(tmp_path / "slow", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; {VERSION}")
    broken = _script(tmp_path / "broken", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; exit 3")
    programs = {"ffmpeg": broken, "ffprobe": slow, "true": ""}
    async with _looking(_config(programs), warden, tmp_path, 60.0) as seen:
        assert (await seen.queue.get()).advert.programs == {"ffmpeg": "", "ffprobe": "", "true": ""}
        (tmp_path / "go").touch()
        await seen.queue.get()
        assert (await seen.queue.get()).advert.programs == {"ffprobe": "9.9", "true": ""}


async def test_a_program_that_nobody_expected_to_fail_is_left_out_alone(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> str:
        raise RecursionError

    monkeypatch.setattr(lists, "version", fails)
    async with _looking(_config({"ffmpeg": _script(tmp_path / "fake", VERSION), "true": ""}), warden, tmp_path) as seen:
        found = await seen.without("ffmpeg")
    assert found.advert.programs == {"true": ""}
    assert found.programs is not None
    sentence = "ffmpeg could not be asked; the agent's log says why"
    assert found.programs.unavailable["program/ffmpeg"] == sentence


async def test_other_programs_are_looked_at_and_never_run(warden: Warden, tmp_path: Path) -> None:
    program = _script(tmp_path / "dangerous", f"echo >{tmp_path}/run")
    (tmp_path / "plain").write_text("not executable")
    programs = {"dangerous": program, "plain": f"{tmp_path}/plain", "none": "", "gone": "/gone"}
    async with _looking(_config(programs), warden, tmp_path) as seen:
        found = await seen.where("dangerous")
    assert found.programs is not None
    assert found.advert.programs == {"dangerous": ""}
    assert found.programs.unavailable == {
        "fence": WANTED_OFF,
        "program/gone": "there is no program gone where this agent's configuration has it",
        "program/none": "there is no program none in PATH",
        "program/plain": "plain is not executable",
    }
    assert not (tmp_path / "run").exists()


async def test_a_list_that_is_far_too_long_is_cut(warden: Warden, tmp_path: Path) -> None:
    lines = f'{VERSION}; i=0; while [ $i -lt 5000 ]; do echo " V..... e$i  text"; i=$((i+1)); done'
    program = _script(tmp_path / "fake", lines)
    async with _looking(_config({"ffmpeg": program}), warden, tmp_path) as seen:
        found = await seen.where("ffmpeg")
    assert found.programs is not None
    assert len(found.programs.encoders) == 2000
    codec.encode(found.programs)


async def test_roots_come_and_go(warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capability_module, "HOLDING", 0.01)
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "there").mkdir()
    roots = {name: str(tmp_path / name) for name in ("file", "there", "later")}
    async with _looking(_config({}, roots), warden, tmp_path) as seen:
        first = await seen.queue.get()
        assert {name: root.mounted for name, root in first.advert.roots.items()} == {
            "file": False,
            "there": True,
            "later": False,
        }
        (tmp_path / "later").mkdir()
        (tmp_path / "there").rmdir()
        while not (last := await seen.queue.get()).advert.roots["later"].mounted or last.advert.roots["there"].mounted:
            pass


async def test_a_root_that_goes_is_withdrawn_at_once_and_not_at_the_next_beat(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_module, "HOLDING", 1000.0)
    with mountable(tmp_path / "place") as place:
        mount_tmpfs(place)
        config = _config({}, {"R": RootPlace(path=str(place), mount_point=True)})
        async with _looking(config, warden, tmp_path) as seen, asyncio.timeout(20):
            assert (await seen.queue.get()).advert.roots["R"].mounted
            unmount(place)
            assert (await seen.queue.get()).advert.roots["R"].why == "nothing is mounted there"
            mount_tmpfs(place)
            assert (await seen.queue.get()).advert.roots["R"].mounted


async def test_a_mount_that_never_answers_keeps_no_other_root_from_being_told(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_module, "HOLDING", 0.01)
    (tmp_path / "there").mkdir()
    with silent_mount(tmp_path / "silent"):
        config = _config({}, {name: str(tmp_path / name) for name in ("silent", "there")})
        async with _looking(config, warden, tmp_path) as seen, asyncio.timeout(20):
            first = (await seen.queue.get()).advert.roots
            assert (first["silent"].why, first["there"].mounted) == ("it does not answer", True)
            (tmp_path / "there").rmdir()
            assert (await seen.queue.get()).advert.roots["there"].why == "there is no such folder"


async def test_an_operators_command_brings_a_root_back(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_module, "HOLDING", 0.01)
    place = tmp_path / "place"
    config = _config({}, {"R": RootPlace(path=str(place), recover=("mkdir", str(place)))})
    async with _looking(config, warden, tmp_path) as seen, asyncio.timeout(20):
        while not (await seen.queue.get()).advert.roots["R"].mounted:
            pass


async def test_a_command_that_does_not_help_is_run_once_a_minute_and_complained_of_once(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = boottime()
    monkeypatch.setattr(recovering, "boottime", lambda: now)
    ran, pool = tmp_path / "ran", RootState(mounted=True)
    place = RootPlace(path="/x", needs=("Pool",), recover=("sh", "-c", f"echo ran >>{ran}; exit 3"))
    asker = Asker(warden, environment(of_this_machine(), {}, tmp_path), tmp_path)

    async def consider(pool: RootState, films: RootState) -> int:
        """How often it has run then."""
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            recovery.consider({"Pool": pool, "Films": films}, tasks, lambda: pytest.fail("it has not ended well"))
        return len(ran.read_text().splitlines()) if ran.exists() else 0

    gone = RootState(mounted=False)
    recovery = recovering.Recovery({"Films": place, "Pool": RootPlace(path="/y")}, asker)
    assert await consider(pool, pool) == 0
    assert await consider(gone, gone) == 0, "what it needs comes first"
    assert await consider(pool, gone) == 1
    now += recovering.RECOVER_EVERY - 1
    assert await consider(pool, gone) == 1
    now += 1
    assert await consider(pool, gone) == 2
    assert [record.message for record in caplog.records if "Films" in record.message] == [
        "root Films: the command that recovers it, sh, ended with exit code 3"
    ]


async def test_an_answer_is_what_was_printed_and_the_program_sees_nothing_of_ours(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "x")
    asker = Asker(warden, environment(of_this_machine(), {}, tmp_path), tmp_path)
    assert await asker.asked(["sh", "-c", "echo printed; echo other >&2"]) == "printed\n"
    assert "SECRET_OF_THE_DAEMON" not in await asker.asked(["env"])
    with pytest.raises(NoAnswer, match="no program nonsense in PATH"):
        await asker.asked(["nonsense"])


def test_this_machine_is_described() -> None:
    here = host()
    assert here.cores >= 1
    assert here.memory_bytes > 1_000_000
    assert here.model
    assert here.arch == os.uname().machine
    assert here.temperature_sensor is (Sensors().load().temperature_c is not None)
    assert boot() == boot()


def test_the_load_is_in_percent() -> None:
    load = Sensors().load()
    assert load.cpu_percent is not None
    assert load.memory_percent is not None
    assert 0 <= load.cpu_percent <= 100
    assert 0 < load.memory_percent <= 100


async def test_a_program_that_was_too_slow_to_answer_is_asked_again(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capability_module, "LOOK_AGAIN", 0.2)
    slow = tmp_path / "slow"
    slow.touch()
    program = tmp_path / "ffprobe"
    program.write_text(f'#!/bin/sh\n[ ! -e "{slow}" ] || exec sleep 1000\n{VERSION}\n')
    program.chmod(0o755)
    async with _looking(_config({"ffprobe": str(program)}), warden, tmp_path, seconds=0.5) as seen:
        left_out = await seen.without("ffprobe")
        assert left_out.programs is not None
        assert "did not answer" in left_out.programs.unavailable["program/ffprobe"]
        slow.unlink()
        found = await seen.where("ffprobe")
        assert found.programs is not None
        assert "program/ffprobe" not in found.programs.unavailable

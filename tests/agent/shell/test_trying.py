"""What ffmpeg lists is tried: lies are found, whatever the program does, and nothing else waits for it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from agent.shell.stage import fresh_id, granted, until
from ffmesh_agent.config import AgentConfig, BrokerPlace
from ffmesh_agent.core.events import CapabilitySeen
from ffmesh_agent.ffmpeg import trials
from ffmesh_agent.ffmpeg.proven import AGAIN, NOT_YET, Listed, Standing
from ffmesh_agent.ffmpeg.trials import Nodes, Subject
from ffmesh_agent.shell import capture, drivers
from ffmesh_agent.shell import trying as trying_module
from ffmesh_agent.shell.capability import Capability
from ffmesh_agent.shell.capture import Asker
from ffmesh_agent.shell.environment import environment, of_this_machine
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.in_force import UNFENCED, InForce
from ffmesh_agent.shell.trying import Trying
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind, Result
from ffmesh_warden import fences
from ffmesh_warden.fence import Kind
from ffmesh_warden.handle import Warden

PATH = "/usr/local/bin:/usr/bin:/bin"
LISTS = """#!/bin/sh
case "$*" in
*-version*) echo "ffmpeg version 9.9 Copyright" ;;
*-encoders*) echo " V..... h264_nvenc  x (codec h264)"; echo " V..... libx264  x (codec h264)" ;;
*-decoders* | *-filters*) ;;
*-hwaccels*) echo "Hardware acceleration methods:"; echo cuda ;;
*)
    echo "$*" >>FOLDER/tried
    echo "frame=    2 fps=0.0 q=-0.0 Lsize=N/A" >&2
    TRIED
    ;;
esac
"""


def _fake(folder: Path, tried: str) -> str:
    """An ffmpeg that lists an encoder of hardware, an accelerator and libx264, and does this when it is to encode."""
    file = folder / "ffmpeg"
    file.write_text(LISTS.replace("TRIED", tried).replace("FOLDER", str(folder)))
    file.chmod(0o755)
    return str(file)


def _tries(folder: Path) -> list[str]:
    """Those that were made, benchmarks left out."""
    lines = (folder / "tried").read_text().splitlines() if (folder / "tried").exists() else []
    return [line for line in lines if "-benchmark" not in line]


def _asker(warden: Warden, home: Path) -> Asker:
    return Asker(warden, environment(of_this_machine(), {}, home), home)


class Seen:
    def __init__(self, capability: Capability) -> None:
        self.capability = capability
        self.queue: asyncio.Queue[CapabilitySeen] = asyncio.Queue()

    async def until(self, is_it: Callable[[CapabilitySeen], bool]) -> CapabilitySeen:
        async with asyncio.timeout(60):
            while not is_it(seen := await self.queue.get()):
                pass
        return seen

    async def tried(self) -> CapabilitySeen:
        return await self.until(lambda seen: seen.advert.tried)


@asynccontextmanager
async def _agent(program: str, warden: Warden, home: Path, force: InForce = UNFENCED) -> AsyncGenerator[Seen, None]:
    config = AgentConfig(
        cluster="home",
        name="pi-1",
        secret=bytes(32),
        broker=BrokerPlace(host="x", port=1),
        programs={"ffmpeg": program},
    )
    async with asyncio.TaskGroup() as tasks:
        seen = Seen(Capability(config, fresh_id(), home, _asker(warden, home), Fencing(config, force, PATH)))
        task = tasks.create_task(seen.capability.run(seen.queue.put_nowait))
        yield seen
        task.cancel()


@asynccontextmanager
async def _trying(
    path: str, listed: Listed, warden: Warden, home: Path, slots: int = 1
) -> AsyncGenerator[Trying, None]:
    """Without an agent around it."""
    async with asyncio.TaskGroup() as tasks:
        config = AgentConfig(cluster="home", name="pi-1", secret=bytes(32), broker=BrokerPlace(host="x", port=1))
        fencing = Fencing(config, UNFENCED, PATH)
        trying = Trying(_asker(warden, home), fencing, home / "trials.json", slots, lambda: None)
        trying.begin(path, path, listed)
        task = tasks.create_task(trying.until_other(lambda: True))
        yield trying
        task.cancel()


async def _standing(trying: Trying, listed: Listed, is_it: Callable[[Standing], bool]) -> Standing:
    async with asyncio.timeout(60):
        await until(lambda: is_it(trying.standing(listed)))
    return trying.standing(listed)


@pytest.fixture(autouse=True)
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the tests run. And other tests that run meanwhile do not go before these trials."""
    monkeypatch.setattr(capture, "MODEST", 0)

    def nodes(_root: Path = drivers.EVERYTHING) -> Nodes:
        return Nodes()

    monkeypatch.setattr(drivers, "nodes", nodes)


@pytest.mark.parametrize(
    ("tried", "reason"),
    [
        ("echo '[h264_nvenc @ 0x1] [error] Cannot load libcuda.so.1' >&2; exit 1", "Cannot load libcuda.so.1"),
        ("kill -SEGV $$", "ffmpeg was ended by signal 11"),
        ("exit 3", "ffmpeg ended with exit code 3"),
        ("sleep 1000", "ffmpeg did not answer within 0 s"),
        ("yes >&2", "ffmpeg prints without end"),
    ],
)
async def test_an_ffmpeg_that_lies_in_its_list_crashes_or_hangs_is_found_out_and_the_agent_is_there_meanwhile(
    tried: str, reason: str, warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying_module, "TRIAL_SECONDS", 0.3 if "sleep" in tried else 20.0)
    async with _agent(_fake(tmp_path, tried), warden, tmp_path) as seen:
        first = await seen.queue.get()
        assert first.programs is not None
        assert (first.advert.tried, first.advert.programs, first.advert.hwaccels) == (False, {"ffmpeg": "9.9"}, ())
        assert first.programs.encoders == ("libx264",)
        assert first.programs.unavailable["encoder/h264_nvenc"] == NOT_YET
        last = await seen.tried()
    assert last.programs is not None
    assert (last.programs.encoders, last.advert.hwaccels, last.programs.tried) == ((), (), True)
    for called in ("encoder/h264_nvenc", "hwaccel/cuda", "encoder/libx264"):
        assert last.programs.unavailable[called] == reason
    assert last.advert.supported_codecs == ()


async def test_what_works_is_advertised_as_soon_as_it_has_been_tried(warden: Warden, tmp_path: Path) -> None:
    async with _agent(_fake(tmp_path, ":"), warden, tmp_path) as seen:
        last = await seen.tried()
    assert last.programs is not None
    assert (last.programs.encoders, last.advert.hwaccels) == (("h264_nvenc", "libx264"), ("cuda",))
    assert last.programs.max_resolutions == {"h264_nvenc": "7680x4320"}
    assert (last.advert.max_resolution, last.advert.supported_codecs) == ("7680x4320", ("h264",))


@pytest.mark.parametrize("kind", ["landlock", "bubblewrap"])
async def test_what_works_outside_of_the_fence_only_does_not_work(warden: Warden, tmp_path: Path, kind: Kind) -> None:
    if kind not in fences.found().kinds:
        pytest.skip(f"no {kind} here: {fences.found().missing}")
    home, programs, others = tmp_path / "home", tmp_path / "programs", tmp_path / "others"
    for folder in (home, programs, others):
        folder.mkdir()
    secret, device = home / "agent.toml", others / "device"
    for file in (secret, device):
        file.write_text("open\n")
    program = _fake(programs, f'touch made; read -r x <"{device}" || read -r x <"{secret}"')
    async with _agent(program, warden, home, InForce(kind)) as seen:
        tried = await seen.tried()
    assert tried.programs is not None
    assert "encoder/libx264" in tried.programs.unavailable
    assert (home / "trials" / "made").exists()
    async with _agent(program, warden, home) as seen:
        tried = await seen.tried()
    assert tried.programs is not None
    assert "libx264" in tried.programs.encoders


async def test_the_installed_ffmpeg_has_its_hardware_and_its_usual_encoders_tried_for_real(
    warden: Warden, tmp_path: Path
) -> None:
    encoders = ("aac", "adpcm_ms", "h264_nvenc", "h264_vaapi", "hevc_qsv", "libx264")
    listed = Listed(encoders=encoders, hwaccels=("cuda", "qsv", "vaapi", "vulkan"), codecs={"libx264": "h264"})
    async with _trying("ffmpeg", listed, warden, tmp_path) as trying:
        found = await _standing(trying, listed, lambda standing: standing.tried)
    assert (found.encoders, found.hwaccels) == (("aac", "adpcm_ms", "libx264"), ())
    assert found.supported_codecs == ("aac", "h264")
    why = {called.partition("/")[2] for called in found.unavailable}
    assert why == {"h264_nvenc", "h264_vaapi", "hevc_qsv", "cuda", "qsv", "vaapi", "vulkan"}
    assert found.unavailable["encoder/h264_nvenc"] == "Cannot load libcuda.so.1"
    assert found.unavailable["hwaccel/cuda"] == "Cannot load libcuda.so.1"
    assert "/dev/dri/renderD*" in found.unavailable["encoder/h264_vaapi"]


async def test_a_second_start_tries_nothing_and_one_with_another_program_or_driver_tries_everything(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _fake(tmp_path, ":")
    async with _agent(program, warden, tmp_path) as seen:
        await seen.until(lambda each: each.programs is not None and each.advert.tried)
    before = _tries(tmp_path)
    assert len(before) == 6, "four sizes of one encoder, an accelerator, libx264"
    async with _agent(program, warden, tmp_path) as seen:
        first = await seen.queue.get()
        assert (first.advert.tried, first.advert.hwaccels) == (True, ("cuda",)), "at once"
    assert _tries(tmp_path) == before
    _fake(tmp_path, "exit 0")
    async with _agent(program, warden, tmp_path) as seen:
        await seen.tried()
    assert len(_tries(tmp_path)) == 12
    monkeypatch.setattr(drivers, "identity", lambda: "another driver")
    async with _agent(program, warden, tmp_path) as seen:
        await seen.tried()
    assert len(_tries(tmp_path)) == 18


async def test_a_program_that_becomes_another_one_is_asked_and_tried_anew(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying_module, "LOOK_AGAIN", 0.05)
    async with _agent(_fake(tmp_path, ":"), warden, tmp_path) as seen:
        assert (await seen.tried()).advert.hwaccels == ("cuda",)
        _fake(tmp_path, "exit 1")
        last = await seen.until(lambda each: each.advert.tried and each.advert.hwaccels == ())
        assert last.programs is not None
        assert last.programs.unavailable["hwaccel/cuda"] == "ffmpeg ended with exit code 1"


async def test_a_driver_that_comes_while_the_agent_runs_has_all_tried_again(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying_module, "LOOK_AGAIN", 0.05)
    program = _fake(tmp_path, f"[ -e {tmp_path}/driver ]")
    monkeypatch.setattr(drivers, "identity", lambda: f"driver {(tmp_path / 'driver').exists()}")
    async with _agent(program, warden, tmp_path) as seen:
        assert (await seen.tried()).advert.hwaccels == ()
        (tmp_path / "driver").touch()
        await seen.until(lambda each: each.advert.tried and each.advert.hwaccels == ("cuda",))


async def test_a_trial_that_nobody_expected_to_fail_is_of_its_encoder_alone(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    really = trials.trial

    def trial(subject: Subject, device: str | None, nodes: Nodes, size: str) -> tuple[str, ...]:
        if subject.called == "hwaccel/cuda":
            raise RecursionError
        return really(subject, device, nodes, size)

    monkeypatch.setattr(trials, "trial", trial)
    async with _agent(_fake(tmp_path, ":"), warden, tmp_path) as seen:
        last = await seen.tried()
    assert last.programs is not None
    assert last.programs.encoders == ("h264_nvenc", "libx264")
    assert last.programs.unavailable["hwaccel/cuda"] == "it could not be tried; the agent's log says why"
    assert "RecursionError" in caplog.text


async def test_a_device_that_hangs_keeps_no_other_from_being_tried(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nodes(_root: Path = drivers.EVERYTHING) -> Nodes:
        return Nodes(render=("/dev/dri/renderD128", "/dev/dri/renderD129"))

    monkeypatch.setattr(drivers, "nodes", nodes)
    monkeypatch.setattr(trying_module, "TRIAL_SECONDS", 2.0)
    program = _fake(tmp_path, 'case "$*" in *D128*) exec sleep 1000 ;; *7680x4320*) exit 1 ;; esac')
    listed = Listed(encoders=("h264_vaapi",))
    async with _trying(program, listed, warden, tmp_path) as trying:
        found = await _standing(trying, listed, lambda standing: standing.tried)
    assert (found.encoders, found.max_resolutions) == (("h264_vaapi",), {"h264_vaapi": "3840x2160"})


# --- jobs -------------------------------------------------------------------------------------------------------------

X264 = Listed(encoders=("libx264",))


async def test_no_trial_runs_while_all_slots_are_used_and_one_that_does_ends_when_the_last_is_taken(
    warden: Warden, tmp_path: Path
) -> None:
    program = _fake(tmp_path, f"[ -e {tmp_path}/go ] || exec sleep 1000")
    async with _trying(program, X264, warden, tmp_path) as trying:
        async with asyncio.timeout(60):
            await until(lambda: bool(_tries(tmp_path)))
        job = _grant()
        (tmp_path / "go").touch()
        trying.job_began(job)  # and the trial, which would sleep on, has ended
        await asyncio.sleep(0)
        assert not trying.standing(X264).tried
        trying.job_over(_result(job.attempt))
        await _standing(trying, X264, lambda standing: standing.tried)
    assert len(_tries(tmp_path)) == 2


async def test_what_a_job_failed_with_is_withdrawn_until_it_has_passed_another_trial(
    warden: Warden, tmp_path: Path
) -> None:
    program = _fake(tmp_path, f"until [ ! -e {tmp_path}/wait ]; do sleep 0.01; done; [ ! -e {tmp_path}/broken ]")
    async with _trying(program, X264, warden, tmp_path) as trying:
        await _standing(trying, X264, lambda standing: standing.tried)
        (tmp_path / "wait").touch()
        (tmp_path / "broken").touch()
        job = _grant("encoder=libx264")
        trying.job_began(job)
        trying.job_over(_result(job.attempt, exit_code=1, failure=FailureKind.NODE))
        at_once = trying.standing(X264)
        assert (at_once.encoders, at_once.unavailable) == ((), {"encoder/libx264": AGAIN})
        assert not at_once.tried
        (tmp_path / "wait").unlink()
        failed = await _standing(trying, X264, lambda standing: standing.tried)
        assert failed.unavailable == {"encoder/libx264": "ffmpeg ended with exit code 1"}
    (tmp_path / "broken").unlink()
    async with _trying(program, X264, warden, tmp_path) as trying:  # what may pass again is not remembered
        assert (await _standing(trying, X264, lambda standing: standing.tried)).encoders == ("libx264",)


async def test_what_had_worked_and_fails_is_tried_again_later(
    warden: Warden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying_module, "LOOK_AGAIN", 0.02)
    monkeypatch.setattr(trying_module, "AGAIN_AFTER", 0.0)
    program = _fake(tmp_path, f"[ ! -e {tmp_path}/busy ]")
    async with _trying(program, X264, warden, tmp_path) as trying:
        await _standing(trying, X264, lambda standing: standing.tried)
        (tmp_path / "busy").touch()
        job = _grant("encoder=libx264")
        trying.job_began(job)
        trying.job_over(_result(job.attempt, exit_code=1, failure=FailureKind.NODE))
        await _standing(trying, X264, lambda standing: "encoder/libx264" in standing.unavailable and standing.tried)
        (tmp_path / "busy").unlink()
        await _standing(trying, X264, lambda standing: standing.encoders == ("libx264",))


def _grant(*capabilities: str) -> Grant:
    return structs.replace(granted("ffmpeg"), needs=Needs(program="ffmpeg", capabilities=capabilities))


def _result(attempt: str, *, exit_code: int = 0, failure: FailureKind | None = None) -> Result:
    return Result(
        attempt=attempt,
        job=fresh_id(),
        started=True,
        exit_code=exit_code,
        signal=None,
        stopped=None,
        reason_code=None,
        reason=None,
        seconds=1.0,
        lengths=None,
        failure=failure,
    )

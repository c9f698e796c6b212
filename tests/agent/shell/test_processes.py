"""The whole agent and what it does of processes: asks them to end, counts none that it ended, finds those that hid."""

import os
import pwd
import signal
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import tomli_w

from agent.shell.peers import LOGINS, coordinator_at, exit_code, home_in, started_agent
from agent.shell.stage import granted, until
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Cancels, Stop
from ffmesh_protocol.messages.reports import Results, Started
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.topics import Verb
from ffmesh_warden import fences
from support.broker import PrivateBroker, private_broker
from support.cgroups import cgroup_of_a_test, members
from support.passing import passable
from warden.living import gone, lives, written_pid

IN_A_CGROUP = (
    "import os; open(os.environ['TEST_CGROUP'] + '/cgroup.procs', 'w').write('0');"
    "from ffmesh_agent import __main__; __main__.main()"
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[PrivateBroker, None]:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker:
        yield broker


def _home(folder: Path, broker: PrivateBroker, **also: object) -> Path:
    file = home_in(folder, broker.port) / "agent.toml"
    table = tomllib.loads(file.read_text())
    file.write_text(tomli_w.dumps({**table, "programs": {"sh": "", "ffmpeg": ""}, **also}))
    return folder


@pytest.mark.parametrize("kind", [JobKind.DIRECT, JobKind.STAGED])
async def test_a_cancelled_ffmpeg_ends_by_q_with_0_and_is_no_success(
    kind: JobKind, broker: PrivateBroker, tmp_path: Path
) -> None:
    home, root = tmp_path / "home", tmp_path / "root"
    root.mkdir()
    async with coordinator_at(broker) as coordinator:
        with started_agent(_home(home, broker, roots={"R": str(root)})) as process:
            await coordinator.advertised()
            await coordinator.greet()
            output = RootPath(root="R", path="out.ts")
            words = ["-y", "-re", "-f", "lavfi", "-i", "testsrc=s=64x64", "-c:v", "mpeg4", "-flush_packets", "1"]
            outputs = (output,) if kind is JobKind.STAGED else ()
            grant = granted("ffmpeg", *words, (output,), kind=kind, outputs=outputs)
            await coordinator.grant(grant)
            await coordinator.told(Verb.STARTED, Started)
            await until(lambda: any(file.stat().st_size > 0 for file in root.rglob("*.ts")))
            stop = Stop(attempt=grant.attempt, job=grant.job, why=Stopped.CANCEL)
            await coordinator.say(Verb.CANCEL, Cancels(stops=(stop,)))
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.exit_code, result.signal, result.stopped) == (0, None, Stopped.CANCEL)
            if kind is JobKind.STAGED:
                await until(lambda: not any(root.iterdir()))
            process.send_signal(signal.SIGTERM)
            assert await exit_code(process) == 0


async def test_what_hid_from_an_agent_and_a_warden_that_were_killed_at_once_ends_with_the_next_life(
    broker: PrivateBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = _home(tmp_path / "home", broker)
    hidden = "env -i /usr/bin/setsid /bin/sh -c 'trap \"\" TERM HUP; echo $$ >pid; while :; do /bin/sleep 1000; done' &"
    with cgroup_of_a_test() as above:
        monkeypatch.setenv("TEST_CGROUP", str(above))
        async with coordinator_at(broker) as coordinator:
            with started_agent(home, program=("-c", IN_A_CGROUP)) as process:
                await coordinator.advertised()
                await coordinator.greet()
                grant = granted("sh", "-c", f"{hidden} exec sleep 1000")
                await coordinator.grant(grant)
                daemon = await written_pid(home / "scratch" / grant.attempt / "pid")
                (warden,) = members(above) - {process.pid}
                for number in (signal.SIGSTOP, signal.SIGKILL):
                    os.kill(process.pid, number)
                    os.kill(warden, number)
                await gone(warden)
                assert lives(daemon)
        async with coordinator_at(broker) as coordinator:
            with started_agent(home, program=("-c", IN_A_CGROUP)) as process:
                await coordinator.greet()
                assert not lives(daemon)
                assert not [each for each in above.iterdir() if each.is_dir()]
                process.send_signal(signal.SIGTERM)
                assert await exit_code(process) == 0


async def test_limits_and_owners_that_cannot_be_kept_are_told_at_the_start_and_the_agent_works(
    broker: PrivateBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = {"path": str(tmp_path), "owner": "no such user"}
    home = _home(tmp_path / "home", broker, limits={"memory": "2 GB", "cpus": 1.5}, roots={"R": root})
    with cgroup_of_a_test() as above:
        if {"memory", "cpu"} <= set((above / "cgroup.controllers").read_text().split()):
            pytest.skip("such limits can be kept here")
        monkeypatch.setenv("TEST_CGROUP", str(above))
        async with coordinator_at(broker) as coordinator:
            with started_agent(home, program=("-c", IN_A_CGROUP)) as process:
                await coordinator.advertised()
                await coordinator.greet()
                await coordinator.grant(granted("sh", "-c", "exit 5"))
                (result,) = (await coordinator.told(Verb.RESULT, Results)).results
                assert result.exit_code == 5
                process.send_signal(signal.SIGTERM)
                assert await exit_code(process) == 0
                assert process.stderr is not None
                said = process.stderr.read().decode()
    assert "[limits] memory and cpus: not in force, because its cgroup has no controller for cpu and mem" in said
    assert "[roots.R] owner = no such user: there is no such owner here" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to others")
@pytest.mark.parametrize("fence", ["landlock", "bubblewrap"])
async def test_a_program_behind_a_fence_runs_as_the_owner_of_its_root_too(
    fence: str, broker: PrivateBroker, tmp_path: Path
) -> None:
    if fence not in fences.found().kinds:
        pytest.skip(f"no {fence} here")
    nobody = pwd.getpwnam("nobody")
    root = passable(tmp_path) / "root"
    root.mkdir()
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    there = {"path": str(root), "owner": "nobody", "mode": "0664"}
    limits = {"nice": 19, "ionice": "idle"}
    async with coordinator_at(broker) as coordinator:
        with started_agent(_home(tmp_path / "home", broker, fence=fence, roots={"R": there}, limits=limits)) as process:
            await coordinator.advertised()
            await coordinator.greet()
            script = 'id -u >made && nice >>made && echo x >"$HOME/mine" && echo x >"$TMPDIR/too"'
            await coordinator.grant(granted("sh", "-c", script, cwd=RootPath(root="R", path="")))
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert result.exit_code == 0
            process.send_signal(signal.SIGTERM)
            assert await exit_code(process) == 0
    status = (root / "made").stat()
    assert (root / "made").read_text() == f"{nobody.pw_uid}\n19\n"
    assert (status.st_uid, status.st_mode & 0o777) == (nobody.pw_uid, 0o664)

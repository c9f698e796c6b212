"""The whole agent against a real broker; a little of a coordinator speaks to it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from agent.shell.peers import (
    LOGINS,
    ME,
    READER,
    TOPICS,
    Reader,
    bus_of,
    coordinator_at,
    exit_code,
    home_in,
    started_agent,
)
from agent.shell.stage import fresh_id, granted, until
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Offer, Offers, Settled, TailWanted, Welcome
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import Decline, Hello, Holding, Results, StreamLengths, Tail
from ffmesh_protocol.topics import Verb
from support.broker import PrivateBroker, private_broker

IS_NOT_PATIENT = (
    "from ffmesh_agent import __main__; from ffmesh_agent.core import agent; agent.REFUSED_FOR = 0.5; __main__.main()"
)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[PrivateBroker, None]:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker:
        yield broker


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _written_pid(file: Path) -> int:
    await until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except FileNotFoundError:
        return False


async def test_an_agent_comes_says_what_it_can_do_and_goes(broker: PrivateBroker, tmp_path: Path) -> None:
    home = home_in(tmp_path / "a ü", broker.port)
    async with coordinator_at(broker) as coordinator:
        with started_agent(home) as process:
            online = await coordinator.status(AgentState.ONLINE)
            advert = await coordinator.advertised()
            assert (advert.life, advert.programs) == (online.life, {"sh": "", "true": ""})
            assert advert.roots["R"].mounted
            (warden,) = _children(process.pid)
            process.send_signal(signal.SIGTERM)
            assert await coordinator.status(AgentState.OFFLINE) == AgentStatus(
                state=AgentState.OFFLINE, life=online.life, connection=1
            )
            assert await exit_code(process) == 0
            assert not _lives(warden)


async def test_a_grant_becomes_a_result_that_is_on_disk_until_it_is_settled(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    home = home_in(tmp_path / "home", broker.port)
    spool = home / "spool"
    async with coordinator_at(broker) as coordinator:
        with started_agent(home) as process:
            await coordinator.advertised()
            hello = await coordinator.greet()
            assert (hello.held, len(hello.spool)) == ((), 32)
            assert hello.features == ("direct", "interactive", "many-outputs", "pause", "quoted-paths", "staged")
            grant = granted("sh", "-c", "echo said >&2; exit 5")
            await coordinator.grant(grant)
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.attempt, result.exit_code, result.started) == (grant.attempt, 5, True)
            assert (spool / f"{grant.attempt}.json").exists()
            process.kill()
            await exit_code(process)
        with started_agent(home):
            hello = await coordinator.told(Verb.HELLO, Hello)
            assert [held.attempt for held in hello.held] == [grant.attempt]
            await coordinator.say(Verb.WELCOME, Welcome(draining=False))
            assert (await coordinator.told(Verb.RESULT, Results)).results == (result,)
            await coordinator.say(Verb.TAIL, TailWanted(attempt=grant.attempt, request=fresh_id()))
            tail = await coordinator.told(Verb.TAIL, Tail)
            assert tail.lines is not None
            assert [line.text for line in tail.lines] == ["said"]
            await coordinator.say(Verb.SETTLED, Settled(attempts=(grant.attempt,)))
            await until(lambda: not (spool / f"{grant.attempt}.json").exists())


async def test_the_streams_of_an_interactive_program_reach_its_client_over_the_broker(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    home = home_in(tmp_path / "home", broker.port)
    content = os.urandom(1_000_003) * 20
    (home / "big").write_bytes(content)
    life = fresh_id()
    attached = granted(
        "sh", "-c", "cat big; printf said >&2", kind=JobKind.INTERACTIVE, cwd=RootPath(root="R", path="")
    )
    async with coordinator_at(broker) as coordinator, bus_of(broker, READER, TOPICS.to_me(READER, life)[0]) as bus:
        with started_agent(home):
            await coordinator.advertised()
            await coordinator.greet()
            reader = Reader(bus, life, coordinator.agent_life, attached)
            await coordinator.grant(reader.grant())
            while not (await coordinator.told(Verb.HOLDING, Holding)).held:
                pass
            await reader.say_credit()
            await reader.read()
            assert bytes(reader.got[Verb.STDOUT]) == content
            assert bytes(reader.got[Verb.STDERR]) == b"said"
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.exit_code, result.lengths) == (0, StreamLengths(stdout=len(content), stderr=4))


async def test_by_sigterm_it_finishes_what_it_has_takes_no_more_and_leaves(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    async with coordinator_at(broker) as coordinator:
        with started_agent(home := home_in(tmp_path / "home", broker.port)) as process:
            await coordinator.advertised()
            await coordinator.greet()
            grant = granted("sh", "-c", "echo $$ >pid; while [ ! -e go ]; do sleep 0.01; done; exit 5")
            await coordinator.grant(grant)
            await _written_pid(place := home / "scratch" / grant.attempt / "pid")
            process.send_signal(signal.SIGTERM)
            assert (await coordinator.status(AgentState.DRAINING)).manner == "drain"
            while (await coordinator.told(Verb.HOLDING, Holding)).unwilling != "it is being shut down":
                pass
            refused = granted("true")
            offer = Offer(attempt=refused.attempt, job=refused.job, kind=refused.kind, needs=refused.needs)
            await coordinator.say(Verb.OFFER, Offers(offers=(offer,)))
            (declined,) = (await coordinator.told(Verb.DECLINE, Decline)).declined
            assert declined.reason == "it is being shut down"
            place.with_name("go").touch()
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.stopped, result.exit_code) == (None, 5)
            assert process.poll() is None, "its result is not settled yet"
            await coordinator.say(Verb.SETTLED, Settled(attempts=(grant.attempt,)))
            await coordinator.status(AgentState.OFFLINE)
            assert await exit_code(process) == 0
            assert process.stderr is not None
            said = process.stderr.read().decode().splitlines()
            assert "INFO draining: it takes no more jobs, and leaves when its 1 are done" in "\n".join(said)
            assert said[-1] == "INFO leaving: all is done"


async def test_a_second_sigterm_ends_what_runs_and_says_so_before_it_leaves(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    async with coordinator_at(broker) as coordinator:
        with started_agent(home_in(tmp_path / "home", broker.port)) as process:
            await coordinator.advertised()
            await coordinator.greet()
            await coordinator.grant(granted("sh", "-c", "sleep 1000"))
            await coordinator.told(Verb.STARTED, msgspec.Raw)
            process.send_signal(signal.SIGTERM)
            await coordinator.status(AgentState.DRAINING)
            process.send_signal(signal.SIGTERM)
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.stopped, result.signal) == ("shutdown", signal.SIGTERM)
            await coordinator.status(AgentState.OFFLINE)
            assert await exit_code(process) == 0


async def test_sigint_ends_what_runs_and_says_so_before_it_leaves(broker: PrivateBroker, tmp_path: Path) -> None:
    async with coordinator_at(broker) as coordinator:
        with started_agent(home_in(tmp_path / "home", broker.port)) as process:
            await coordinator.advertised()
            await coordinator.greet()
            await coordinator.grant(granted("sh", "-c", "sleep 1000"))
            await coordinator.told(Verb.STARTED, msgspec.Raw)
            process.send_signal(signal.SIGINT)
            (result,) = (await coordinator.told(Verb.RESULT, Results)).results
            assert (result.stopped, result.signal) == ("shutdown", signal.SIGTERM)
            await coordinator.status(AgentState.OFFLINE)
            assert await exit_code(process) == 0


async def test_the_signal_after_that_leaves_at_once_and_nothing_is_left_running(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    async with coordinator_at(broker) as coordinator:
        with started_agent(home := home_in(tmp_path / "home", broker.port)) as process:
            await coordinator.advertised()
            await coordinator.greet()
            grant = granted("sh", "-c", "trap '' TERM; echo $$ >pid; while :; do sleep 1; done")
            await coordinator.grant(grant)
            program = await _written_pid(home / "scratch" / grant.attempt / "pid")
            process.send_signal(signal.SIGINT)
            await coordinator.status(AgentState.DRAINING)
            process.send_signal(signal.SIGINT)
            assert await exit_code(process) == 128 + signal.SIGINT
            assert not _lives(program)


async def test_an_agent_whose_warden_died_ends_to_be_started_again(broker: PrivateBroker, tmp_path: Path) -> None:
    async with coordinator_at(broker) as coordinator:
        with started_agent(home_in(tmp_path / "home", broker.port)) as process:
            await coordinator.status(AgentState.ONLINE)
            (warden,) = _children(process.pid)
            os.kill(warden, signal.SIGKILL)
            assert await exit_code(process) == 1
            await coordinator.status(AgentState.OFFLINE)  # its will


async def test_an_agent_waits_for_a_broker_and_comes_back_to_it(tmp_path: Path) -> None:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker:
        home = home_in(tmp_path / "home", broker.port)
        async with coordinator_at(broker) as coordinator:
            with started_agent(home) as process:
                first = await coordinator.status(AgentState.ONLINE)
                await broker.restart()
                async with coordinator_at(broker) as again:
                    second = await again.status(AgentState.ONLINE)
                    assert (second.life, second.connection > 1) == (first.life, True)
                    await again.advertised()
                process.send_signal(signal.SIGINT)
                assert await exit_code(process) == 0


async def test_an_agent_whose_login_was_taken_away_ends_its_programs_and_itself(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    home = home_in(tmp_path / "home", broker.port)
    async with coordinator_at(broker) as coordinator:
        with started_agent(home, program=("-c", IS_NOT_PATIENT)) as process:
            await coordinator.advertised()
            await coordinator.greet()
            grant = granted("sh", "-c", "trap '' TERM; echo $$ >pid; while :; do sleep 1; done")
            await coordinator.grant(grant)
            program = await _written_pid(home / "scratch" / grant.attempt / "pid")
            await broker.change_logins({login: password for login, password in LOGINS.items() if login != ME.login})
            assert await exit_code(process) == 77
            assert not _lives(program)
            assert process.stderr is not None
            assert "pi-1 is not a member" in process.stderr.read().decode().splitlines()[-1]
    assert (home / "spool" / f"{grant.attempt}.json").exists()


async def test_without_a_broker_an_agent_can_be_stopped_too(tmp_path: Path) -> None:
    with started_agent(home_in(tmp_path, 1)) as process:
        assert process.stderr is not None
        while b"trying again" not in (line := await asyncio.to_thread(process.stderr.readline)):
            assert line, "it has ended"
        process.send_signal(signal.SIGTERM)
        assert await exit_code(process) == 0


async def test_a_second_agent_in_one_home_and_a_bad_file_end_with_2_and_one_line(tmp_path: Path) -> None:
    home = home_in(tmp_path, 1)
    with started_agent(home) as first:
        assert first.stderr is not None
        await asyncio.to_thread(first.stderr.readline)
        with started_agent(home) as second:
            assert await exit_code(second) == 2
            assert second.stderr is not None
            (line,) = second.stderr.read().decode().splitlines()
            assert f"pid {first.pid}" in line
    (home / "agent.toml").write_text("name = 1")
    with started_agent(home) as bad:
        assert await exit_code(bad) == 2
        assert bad.stderr is not None
        (line,) = bad.stderr.read().decode().splitlines()
        assert line.startswith(f"ffmesh-agent: {home / 'agent.toml'}: ")


@pytest.mark.parametrize(
    ("words", "what"),
    [([], "--config FILE"), (["--config"], "--config"), (["--config", "x", "--nonsense"], "--nonsense")],
)
def test_wrong_usage_is_one_line_that_says_what_to_do(words: list[str], what: str) -> None:
    run = subprocess.run([sys.executable, "-m", "ffmesh_agent", *words], check=False, capture_output=True, text=True)
    (line,) = run.stderr.splitlines()
    assert (run.returncode, run.stdout) == (2, "")
    assert line.startswith("ffmesh-agent: ")
    assert what in line
    assert "--help" in line


def test_a_home_in_which_nothing_can_be_made_is_one_line(tmp_path: Path) -> None:
    home = home_in(tmp_path, 1)
    (home / "agent.lock").mkdir()
    run = subprocess.run(
        [sys.executable, "-m", "ffmesh_agent", "--config", home / "agent.toml"],
        check=False,
        capture_output=True,
        text=True,
    )
    (line,) = run.stderr.splitlines()
    assert run.returncode == 2
    assert str(home) in line


def test_nothing_that_an_idle_agent_does_not_need_is_imported() -> None:
    script = "import sys, ffmesh_agent.__main__; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    modules = set(run.stdout.split())
    assert not modules & {"rich", "textual", "aiosqlite", "sqlite3", "ffmesh_client", "ffmesh_coordinator"}

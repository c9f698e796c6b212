"""A staged job over the broker: the agent asks, the coordinator permits or not, also over the agent's death."""

from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from agent.shell.peers import LOGINS, Coordinator, coordinator_at, home_in, started_agent
from agent.shell.stage import granted, until
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Cancels, Commit, Grant, Leased, Settled, Stop
from ffmesh_protocol.messages.reports import HeldPhase, MayCommit, Result, Results
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.topics import Verb
from support.broker import PrivateBroker, private_broker

OUT = RootPath(root="R", path="films/out")


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[PrivateBroker, None]:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker:
        yield broker


@pytest.fixture
def home(broker: PrivateBroker, tmp_path: Path) -> Path:
    home = home_in(tmp_path / "home", broker.port)
    (home / "films").mkdir()
    (home / "films" / "out").write_text("old")
    return home


def staged() -> Grant:
    return granted("sh", "-c", 'printf new >"$1"', "sh", (OUT,), kind=JobKind.STAGED, outputs=(OUT,))


async def asked(coordinator: Coordinator, grant: Grant) -> None:
    await coordinator.advertised()
    await coordinator.greet()
    await coordinator.grant(grant)
    assert await coordinator.told(Verb.MAY_COMMIT, MayCommit) == MayCommit(attempts=(grant.attempt,))


async def result(coordinator: Coordinator, grant: Grant) -> Result:
    (told,) = (await coordinator.told(Verb.RESULT, Results)).results
    assert told.attempt == grant.attempt
    return told


def films(home: Path) -> dict[str, str]:
    return {file.name: file.read_text() if file.is_file() else "a folder" for file in (home / "films").iterdir()}


async def test_an_output_takes_its_place_when_it_is_permitted_and_not_before(broker: PrivateBroker, home: Path) -> None:
    grant = staged()
    async with coordinator_at(broker) as coordinator:
        with started_agent(home):
            await asked(coordinator, grant)
            assert films(home) == {"out": "old", f".ffmesh-{grant.attempt}": "a folder"}
            await coordinator.say(Verb.COMMIT, Commit(attempts=(grant.attempt,)))
            told = await result(coordinator, grant)
            assert (told.exit_code, told.stopped, told.failure) == (0, None, None)
            assert films(home)["out"] == "new"
            await coordinator.say(Verb.SETTLED, Settled(attempts=(grant.attempt,)))
            await until(lambda: films(home) == {"out": "new"})
            await until(lambda: not any((home / "staged").iterdir()))


async def test_an_output_that_may_not_take_its_place_is_deleted(broker: PrivateBroker, home: Path) -> None:
    grant = staged()
    async with coordinator_at(broker) as coordinator:
        with started_agent(home):
            await asked(coordinator, grant)
            stop = Stop(attempt=grant.attempt, job=grant.job, why=Stopped.CANCEL)
            await coordinator.say(Verb.CANCEL, Cancels(stops=(stop,)))
            assert (await result(coordinator, grant)).stopped is Stopped.CANCEL
            await until(lambda: films(home) == {"out": "old"})


async def test_what_a_killed_agent_had_sealed_waits_for_a_permission_that_its_next_life_is_given(
    broker: PrivateBroker, home: Path
) -> None:
    grant = staged()
    async with coordinator_at(broker) as coordinator:
        with started_agent(home) as process:
            await asked(coordinator, grant)
            process.kill()
            process.wait()
        with started_agent(home):
            hello = await coordinator.greet()
            assert [(held.attempt, held.phase) for held in hello.held] == [(grant.attempt, HeldPhase.STAGED)]
            assert films(home)["out"] == "old"
            await coordinator.say(Verb.LEASED, Leased(beat=hello.beat, attempts=(grant.attempt,)))
            await coordinator.say(Verb.COMMIT, Commit(attempts=(grant.attempt,)))
            told = await result(coordinator, grant)
            assert (told.exit_code, told.failure) == (0, None)
            assert films(home)["out"] == "new"


async def test_a_permission_to_a_life_that_was_killed_is_worth_nothing_to_the_next_one(
    broker: PrivateBroker, home: Path
) -> None:
    grant = staged()
    async with coordinator_at(broker) as coordinator:
        with started_agent(home) as process:
            await asked(coordinator, grant)
            process.kill()
            process.wait()
        await coordinator.say(Verb.COMMIT, Commit(attempts=(grant.attempt,)))
        with started_agent(home):
            await coordinator.greet()
            await coordinator.told(Verb.HOLDING, msgspec.Raw)
            await coordinator.told(Verb.HOLDING, msgspec.Raw)
            assert films(home)["out"] == "old"

# pyright: reportPrivateUsage=false
"""A disk that is full: the coordinator says so, takes nothing new, loses nothing, and goes on by itself."""

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from coordinator.shell.peers import TOPICS, Place, Running, Speaker, a_place, greet, speaker
from coordinator.shell.values import a_job, ulid
from ffmesh_coordinator.config import load
from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.shell import backlog, runtime
from ffmesh_coordinator.shell.errors import StoreFailed
from ffmesh_coordinator.shell.home import Home
from ffmesh_coordinator.shell.store import Store
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Accepted, JobList, Refusal
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.messages.orders import Grants, Leased, Offers, Settled
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import Claim, Held, HeldPhase, Holding, Results, Started
from ffmesh_protocol.messages.requests import ListJobs, ShowJobs
from ffmesh_protocol.names import COORDINATOR
from ffmesh_protocol.topics import Verb
from support.coordinating import result, submit

MANY = 60


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place, None]:
    async with a_place(tmp_path / "home") as place:
        yield place


def is_online(status: CoordinatorStatus) -> bool:
    return status.state is CoordinatorState.ONLINE


def is_full(status: CoordinatorStatus) -> bool:
    return status.state is CoordinatorState.FULL


def is_offline(status: CoordinatorStatus) -> bool:
    return status.state is CoordinatorState.OFFLINE


def fill(place: Place, process: Running) -> None:
    """What it has written it may write again, and nothing more."""
    process.limit_files(Home(place.home).database_files()[1].stat().st_size)


def on_disk(place: Place) -> set[str]:
    with closing(sqlite3.connect(f"file:{Home(place.home).database}?mode=ro", uri=True)) as database:
        return {job for (job,) in database.execute("SELECT id FROM jobs")}


def answers(client: Speaker) -> dict[str, Accepted | Refusal]:
    """By job; only those that it was accepted, or refused, with."""
    topic = TOPICS.directed(COORDINATOR, client.principal, client.life, Verb.ANSWER)
    found: dict[str, Accepted | Refusal] = {}
    for packet in client.heard:
        if packet.topic == topic:
            said = msgspec.json.decode(packet.payload, type=Accepted | Refusal)
            found[(packet.correlation or b"").decode()] = said
    return found


async def until_full(place: Place, process: Running, client: Speaker) -> None:
    """Many submits come at once, and the disk does not take them."""
    life = (await client.status(is_online)).life
    fill(place, process)
    for number in range(1, MANY):
        client.bus.post(client.signed(Verb.SUBMIT, submit(ulid("J", number)), life))
    await client.status(is_full)


def accepted(client: Speaker) -> set[str]:
    return {said.job for said in answers(client).values() if isinstance(said, Accepted)}


async def test_it_says_so_takes_nothing_new_and_goes_on_by_itself(place: Place) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            await client.ask(Verb.SUBMIT, submit(ulid("K", 1)))
            await until_full(place, process, client)
            assert accepted(client) <= on_disk(place)

            refused = await client.ask(Verb.SUBMIT, submit(ulid("K", 2)))
            assert isinstance(refused, Refusal)
            assert refused.code is RefusalCode.FULL
            assert "full" in refused.sentence
            shown = await client.ask(Verb.JOB, ShowJobs(jobs=(ulid("K", 1),)))
            assert isinstance(shown, JobList)
            assert shown.jobs[0].state is JobState.QUEUED
            assert accepted(client) <= on_disk(place)

            process.limit_files(None)
            await client.status(is_online)
            while len(answers(client)) < MANY - 1:
                await client.hears()
            assert {said.code for said in answers(client).values() if isinstance(said, Refusal)} <= {RefusalCode.FULL}
            assert accepted(client), "what was decided before the disk was known to be full"
            assert isinstance(await client.ask(Verb.SUBMIT, submit(ulid("K", 3))), Accepted)
            kept = on_disk(place)
            assert kept == accepted(client) | {ulid("K", 1), ulid("K", 3)}

            code, said = await process.stopped(signal.SIGKILL)
            assert code == -signal.SIGKILL
            assert said.count("nothing new is accepted") == said.count("the disk takes again") == 1
            await client.status(is_offline)
            with place.coordinator():
                await client.status(is_online)
                page = await client.ask(Verb.JOBS, ListJobs(limit=500))
                assert isinstance(page, JobList)
                assert {view.id for view in page.jobs} == kept


async def test_told_to_stop_it_ends_at_once_and_has_said_nothing_that_is_not_kept(place: Place) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            await until_full(place, process, client)
            async with asyncio.timeout(10):
                code, said = await process.stopped()
            await client.status(is_offline)
            assert accepted(client) <= on_disk(place)
    assert code == 0
    assert "Traceback" not in said


async def test_an_agent_works_on_while_the_disk_is_full_and_its_result_is_settled_when_it_is_kept(
    place: Place,
) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place, "pi", "agent") as pi, speaker(place) as client:
            life = await greet(pi)
            job = submit(ulid("K", 1))
            await client.ask(Verb.SUBMIT, job)
            (offer,) = (await pi.told(Verb.OFFER, Offers)).offers
            pi.bus.post(pi.signed(Verb.CLAIM, Claim(attempts=(offer.attempt,)), life))
            await pi.told(Verb.GRANT, Grants)
            pi.bus.post(pi.signed(Verb.STARTED, Started(attempts=(offer.attempt,)), life))
            held = Held(attempt=offer.attempt, job=job.job, phase=HeldPhase.RUNNING)
            pi.bus.post(pi.signed(Verb.HOLDING, Holding(beat=2, heard=9, draining=False, held=(held,)), life))
            assert (await pi.told(Verb.LEASED, Leased)).beat == 2

            await until_full(place, process, client)
            pi.bus.post(pi.signed(Verb.HOLDING, Holding(beat=3, heard=9, draining=False, held=(held,)), life))
            leased = await pi.told(Verb.LEASED, Leased)
            assert (leased.beat, leased.attempts) == (3, (offer.attempt,))
            pi.bus.post(pi.signed(Verb.RESULT, Results(results=(result(offer.attempt, job=job.job),)), life))
            held = Held(attempt=offer.attempt, job=job.job, phase=HeldPhase.ENDED)
            pi.bus.post(pi.signed(Verb.HOLDING, Holding(beat=4, heard=9, draining=False, held=(held,)), life))
            assert isinstance(await client.ask(Verb.SUBMIT, submit(ulid("K", 2))), Refusal)  # after all of that
            heard = {packet.topic.rpartition("/")[2] for packet in pi.heard}
            assert heard.isdisjoint({Verb.SETTLED, Verb.OFFER, Verb.RESEND, Verb.GRANT})

            process.limit_files(None)
            assert set((await pi.told(Verb.SETTLED, Settled)).attempts) == {offer.attempt}
            page = await client.ask(Verb.JOB, ShowJobs(jobs=(job.job,)))
            assert isinstance(page, JobList)
            assert page.jobs[0].state is JobState.SUCCEEDED


@contextmanager
def small_disk(folder: Path, size: str) -> Generator[Path, None, None]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


async def test_a_disk_that_really_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        async with a_place(disk / "home") as place:
            with place.coordinator() as process:
                await place.is_connected()
                async with speaker(place) as client:
                    await client.ask(Verb.SUBMIT, submit(ulid("K", 1)))
                    with pytest.raises(OSError, match="No space"):
                        (disk / "filler").write_bytes(bytes(4_000_000))
                    life = (await client.status(is_online)).life
                    for number in range(1, MANY):
                        client.bus.post(client.signed(Verb.SUBMIT, submit(ulid("J", number)), life))
                    await client.status(is_full)
                    assert accepted(client) <= on_disk(place)
                    assert isinstance(await client.ask(Verb.JOBS, ListJobs()), JobList)
                    (disk / "filler").unlink()
                    await client.status(is_online)
                    while len(answers(client)) < MANY - 1:
                        await client.hears()
                    assert on_disk(place) == accepted(client) | {ulid("K", 1)}
                    assert (await process.stopped())[0] == 0


async def test_a_disk_that_may_only_be_read_is_as_one_that_is_full(tmp_path: Path) -> None:
    async with Store.opened(tmp_path / "coordinator.db") as store:
        await store._writer.execute_fetchall("PRAGMA query_only = ON")
        with pytest.raises(StoreFailed, match="read-only"):
            await store.save([SaveJob(job=a_job(1))])
        await store._writer.execute_fetchall("PRAGMA query_only = OFF")
        await store.save([SaveJob(job=a_job(1))])
        assert (await store.restored()).jobs == (a_job(1),)


async def test_when_too_much_had_to_wait_everything_is_said_anew_over_a_new_connection(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk_is_full = False
    save = Store.save

    async def fails(store: Store, batch: "list[SaveJob]") -> None:
        if disk_is_full:
            raise StoreFailed("the disk is full")
        await save(store, batch)

    monkeypatch.setattr(Store, "save", fails)
    monkeypatch.setattr(backlog, "HELD_AT_MOST", 0)
    monkeypatch.setattr(runtime, "TRY_AGAIN", 0.01)
    async with asyncio.TaskGroup() as group:
        group.create_task(runtime.serve(place.home, load(place.config)), name="coordinator")
        await place.is_connected()
        async with speaker(place) as client:
            before = await client.status(is_online)
            disk_is_full = True
            client.bus.post(client.signed(Verb.SUBMIT, submit(ulid("K", 1)), before.life))
            await client.status(is_full)
            disk_is_full = False
            await client.status(lambda status: is_online(status) and status.connection > before.connection)
            assert answers(client) == {}
            assert on_disk(place) == {ulid("K", 1)}
            assert await client.ask(Verb.SUBMIT, submit(ulid("K", 1))) == Accepted(job=ulid("K", 1))
        os.kill(os.getpid(), signal.SIGTERM)

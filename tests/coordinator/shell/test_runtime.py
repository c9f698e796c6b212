"""The coordinator as a process, on a real broker and a real disk."""

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path

import pytest

from coordinator.shell.peers import CLUSTER, PATIENCE, TOPICS, Place, Speaker, a_place, greet, speaker
from coordinator.shell.values import ulid
from ffmesh_coordinator.shell.errands import Add, List, Remove, Rotate, Status
from ffmesh_coordinator.shell.home import Home
from ffmesh_protocol.bus import BrokerAddress, Subscription, connected
from ffmesh_protocol.errors import LoginRefused, RefusalCode
from ffmesh_protocol.keys import broker_password
from ffmesh_protocol.messages.answers import Accepted, AgentList, JobList, Refusal
from ffmesh_protocol.messages.jobs import JobKind, JobState
from ffmesh_protocol.messages.orders import Grants, Offers
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import Claim
from ffmesh_protocol.messages.requests import Cancel, ListAgents, ListJobs, ShowJobs
from ffmesh_protocol.tokens import understood
from ffmesh_protocol.topics import Verb
from support.coordinating import submit


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place, None]:
    async with a_place(tmp_path / "größer, mit Leerzeichen" / ("x" * 100)) as place:
        yield place


def is_online(status: CoordinatorStatus) -> bool:
    return status.state is CoordinatorState.ONLINE


def is_offline(status: CoordinatorStatus) -> bool:
    return status.state is CoordinatorState.OFFLINE


# Coming and going


async def test_a_coordinator_comes_says_so_and_goes(place: Place) -> None:
    with place.coordinator() as process:
        standing = await place.is_connected()
        assert (standing["cluster"], standing["pid"], standing["connected"]) == (CLUSTER, process.pid, True)
        async with speaker(place) as client:
            online = await client.status(is_online)
            assert (online.life, online.connection) == (standing["life"], 1)
            code, said = await process.stopped()
            assert (await client.status(is_offline)).life == online.life
    assert code == 0
    assert "Traceback" not in said
    assert "connected to the broker" in said
    assert not (place.run / "coordinator.sock").exists()
    assert not (place.home / "coordinator.db-wal").exists(), "the database was closed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_at_once_also_when_there_is_no_broker(place: Place, number: int) -> None:
    await place.broker.stop()
    with place.coordinator() as process:
        assert not (await place.asked(Status()))["connected"]
        assert (await process.stopped(number))[0] == 0


async def test_the_death_of_a_coordinator_is_known_and_its_home_is_used_again(place: Place) -> None:
    lives: set[str] = set()
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            lives.add((await client.status(is_online)).life)
            await process.stopped(signal.SIGKILL)
            await client.status(is_offline)
            with place.coordinator():
                lives.add((await client.status(is_online)).life)
                assert (await place.asked(List()))["ok"]
    assert len(lives) == 2


async def test_a_second_coordinator_of_one_home_names_the_first_and_exits_with_2(place: Place) -> None:
    with place.coordinator() as first:
        await place.is_connected()
        with place.coordinator() as second:
            code, said = await second.ended()
        assert code == 2
        assert f"process {first.pid}" in said.splitlines()[-1]
        assert "Traceback" not in said
        assert (await place.asked(Status()))["pid"] == first.pid


async def test_a_coordinator_in_a_copy_of_the_home_finds_the_first_at_work_and_stays_down(
    place: Place, tmp_path: Path
) -> None:
    with place.coordinator():
        life = (await place.is_connected())["life"]
        await place.asked(Status())
        copy = copied(place, tmp_path / "copy")
        with copy.coordinator() as second:
            code, said = await second.ended()
        assert code == 78
        assert f"another coordinator of this cluster is at work (life {life})" in said.splitlines()[-1]
        assert "Traceback" not in said
        async with speaker(place) as client:
            assert (await client.status(is_online)).life == life, "the first has never been contradicted"


async def test_a_coordinator_that_waits_for_a_sign_of_another_begins_when_that_one_dies(
    place: Place, tmp_path: Path
) -> None:
    with place.coordinator() as first:
        await place.is_connected()
        copy = copied(place, tmp_path / "copy")
        first.freeze()  # it says nothing more, and its status stays
        with copy.coordinator():
            assert not (await copy.asked(Status()))["connected"]
            await first.stopped(signal.SIGKILL)
            await copy.is_connected()


def copied(place: Place, home: Path) -> Place:
    """As a backup of the whole machine that is started elsewhere: the same keys, another folder."""
    home.mkdir()
    with sqlite3.connect(place.home / "coordinator.db") as ours, sqlite3.connect(home / "coordinator.db") as theirs:
        ours.backup(theirs)
    for file in place.home.iterdir():
        if file.is_file() and not file.name.startswith("coordinator.db"):
            shutil.copy2(file, home)
    copy = Place(home, place.broker)
    copy.run.mkdir()
    copy.note_broker()
    return copy


# The broker


async def test_a_broker_that_comes_back_empty_hears_everything_again(place: Place) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            life = (await client.status(is_online)).life
        await place.broker.restart()
        place.note_broker()
        async with speaker(place) as client:
            again = await client.status(is_online)
            assert again.life == life
            assert again.connection > 1
            assert isinstance(await client.ask(Verb.JOBS, ListJobs()), JobList)
        assert process.is_alive


async def test_a_broker_that_comes_later_is_found(place: Place) -> None:
    await place.broker.stop()
    with place.coordinator():
        await place.asked(Status())
        await place.broker.start()
        await place.is_connected()


# Jobs


async def test_what_was_accepted_survives_the_death_of_the_coordinator(place: Place) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            job = submit(ulid("J", 1))
            assert await client.ask(Verb.SUBMIT, job) == Accepted(job=job.job)
            await process.stopped(signal.SIGKILL)
            await client.status(is_offline)
            with place.coordinator():
                await client.status(is_online)
                answer = await client.ask(Verb.JOB, ShowJobs(jobs=(job.job, ulid("N", 1))))
                assert isinstance(answer, JobList)
                (view,) = answer.jobs
                assert (view.id, view.state, view.owner) == (job.job, JobState.QUEUED, "tv")
                assert answer.unknown == (ulid("N", 1),)
                assert await client.ask(Verb.SUBMIT, job) == Accepted(job=job.job), "the same job, once more"
                answer = await client.ask(Verb.JOBS, ListJobs())
                assert isinstance(answer, JobList)
                assert len(answer.jobs) == 1


async def test_an_offer_does_not_wait_for_the_disk_and_all_else_does(place: Place) -> None:
    """Somebody else holds the database: nothing can be written for as long as that."""
    with place.coordinator():
        await place.is_connected()
        async with speaker(place, "pi", "agent") as pi, speaker(place) as client:
            life = await greet(pi)
            await client.status(is_online)
            with closing(sqlite3.connect(Home(place.home).database, isolation_level=None)) as somebody:
                somebody.execute("BEGIN IMMEDIATE")
                client.bus.post(client.signed(Verb.SUBMIT, job := submit(ulid("J", 1)), life))
                (offer,) = (await pi.told(Verb.OFFER, Offers)).offers
                pi.bus.post(pi.signed(Verb.CLAIM, Claim(attempts=(offer.attempt,)), life))
                somebody.execute("ROLLBACK")
            assert await client.told(Verb.ANSWER, Accepted) == Accepted(job=job.job)
            assert (await pi.told(Verb.GRANT, Grants)).grants[0].attempt == offer.attempt


async def test_a_job_that_ended_before_a_restart_is_still_known_to_who_speaks_of_it(place: Place) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            job = submit(ulid("J", 1))
            await client.ask(Verb.SUBMIT, job)
            await client.ask(Verb.CANCEL, Cancel(job=job.job))
            await process.stopped()
            await client.status(is_offline)
            with place.coordinator():
                answer = await client.ask(Verb.CANCEL, Cancel(job=job.job))
                assert isinstance(answer, JobList)
                assert answer.jobs[0].state is JobState.CANCELLED
                found = await client.ask(Verb.JOBS, ListJobs(states=(JobState.CANCELLED,)))
                assert isinstance(found, JobList)
                assert found.jobs == answer.jobs


async def test_many_submits_at_once_are_all_accepted_and_listed_in_pages(place: Place) -> None:
    with place.coordinator():
        await place.is_connected()
        async with speaker(place) as client:
            life = (await client.status(is_online)).life
            for number in range(1, 600):
                client.bus.post(client.signed(Verb.SUBMIT, submit(ulid("J", number)), life))
            assert isinstance(await client.ask(Verb.SUBMIT, submit(ulid("J", 600))), Accepted)
            found: list[str] = []
            cursor: str | None = None
            while not found or cursor is not None:
                page = await client.ask(Verb.JOBS, ListJobs(limit=500, cursor=cursor))
                assert isinstance(page, JobList)
                found += [view.id for view in page.jobs]
                cursor = page.cursor
            assert found == [ulid("J", number) for number in range(600, 0, -1)]


async def test_what_ended_long_ago_is_forgotten(place: Place) -> None:
    ids = [ulid("J", number) for number in range(1, 4)]
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            for job in ids:
                await client.ask(Verb.SUBMIT, submit(job))
                await client.ask(Verb.CANCEL, Cancel(job=job))
            await client.ask(Verb.SUBMIT, submit(ulid("J", 4)))
            await process.stopped()
    place.config.write_text("keep_finished_jobs = 1\n" + place.config.read_text())
    with place.coordinator():
        await place.is_connected()
        async with speaker(place) as client, asyncio.timeout(PATIENCE):
            while len(found := await listed(client)) > 2:
                pass
            assert found == [ulid("J", 4), ulid("J", 3)]
            answer = await client.ask(Verb.CANCEL, Cancel(job=ids[0]))
            assert isinstance(answer, Refusal)
            assert answer.code is RefusalCode.UNKNOWN_JOB


async def listed(client: Speaker) -> list[str]:
    page = await client.ask(Verb.JOBS, ListJobs(limit=500))
    assert isinstance(page, JobList)
    return [view.id for view in page.jobs]


# Who may take part


async def test_who_is_added_may_come_and_who_is_removed_is_gone_at_once(place: Place) -> None:
    with place.coordinator():
        await place.is_connected()
        async with speaker(place, "tv") as tv, speaker(place, "radio") as radio:
            assert await tv.ask(Verb.AGENTS, ListAgents()) == AgentList(agents=())
            assert (await place.asked(Remove(name="tv")))["ok"]
            await tv.is_cut_off()
            address = BrokerAddress(
                host=place.broker.host,
                port=place.broker.port,
                username=tv.principal.login,
                password=broker_password(tv.secret, CLUSTER, tv.principal),
            )
            with pytest.raises(LoginRefused):
                async with connected(address, client_id="clients/tv/again"):
                    pass
            assert await radio.ask(Verb.AGENTS, ListAgents()) == AgentList(agents=())


async def test_who_is_rotated_is_cut_off_and_comes_back_with_the_new_secret(place: Place) -> None:
    with place.coordinator():
        await place.is_connected()
        async with speaker(place, "tv") as tv:
            await tv.ask(Verb.SUBMIT, submit(ulid("J", 1), kind=JobKind.INTERACTIVE))
            rotated = await place.asked(Rotate(name="tv"))
            assert (rotated["ok"], rotated["principal"]["kid"], rotated["warning"]) == (True, 2, None)
            await tv.is_cut_off()
        token = understood(rotated["principal"]["token"])
        address = BrokerAddress(
            host=place.broker.host,
            port=place.broker.port,
            username=tv.principal.login,
            password=broker_password(token.secret, CLUSTER, tv.principal),
        )
        async with connected(address, client_id="clients/tv/again"):
            pass
        async with speaker(place, "radio") as radio:
            page = await radio.ask(Verb.JOBS, ListJobs())
            assert isinstance(page, JobList)
            assert [view.state for view in page.jobs] == [JobState.CANCELLED]


async def test_what_is_signed_with_the_old_secret_over_a_login_that_still_stands_is_nobodys(place: Place) -> None:
    with place.coordinator():
        await place.is_connected()
        async with speaker(place, "tv") as tv, speaker(place, "radio") as radio:
            await tv.ask(Verb.SUBMIT, submit(ulid("J", 1)))
            (place.run / "broker.pid").unlink()
            assert (await place.asked(Rotate(name="tv")))["ok"]
            life = (await tv.status(is_online)).life
            tv.bus.post(tv.signed(Verb.SUBMIT, submit(ulid("J", 2)), life))
            await tv.bus.room(0)
            page = await radio.ask(Verb.JOBS, ListJobs())
            assert isinstance(page, JobList)
            assert [view.id for view in page.jobs] == [ulid("J", 1)]


async def test_what_a_removed_client_says_over_a_login_that_still_stands_is_nobodys(place: Place) -> None:
    """The broker could not be told: its pid file is gone. The keyring is what counts."""
    with place.coordinator():
        await place.is_connected()
        async with speaker(place, "tv") as tv, speaker(place, "radio") as radio:
            await tv.ask(Verb.SUBMIT, submit(ulid("J", 1)))
            (place.run / "broker.pid").unlink()
            assert (await place.asked(Remove(name="tv")))["ok"]
            life = (await tv.status(is_online)).life
            tv.bus.post(tv.signed(Verb.SUBMIT, submit(ulid("J", 2)), life))
            await tv.bus.room(0)
            page = await radio.ask(Verb.JOBS, ListJobs())
            assert isinstance(page, JobList)
            assert [view.id for view in page.jobs] == [ulid("J", 1)]


async def test_who_was_removed_while_there_was_no_coordinator_is_no_longer_waited_for(place: Place) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place, "tv") as tv:
            await tv.ask(Verb.SUBMIT, submit(ulid("J", 1), kind=JobKind.INTERACTIVE))
            await tv.ask(Verb.SUBMIT, submit(ulid("J", 2), kind=JobKind.DIRECT))
        await process.stopped(signal.SIGKILL)
    assert (await principal(place, "remove", "tv")).returncode == 0
    with place.coordinator():
        await place.is_connected()
        async with speaker(place, "radio") as radio:
            page = await radio.ask(Verb.JOBS, ListJobs())
            assert isinstance(page, JobList)
            assert {view.id: view.state for view in page.jobs} == {
                ulid("J", 1): JobState.CANCELLED,
                ulid("J", 2): JobState.QUEUED,
            }


async def principal(place: Place, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "ffmesh_coordinator", "principal", *arguments, "--home", str(place.home)]
    return await asyncio.to_thread(
        lambda: subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    )


async def test_the_commands_speak_to_the_coordinator_that_runs(place: Place) -> None:
    with place.coordinator() as process:
        await place.is_connected()
        added = await principal(place, "add", "ha", "--role", "watcher", "--json")
        assert (added.returncode, added.stderr) == (0, "")
        login = json.loads(added.stdout)
        address = BrokerAddress(
            host=login["host"], port=login["port"], username=login["username"], password=login["password"]
        )
        wanted = [Subscription(topic=TOPICS.coordinator_status())]
        async with connected(address, client_id="watchers/ha/x", subscriptions=wanted) as bus:
            (packet,) = await bus.received()
            assert json.loads(packet.payload)["state"] == "online"
        listed = json.loads((await principal(place, "list", "--json")).stdout)
        assert [each["name"] for each in listed] == ["ha"]
        twice = await principal(place, "add", "ha", "--role", "agent")
        assert (twice.returncode, twice.stderr.count("\n")) == (1, 1)
        assert (await principal(place, "add", "Ha", "--role", "agent")).returncode == 2
        assert (await principal(place, "remove", "ha")).returncode == 0
        assert (await principal(place, "remove", "ha")).returncode == 1
        assert process.is_alive


async def test_a_broker_that_may_not_be_told_is_a_warning_and_not_a_failure(place: Place) -> None:
    with place.coordinator():
        await place.is_connected()
        passwords = place.home / "broker" / "passwords"
        passwords.unlink()
        passwords.mkdir()
        answer = await place.asked(Add(name="pi", role="agent"))
        assert answer["ok"]
        assert str(passwords) in answer["warning"]


async def test_a_refusal_is_signed_and_answered_as_everything_else(place: Place) -> None:
    with place.coordinator():
        await place.is_connected()
        async with speaker(place) as client:
            assert isinstance(await client.ask(Verb.JOBS, ListJobs(cursor="nonsense")), Refusal)

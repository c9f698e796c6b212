"""A backup is of one moment, whoever writes meanwhile; after a restore nothing that may have run runs again unasked."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from coordinator.shell.peers import Place, Running, a_place, speaker
from coordinator.shell.values import a_job, an_attempt, ended, ulid
from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.effects import SaveAgent, SaveJob, Tell
from ffmesh_coordinator.core.events import AdvertSeen, AgentSpoke, AgentWord, Connected, KnownAgent
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.keyring import FIRST_KID, Keyring
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.moment import Now
from ffmesh_coordinator.shell.backup import backed_up, given_up, returned
from ffmesh_coordinator.shell.errors import BackupRefused, HomeInUse, KeyUnusable, StoreFailed, StoreUnusable
from ffmesh_coordinator.shell.home import SERVICE, Home
from ffmesh_coordinator.shell.store import Enrolled, JobFilter, Store
from ffmesh_coordinator.shell.vault import Vault, made_master_key
from ffmesh_coordinator.sql import MIGRATIONS
from ffmesh_protocol.messages.answers import Accepted, JobList, Refusal
from ffmesh_protocol.messages.jobs import AttemptState, JobState
from ffmesh_protocol.messages.orders import Cancels, Offers, Settled
from ffmesh_protocol.messages.reports import Held, HeldPhase, Hello, Results
from ffmesh_protocol.messages.requests import Cancel, ListJobs
from ffmesh_protocol.names import agent
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.topics import Verb
from support.coordinating import advert, result, submit
from support.told import values

TESTS = Path(__file__).parents[2]
PI = agent("pi")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = tmp_path / "a home, größer? #1 %20"
    folder.mkdir()
    return Home(folder)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "back up?.db"


async def holds(home: Home, *jobs: Job) -> None:
    async with Store.opened(home.database) as store:
        await store.save(SaveJob(job=job) for job in jobs)


async def jobs_of(path: Path) -> list[Job]:
    async with Store.opened(path, may_make=False) as store:
        rows = await store.page(JobFilter(), before=2**62, limit=100_000)
    return rows[::-1]


async def enrolled(home: Home) -> None:
    vault = Vault(made_master_key(home.master_key))
    async with Store.opened(home.database) as store:
        await store.add_principals(
            [Enrolled(principal=PI, kid=1, sealed_secret=vault.sealed(PI, 1, b"x" * 32), created_at=1.0)]
        )


def files(home: Home) -> set[str]:
    return {path.name for path in home.folder.iterdir()}


# Backup


async def test_a_backup_is_one_private_file_with_everything(home: Home, file: Path) -> None:
    await enrolled(home)
    await holds(home, a_job(1), ended(2), ended(3))
    kept = backed_up(home, file, force=False)
    assert (kept.jobs, kept.open_jobs, kept.principals) == (3, 1, 1)
    assert (kept.file, kept.bytes, kept.keep_too) == (str(file), file.stat().st_size, str(home.master_key))
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == [file.name]
    assert await jobs_of(file) == [a_job(1), ended(2), ended(3)]


def test_a_backup_of_a_coordinator_that_writes_is_of_one_moment(home: Home, file: Path) -> None:
    writing = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("writer.py"), home.database],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    assert writing.stdout is not None
    try:
        with writing.stdout:
            for _ in range(5):
                said = [int(writing.stdout.readline()) for _ in range(20)]
                backed_up(home, file, force=True)
                with closing(sqlite3.connect(file)) as database:
                    (jobs,) = database.execute("SELECT count(*) FROM whole_jobs").fetchone()
                    (last,) = database.execute("SELECT max(sequence) FROM jobs").fetchone()
                    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert jobs == last >= said[-1]
            assert writing.poll() is None, "it was not disturbed"
    finally:
        writing.kill()
        writing.wait()


async def test_what_only_the_log_beside_the_database_has_is_in_the_backup(home: Home, file: Path) -> None:
    async with Store.opened(home.database) as store:
        await store.save([SaveJob(job=a_job(1))])
        assert home.database_files()[1].stat().st_size > 0
        assert backed_up(home, file, force=False).jobs == 1


async def test_a_file_that_is_there_is_replaced_only_by_force(home: Home, file: Path) -> None:
    await holds(home, a_job(1))
    file.write_text("something else")
    with pytest.raises(BackupRefused, match="--force"):
        backed_up(home, file, force=False)
    assert file.read_text() == "something else"
    backed_up(home, file, force=True)
    assert await jobs_of(file) == [a_job(1)]


@pytest.mark.parametrize("number", [0, 1])
async def test_the_database_is_no_place_for_its_backup(home: Home, tmp_path: Path, number: int) -> None:
    async with Store.opened(home.database) as store:
        await store.save([SaveJob(job=a_job(1))])
        own = home.database_files()[number]
        (tmp_path / "link").symlink_to(own)
        for name in (own, tmp_path / "link"):
            with pytest.raises(BackupRefused, match="own database"):
                backed_up(home, name, force=True)
    assert await jobs_of(home.database) == [a_job(1)]


async def test_a_backup_that_cannot_be_made_leaves_nothing_behind(home: Home, file: Path) -> None:
    with pytest.raises(StoreUnusable, match="not there"):
        backed_up(home, file, force=False)
    await holds(home, *(a_job(number) for number in range(1, 400)))
    with pytest.raises(StoreFailed, match="No such file"):
        backed_up(home, file.parent / "nowhere" / "x.db", force=False)
    with home.database.open("r+b") as database:
        database.seek(home.database.stat().st_size // 2)
        database.write(os.urandom(100_000))
    with pytest.raises(StoreUnusable, match="damaged"):
        backed_up(home, file, force=False)
    home.database.unlink()
    home.database.touch()
    with pytest.raises(StoreUnusable, match="no database of a coordinator"):
        backed_up(home, file, force=False)
    assert [path for path in file.parent.iterdir() if path.is_file()] == []


# Restore


async def test_what_was_open_in_the_backup_is_failed_and_what_had_ended_stays(home: Home, file: Path) -> None:
    running = a_job(
        2, phase=Phase.RUNNING, attempts=(an_attempt(1, state=AttemptState.LOST, reason="x"), an_attempt(2))
    )
    cancelling = a_job(4, phase=Phase.GRANTED, cancel=Stopped.CANCEL, attempts=(an_attempt(3),))
    await holds(home, a_job(1), running, ended(3), cancelling)
    backed_up(home, file, force=False)
    await holds(home, ended(1), a_job(5))
    back = await returned(home, file)
    assert (back.jobs, set(back.failed)) == (4, {a_job(1).id, running.id, cancelling.id})
    first, second, third, fourth = await jobs_of(home.database)
    assert third == ended(3)
    for job in (first, second, fourth):
        assert (job.phase, job.reason_code, job.permanent) == (Phase.FAILED, ReasonCode.RESTORED, True)
        assert "ffmesh retry" in (job.reason or "")
        assert job.ended_at is not None
    assert [each.state for each in second.attempts] == [AttemptState.LOST, AttemptState.LOST]
    assert [each.reason for each in second.attempts] == ["x", second.reason]


async def test_the_database_of_before_is_set_aside_whole(home: Home, file: Path) -> None:
    await holds(home, a_job(1))
    backed_up(home, file, force=False)
    await holds(home, ended(1), ended(2))
    before = [await returned(home, file), await returned(home, file)]
    aside = [Path(back.set_aside or "") for back in before]
    assert await jobs_of(aside[0]) == [ended(1), ended(2)]
    assert [job.phase for job in await jobs_of(aside[1])] == [Phase.FAILED]
    assert all(path.name.startswith("coordinator.db.before-restore-2") for path in aside)


async def test_a_backup_comes_back_into_a_home_that_has_nothing_but_its_key(home: Home, file: Path) -> None:
    await enrolled(home)
    async with Store.opened(home.database) as store:
        await store.save([SaveAgent(agent=KnownAgent(name="pi", draining=True))])
    backed_up(home, file, force=False)
    key = home.master_key.read_bytes()
    for path in home.folder.iterdir():
        path.unlink()
    with pytest.raises(KeyUnusable, match="missing"):
        await returned(home, file)
    assert files(home) == {"coordinator.lock"}
    home.master_key.write_bytes(key)
    home.master_key.chmod(0o600)
    back = await returned(home, file)
    assert (back.set_aside, back.failed) == (None, ())
    assert files(home) == {"coordinator.lock", "coordinator.db", "master.key"}
    assert home.database.stat().st_mode & 0o777 == 0o600
    async with Store.opened(home.database, may_make=False) as store:
        assert [each.principal for each in await store.principals()] == [PI]
        assert (await store.restored()).agents == (KnownAgent(name="pi", draining=True),)


async def test_what_lay_beside_a_lost_database_does_not_get_into_the_restored_one(home: Home, file: Path) -> None:
    await holds(home, a_job(1))
    backed_up(home, file, force=False)
    async with Store.opened(home.database) as store:
        await store.save([SaveJob(job=ended(2))])
        wal = home.database_files()[1].read_bytes()
    home.database.unlink()
    home.database_files()[1].write_bytes(wal)
    await returned(home, file)
    assert [job.id for job in await jobs_of(home.database)] == [a_job(1).id]


async def test_nothing_is_restored_that_does_not_fit_and_nothing_is_changed(home: Home, file: Path) -> None:
    await enrolled(home)
    await holds(home, a_job(1))
    before = home.database.read_bytes()
    there = files(home) | {"coordinator.lock"}

    async def refused(match: str, error: type[Exception] = StoreUnusable) -> None:
        with pytest.raises(error, match=match):
            await returned(home, file)
        assert home.database.read_bytes() == before
        assert files(home) == there

    await refused("not there")
    file.write_bytes(b"no database\n" * 1000)
    await refused("damaged")
    backed_up(home, file, force=True)
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    await refused("newer")
    backed_up(home, file, force=True)
    with file.open("r+b") as backup:
        backup.seek(file.stat().st_size // 2)
        backup.write(os.urandom(30_000))
    await refused("damaged")
    backed_up(home, file, force=True)
    home.master_key.unlink()
    made_master_key(home.master_key)
    await refused("do not belong together", KeyUnusable)
    with Home(home.folder).locked(SERVICE):
        await refused(f"process {os.getpid()}", HomeInUse)


async def test_a_restore_that_ends_halfway_can_be_done_again(
    home: Home, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrolled(home)
    await holds(home, ended(1))
    backed_up(home, file, force=False)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(StoreFailed, match="No space"):
            await returned(home, file)
    with pytest.raises(StoreUnusable, match="gone"):
        async with Store.opened(home.database, may_make=not home.master_key.exists()):
            pass
    await returned(home, file)
    assert await jobs_of(home.database) == [ended(1)]


@given(values(Job))
def test_whatever_became_of_it_a_job_that_was_given_up_has_ended(open_job: Job) -> None:
    job = given_up(open_job, 5.0)
    assert job.has_ended
    assert job.attempt is None
    assert not any(attempt.state in {AttemptState.GRANTED, AttemptState.RUNNING} for attempt in job.attempts)


async def test_an_agent_that_still_runs_something_of_before_is_told_to_stop_and_its_results_are_settled(
    home: Home, file: Path
) -> None:
    """Nothing that was open is offered, whoever has room."""
    running = a_job(2, phase=Phase.RUNNING, attempts=(an_attempt(1),))
    await holds(home, a_job(1), running)
    backed_up(home, file, force=False)
    await holds(home, a_job(3))
    await returned(home, file)

    keyring = Keyring("home", lambda: bytes(12))
    keyring.add(PI, FIRST_KID, bytes(32))
    core = Coordinator(cluster="home", life=ulid("C", 1), keyring=keyring, ids=lambda: ulid("A", 99))
    async with Store.opened(home.database) as store:
        core.handle(await store.restored(), NOW)
    core.handle(Connected(connection=1), NOW)
    core.handle(AdvertSeen(agent="pi", advert=advert(LIFE, 9)), NOW)
    known = Held(attempt=ulid("A", 1), job=running.id, phase=HeldPhase.RUNNING)
    unknown = Held(attempt=ulid("A", 7), job=ulid("J", 3), phase=HeldPhase.RUNNING)
    done = Held(attempt=ulid("A", 8), job=ulid("J", 1), phase=HeldPhase.ENDED)
    hello = Hello(beat=1, boot="b", spool="s", version="1", features=(), heard=0, held=(known, unknown, done))
    said = told(core, hello)
    stops = {stop.attempt for message in said if isinstance(message, Cancels) for stop in message.stops}
    assert stops == {known.attempt, unknown.attempt}
    assert not any(isinstance(message, Offers) for message in said)
    said += told(core, Results(results=(result(known.attempt, job=running.id), result(done.attempt))))
    settled = {each for message in said if isinstance(message, Settled) for each in message.attempts}
    assert settled == {known.attempt, done.attempt}
    assert not any(isinstance(message, Offers) for message in said)


NOW = Now(elapsed=1.0, utc=1.0)
LIFE = ulid("P", 1)


def told(core: Coordinator, word: AgentWord) -> list[object]:
    effects = core.handle(AgentSpoke(agent="pi", life=LIFE, word=word), NOW)
    return [effect.message for effect in effects if isinstance(effect, Tell)]


# As a person does it


async def command(place: Place, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "ffmesh_coordinator", *arguments, "--home", str(place.home)]
    done = await asyncio.to_thread(
        lambda: subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    )
    assert "Traceback" not in done.stderr
    return done


async def test_a_backup_of_a_coordinator_that_runs_comes_back_and_runs_nothing_twice(
    tmp_path: Path, file: Path
) -> None:
    async with a_place(tmp_path / "home") as place:
        with place.coordinator() as process:
            await place.is_connected()
            async with speaker(place) as client:
                for number in (1, 2):
                    job = submit(ulid("J", number))
                    assert await client.ask(Verb.SUBMIT, job) == Accepted(job=job.job)
                done = await command(place, "backup", file)
                assert (done.returncode, done.stderr) == (0, "")
                assert "2 jobs (2 of them open)" in done.stdout
                assert str(place.home / "master.key") in done.stdout
                assert (await command(place, "backup", file)).returncode == 1
                kept = json.loads((await command(place, "backup", file, "--force", "--json")).stdout)
                assert (kept["jobs"], kept["open_jobs"]) == (2, 2)
                await client.ask(Verb.CANCEL, Cancel(job=ulid("J", 1)))
                await client.ask(Verb.SUBMIT, submit(ulid("J", 3)))
                await refuses_while_it_runs(place, file, process)
                await process.stopped()
        done = await command(place, "restore", file)
        assert (done.returncode, done.stderr) == (0, "")
        assert "2 of them were open" in done.stdout
        assert "before-restore" in done.stdout
        with place.coordinator():
            await place.is_connected()
            async with speaker(place) as client:
                page = await client.ask(Verb.JOBS, ListJobs())
                assert isinstance(page, JobList)
                assert {view.id: (view.state, view.reason_code) for view in page.jobs} == {
                    ulid("J", number): (JobState.FAILED, ReasonCode.RESTORED) for number in (1, 2)
                }
                assert isinstance(await client.ask(Verb.CANCEL, Cancel(job=ulid("J", 3))), Refusal)


async def refuses_while_it_runs(place: Place, file: Path, process: Running) -> None:
    done = await command(place, "restore", file)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"process {process.pid}" in done.stderr
    assert process.is_alive

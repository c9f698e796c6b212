# pyright: reportPrivateUsage=false
"""What `save` has returned from is on the disk and comes back as it was; a database that is not well is not touched."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.shell.values import a_job, an_attempt, ended, ulid
from ffmesh_coordinator.core.effects import ForgetAgent, SaveAgent, SaveJob
from ffmesh_coordinator.core.events import KnownAgent
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.packed import PackedSubmit
from ffmesh_coordinator.shell.errors import StoreFailed, StoreUnusable
from ffmesh_coordinator.shell.store import Enrolled, JobFilter, Store
from ffmesh_coordinator.sql import MIGRATIONS
from ffmesh_protocol.messages.jobs import AttemptState
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import agent
from ffmesh_protocol.reasons import ReasonCode, Stopped
from support.coordinating import advert
from support.told import values

NEWEST = 2**63 - 1
TESTS = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "coordinator.db"


@pytest.fixture
async def store(path: Path) -> AsyncGenerator[Store, None]:
    async with Store.opened(path) as store:
        yield store


async def saved(store: Store, *jobs: Job) -> None:
    await store.save([SaveJob(job=job) for job in jobs])


async def sequences(store: Store, wanted: JobFilter, *, before: int = NEWEST, limit: int = 100) -> list[int]:
    return [job.sequence for job in await store.page(wanted, before=before, limit=limit)]


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as database:
        rows = database.execute(sql).fetchall()
    database.close()
    return rows


# What comes back


def jobs_of_any_kind() -> st.SearchStrategy[Job]:
    """Of all that the core could ask to save: at most one attempt holds the grant."""

    def possible(job: Job, submit: Submit) -> Job:
        lost = AttemptState.LOST
        attempts = tuple(
            msgspec.structs.replace(attempt, id=ulid("A", number), number=number, state=lost)
            for number, attempt in enumerate(job.attempts, start=1)
        )
        asked = PackedSubmit.of(msgspec.structs.replace(submit, job=ulid("J", 1)))
        return msgspec.structs.replace(job, asked=asked, sequence=1, attempts=attempts)

    return st.builds(possible, values(Job), values(Submit))


@settings(max_examples=40, deadline=None)
@given(jobs_of_any_kind())
def test_every_field_of_every_job_comes_back_as_it_was(job: Job) -> None:
    async def there_and_back(path: Path) -> None:
        async with Store.opened(path) as store:
            await saved(store, job)
        async with Store.opened(path) as store:
            assert await store.job(job.id) == job
            restored = await store.restored()
            assert restored.jobs == (() if job.has_ended else (job,))
            assert restored.ended == ({job.id: job.phase} if job.has_ended else {})

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(there_and_back(Path(folder) / "coordinator.db"))


async def test_jobs_are_restored_in_the_order_of_their_acceptance(store: Store) -> None:
    await saved(store, a_job(3), a_job(1), ended(4), a_job(2))
    restored = await store.restored()
    assert [job.sequence for job in restored.jobs] == [1, 2, 3]
    assert restored.ended == {ended(4).id: Phase.SUCCEEDED}
    assert restored.sequence == 4


async def test_an_empty_database_restores_nothing(store: Store) -> None:
    restored = await store.restored()
    assert (restored.jobs, restored.ended, restored.agents, restored.sequence) == ((), {}, (), 0)


async def test_the_last_of_several_saves_of_one_job_counts(store: Store) -> None:
    granted = a_job(1, phase=Phase.GRANTED, attempts=(an_attempt(1),))
    await saved(store, a_job(1), granted, ended(1, attempts=(an_attempt(1, state=AttemptState.SUCCEEDED),)))
    found = await store.job(granted.id)
    assert found is not None
    assert found.phase is Phase.SUCCEEDED
    assert [attempt.state for attempt in found.attempts] == [AttemptState.SUCCEEDED]


async def test_a_job_is_saved_again_at_each_step_of_its_life(store: Store) -> None:
    life = [
        a_job(1),
        a_job(1, phase=Phase.GRANTED, attempts=(an_attempt(1),)),
        a_job(1, phase=Phase.RUNNING, attempts=(an_attempt(1, state=AttemptState.RUNNING, started_at=2.0),)),
        a_job(1, attempts=(an_attempt(1, state=AttemptState.LOST),)),
        a_job(1, phase=Phase.GRANTED, attempts=(an_attempt(1, state=AttemptState.LOST), an_attempt(2))),
        ended(1, attempts=(an_attempt(1, state=AttemptState.LOST), an_attempt(2, state=AttemptState.SUCCEEDED))),
    ]
    for job in life:
        await saved(store, job)
        assert await store.job(job.id) == job


async def test_agents_are_remembered_and_forgotten(store: Store) -> None:
    pi = KnownAgent(name="pi", draining=True, advert=advert(ulid("P", 1)), last_seen_utc=12.5)
    nas = KnownAgent(name="nas", draining=False)
    await store.save([SaveAgent(agent=nas), SaveAgent(agent=pi)])
    assert (await store.restored()).agents == (nas, pi)
    await store.save([SaveAgent(agent=pi), ForgetAgent(name="pi"), ForgetAgent(name="nobody")])
    assert (await store.restored()).agents == (nas,)
    await store.save([ForgetAgent(name="nas"), SaveAgent(agent=nas)])
    assert (await store.restored()).agents == (nas,)


async def test_what_was_asked_for_is_kept_whenever_and_however_often_a_job_is_saved(store: Store, path: Path) -> None:
    late, early = a_job(2), a_job(1)
    await saved(store, late)
    await saved(store, early)
    await saved(store, ended(2))
    await saved(store, ended(2))
    assert await store.jobs([late.id, early.id]) == {late.id: ended(2), early.id: early}
    async with Store.opened(path) as again:
        await saved(again, ended(1))
        assert await again.job(early.id) == ended(1)


async def test_nothing_to_save_is_saved(store: Store) -> None:
    await store.save([])


async def test_only_known_jobs_are_found(store: Store) -> None:
    await saved(store, a_job(1), a_job(2))
    assert set(await store.jobs([ulid("J", 2), ulid("J", 3), "nonsense"])) == {ulid("J", 2)}
    assert await store.job(ulid("J", 9)) is None


async def test_principals_come_back_and_go(store: Store) -> None:
    pi = Enrolled(principal=agent("pi"), kid=3, sealed_secret=b"\0box", created_at=5.5)
    await store.add_principals([pi])
    assert await store.principals() == [pi]
    with pytest.raises(sqlite3.IntegrityError):
        await store.add_principals([Enrolled(principal=agent("nas"), kid=1, sealed_secret=b"", created_at=1), pi])
    assert await store.principals() == [pi], "all of them or none"
    rotated = Enrolled(principal=agent("pi"), kid=4, sealed_secret=b"other", created_at=5.5)
    await store.rotate_principal(rotated)
    assert await store.principals() == [rotated]
    await store.remove_principal("pi")
    assert await store.principals() == []


async def test_who_fell_with_a_job_is_found_through_all_that_fell_between(store: Store) -> None:
    fell, cancelled, failed = ReasonCode.PARENT_FAILED, ReasonCode.PARENT_CANCELLED, Phase.FAILED

    def after(number: int, *parents: int, reason_code: ReasonCode | None = fell, phase: Phase = failed) -> Job:
        job = ended(number, phase, reason_code=reason_code)
        asked = msgspec.structs.replace(job.asked.whole, after=tuple(ulid("J", parent) for parent in parents))
        return msgspec.structs.replace(job, asked=PackedSubmit.of(asked))

    await saved(
        store,
        ended(1, failed, reason_code=ReasonCode.EXITED),
        after(2, 1),
        after(3, 9, 2, reason_code=cancelled, phase=Phase.CANCELLED),
        after(4, 3),
        after(5, 1, reason_code=ReasonCode.CANCELLED, phase=Phase.CANCELLED),
        after(6, 5),
        after(7, 8),
        ended(8, failed, reason_code=fell),
    )
    assert [job.sequence for job in await store.followers(ulid("J", 1))] == [2, 3, 4]
    assert [job.sequence for job in await store.followers(ulid("J", 3))] == [4]
    assert await store.followers(ulid("J", 4)) == ()


# Pages


async def test_a_page_is_newest_first_and_goes_on_where_the_last_one_ended(store: Store) -> None:
    await saved(store, *(a_job(number) for number in range(1, 8)))
    assert await sequences(store, JobFilter(), limit=3) == [7, 6, 5]
    assert await sequences(store, JobFilter(), before=5, limit=3) == [4, 3, 2]
    assert await sequences(store, JobFilter(), before=2, limit=3) == [1]
    assert await sequences(store, JobFilter(), before=1, limit=3) == []


async def test_a_page_has_the_phases_and_the_cancelled_that_were_asked_for(store: Store) -> None:
    cancelling = a_job(3, phase=Phase.RUNNING, cancel=Stopped.CANCEL, attempts=(an_attempt(3),))
    stopped = ended(5, Phase.CANCELLED, cancel=Stopped.CANCEL)
    await saved(store, a_job(1), a_job(2, phase=Phase.RUNNING), cancelling, ended(4, Phase.FAILED), stopped)
    assert await sequences(store, JobFilter(phases=frozenset({Phase.RUNNING}))) == [2]
    assert await sequences(store, JobFilter(phases=frozenset(), cancelling=True)) == [3]
    assert await sequences(store, JobFilter(phases=frozenset({Phase.RUNNING}), cancelling=True)) == [3, 2]
    assert await sequences(store, JobFilter(phases=frozenset({Phase.CANCELLED, Phase.FAILED}))) == [5, 4]
    assert await sequences(store, JobFilter(phases=frozenset())) == []
    assert await sequences(store, JobFilter()) == [5, 4, 3, 2, 1]


async def test_a_page_has_the_jobs_with_all_of_the_labels(store: Store) -> None:
    odd = {'a "b" \\ c.d[0]': "$x'; DROP TABLE jobs", "grüße": "ß"}
    await saved(store, a_job(1, labels={}), a_job(2, labels={"a": "1"}), a_job(3, labels={"a": "1", "b": "2"}))
    await saved(store, a_job(4, labels=odd), a_job(5, labels={"a": "2"}))
    assert await sequences(store, JobFilter(labels={"a": "1"})) == [3, 2]
    assert await sequences(store, JobFilter(labels={"a": "1", "b": "2"})) == [3]
    assert await sequences(store, JobFilter(labels=odd)) == [4]
    assert await sequences(store, JobFilter(labels={"b": ""})) == []


# What is forgotten


async def pruned(store: Store, *, before: float = 0.0, keep: int = 1000, spare: set[str] | None = None) -> list[str]:
    """The end of a job of `values.ended` is 3000 and its sequence."""
    return await store.prune(before_utc=before, keep=keep, spare=frozenset(spare or ()))


async def test_ended_jobs_are_forgotten_by_age_and_by_count(store: Store) -> None:
    await saved(store, *(ended(number) for number in range(1, 11)))
    assert await pruned(store) == []
    assert await pruned(store, before=3003.0) == [ulid("J", 1), ulid("J", 2)]
    assert await pruned(store, keep=6) == [ulid("J", 3), ulid("J", 4)]
    assert await sequences(store, JobFilter()) == [10, 9, 8, 7, 6, 5]
    assert len(await pruned(store, keep=0)) == 6
    assert (await store.restored()).ended == {}


async def test_who_ended_last_is_kept_whoever_was_accepted_first(store: Store) -> None:
    await saved(store, ended(1), ended(2), msgspec.structs.replace(ended(3), ended_at=5.0))
    assert await pruned(store, keep=2) == [ulid("J", 3)]


async def test_an_open_job_is_never_forgotten(store: Store) -> None:
    await saved(store, a_job(1), a_job(2, phase=Phase.RUNNING, attempts=(an_attempt(1),)), ended(3))
    assert await pruned(store, before=9e9, keep=0) == [ulid("J", 3)]
    assert await sequences(store, JobFilter()) == [2, 1]


async def test_the_spared_are_kept_and_do_not_count(store: Store) -> None:
    await saved(store, *(ended(number) for number in range(1, 5)))
    assert await pruned(store, before=9e9, keep=2, spare={ulid("J", 1), ulid("J", 9)}) == [
        ulid("J", number) for number in (2, 3, 4)
    ]
    await saved(store, *(ended(number) for number in range(2, 5)))
    assert await pruned(store, keep=2, spare={ulid("J", 1)}) == [ulid("J", 2)]


async def test_nothing_of_a_forgotten_job_stays_and_its_id_may_be_saved_again(store: Store, path: Path) -> None:
    job = ended(1, attempts=(an_attempt(1, state=AttemptState.LOST), an_attempt(2, state=AttemptState.SUCCEEDED)))
    await saved(store, job)
    assert await pruned(store, keep=0) == [job.id]
    for table in ("jobs", "submits", "attempts"):
        assert query(path, f"SELECT count(*) FROM {table}") == [(0,)], table
    await saved(store, job)
    assert await store.job(job.id) == job


async def test_many_are_forgotten_a_part_at_a_time(store: Store) -> None:
    await saved(store, *(ended(number) for number in range(1, 1201)))
    assert [len(await pruned(store, keep=10)) for _ in range(4)] == [500, 500, 190, 0]


# What holds on the disk


async def test_a_second_grant_of_one_job_does_not_get_as_far_as_the_disk(store: Store) -> None:
    await saved(store, a_job(1))
    twice = a_job(1, phase=Phase.GRANTED, attempts=(an_attempt(1), an_attempt(2)))
    with pytest.raises(sqlite3.IntegrityError):
        await saved(store, a_job(2), twice)
    assert await store.job(twice.id) == a_job(1)
    assert await store.job(a_job(2).id) is None, "nothing of the transaction is there"


async def test_a_save_that_fails_leaves_nothing_behind_and_says_so(store: Store, path: Path) -> None:
    await saved(store, a_job(1))
    await store._writer.execute("PRAGMA max_page_count = 1")
    many = [a_job(number, labels={"x": "y" * 500}) for number in range(2, 200)]
    with pytest.raises(StoreFailed, match="full"):
        await saved(store, *many)
    await store._writer.execute("PRAGMA max_page_count = 1000000")
    assert (await store.restored()).jobs == (a_job(1),)
    await saved(store, *many)
    assert len((await store.restored()).jobs) == 199


async def test_a_save_that_is_called_off_is_there_whole_or_not_at_all(store: Store) -> None:
    async with asyncio.TaskGroup() as group:
        saving = group.create_task(saved(store, *(a_job(number) for number in range(1, 500))))
        await asyncio.sleep(0)
        saving.cancel()
    assert len((await store.restored()).jobs) in {0, 499}
    await saved(store, a_job(500))
    assert (await store.restored()).sequence == 500


async def test_the_disk_is_used_as_promised(store: Store, path: Path) -> None:
    for pragma, value in {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}.items():
        rows = list(await store._writer.execute_fetchall(f"PRAGMA {pragma}"))
        assert rows[0][0] == value, pragma
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name("coordinator.db-wal").stat().st_mode & 0o777 == 0o600


async def test_lists_do_not_wait_for_a_commit(store: Store) -> None:
    await saved(store, a_job(1))
    await store._writer.execute("BEGIN IMMEDIATE")
    async with asyncio.timeout(5):
        assert await sequences(store, JobFilter()) == [1]
    await store._writer.rollback()


def test_what_was_acknowledged_survives_sigkill(path: Path) -> None:
    writing = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("writer.py"), path],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    assert writing.stdout is not None
    with writing.stdout:
        said = [int(writing.stdout.readline()) for _ in range(50)]
        writing.send_signal(signal.SIGKILL)
        said += [int(line) for line in writing.stdout if line.endswith(b"\n")]
    writing.wait()
    asyncio.run(_expect_at_least(path, said))


async def _expect_at_least(path: Path, numbers: list[int]) -> None:
    async with Store.opened(path) as store:
        restored = await store.restored()
    assert {job.sequence for job in restored.jobs} >= set(numbers)
    assert restored.sequence in {max(numbers), max(numbers) + 1}


# What is opened, and what is refused


async def test_a_new_database_has_the_newest_schema(store: Store, path: Path) -> None:
    assert query(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    tables = {name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables >= {"jobs", "submits", "attempts", "agents", "principals"}


async def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        broken = (*MIGRATIONS, "CREATE TABLE later (x); INSERT INTO nowhere VALUES (1);")
        async with Store.opened(path) as store:
            await saved(store, a_job(1))
        patch.setattr("ffmesh_coordinator.shell.store.MIGRATIONS", broken)
        with pytest.raises(StoreFailed):
            async with Store.opened(path):
                pass
    assert query(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert query(path, "SELECT count(*) FROM sqlite_master WHERE name = 'later'") == [(0,)]
    async with Store.opened(path) as store:
        assert (await store.restored()).jobs == (a_job(1),)


async def test_a_later_migration_brings_an_older_database_forward(path: Path) -> None:
    async with Store.opened(path) as store:
        await saved(store, a_job(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ffmesh_coordinator.shell.store.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE later (x);"))
        async with Store.opened(path) as store:
            assert (await store.restored()).jobs == (a_job(1),)
    assert query(path, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]


async def expect_refusal(path: Path, match: str, *, may_make: bool = True) -> None:
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(StoreUnusable, match=match):
        async with Store.opened(path, may_make=may_make):
            pass
    assert (path.read_bytes() if path.exists() else None) == before, "it is as it was"


async def test_a_newer_database_is_refused(path: Path) -> None:
    async with Store.opened(path):
        pass
    query(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    await expect_refusal(path, "newer")


async def test_what_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 1000)
    await expect_refusal(path, "damaged")


async def test_a_damaged_database_is_refused(path: Path) -> None:
    async with Store.opened(path) as store:
        await saved(store, *(a_job(number) for number in range(1, 400)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))
    await expect_refusal(path, "damaged")


async def test_a_database_that_lost_its_end_is_refused(path: Path) -> None:
    async with Store.opened(path) as store:
        await saved(store, *(a_job(number) for number in range(1, 400)))
    os.truncate(path, path.stat().st_size // 2)
    await expect_refusal(path, "damaged")


async def test_a_database_that_is_gone_or_emptied_is_not_made_anew(path: Path) -> None:
    await expect_refusal(path, "gone", may_make=False)
    path.touch()
    await expect_refusal(path, "empty", may_make=False)


async def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="No such file or directory"):
        async with Store.opened(tmp_path / "missing" / "coordinator.db"):
            pass

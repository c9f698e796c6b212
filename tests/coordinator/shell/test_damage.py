# pyright: reportPrivateUsage=false
"""A database that is not what was written is set aside by the coordinator that starts, and nothing takes its place."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from coordinator.shell.peers import Place, a_place, speaker
from coordinator.shell.values import a_job, ended, ulid
from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.shell import wal
from ffmesh_coordinator.shell.backup import backed_up, returned
from ffmesh_coordinator.shell.errors import StoreDamaged, StoreUnusable
from ffmesh_coordinator.shell.home import Home
from ffmesh_coordinator.shell.store import Store
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import JobList, Refusal
from ffmesh_protocol.messages.requests import ListJobs, ShowJobs
from ffmesh_protocol.topics import Verb

TESTS = Path(__file__).parents[2]
LOG_HEADER, FRAME = 32, 24 + 4096


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place, None]:
    async with a_place(tmp_path / "home") as place:
        yield place


async def begun(place: Place, *jobs: Job) -> Path:
    """A coordinator has been here, and left these jobs in its database."""
    place.config.write_text("keep_finished_days = 100000\n" + place.config.read_text())
    with place.coordinator() as process:
        await place.is_connected()
        await process.stopped()
    database = Home(place.home).database
    async with Store.opened(database, may_make=False) as store:
        await store.save([SaveJob(job=job) for job in jobs])
    return database


def overwritten(path: Path, at: float, many: int, what: bytes | None = None) -> None:
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * at))
        file.write(what or os.urandom(many))


def changed(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(sql)


def set_aside(place: Place) -> list[Path]:
    return sorted(place.home.glob("coordinator.db.damaged-*Z"))


async def refused(place: Place) -> str:
    with place.coordinator() as process:
        code, said = await process.ended()
    assert code == 2
    assert "Traceback" not in said
    return said.splitlines()[-1]


# At the start


SPOILING: dict[str, Callable[[Path], None]] = {
    "middle": lambda path: overwritten(path, 0.5, 60_000),
    "header": lambda path: overwritten(path, 0.0, 50),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "other file": lambda path: overwritten(path, 0.0, 0, b"a letter to the editor\n" * 500),
    "record": lambda path: changed(path, f"UPDATE jobs SET record = 'no json' WHERE id = '{ulid('J', 7)}'"),
    "no text": lambda path: changed(path, f"UPDATE jobs SET record = CAST(x'ff' AS TEXT) WHERE id = '{ulid('J', 7)}'"),
    "submit": lambda path: changed(path, "UPDATE submits SET record = '{}' WHERE job = 7"),
    "principal": lambda path: changed(path, "UPDATE principals SET role = 'king'"),
}


@pytest.mark.parametrize("how", SPOILING)
async def test_a_damaged_database_is_set_aside_and_none_is_made_in_its_place(
    place: Place, tmp_path: Path, how: str
) -> None:
    database = await begun(place, *(a_job(number) for number in range(1, 201)))
    backed_up(Home(place.home), tmp_path / "backup.db", force=False)
    SPOILING[how](database)
    spoiled = database.read_bytes()

    sentence = await refused(place)
    (aside,) = set_aside(place)
    assert f"set aside as {aside}" in sentence
    assert f"ffmesh-coordinator restore FILE --home {place.home}" in sentence
    assert aside.read_bytes() == spoiled
    assert not database.exists()

    sentence = await refused(place)
    assert "is gone" in sentence
    assert aside.name in sentence
    assert not database.exists()

    await returned(Home(place.home), tmp_path / "backup.db")
    with place.coordinator():
        await place.is_connected()
        async with speaker(place) as client:
            page = await client.ask(Verb.JOBS, ListJobs(limit=500))
            assert isinstance(page, JobList)
            assert len(page.jobs) == 200


async def test_a_command_sets_nothing_aside(place: Place) -> None:
    database = await begun(place, *(a_job(number) for number in range(1, 201)))
    overwritten(database, 0.5, 60_000)
    spoiled = database.read_bytes()
    line = [sys.executable, "-m", "ffmesh_coordinator", "principal", "list", "--home", str(place.home)]
    done = await asyncio.to_thread(
        lambda: subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "is damaged" in done.stderr
    assert database.read_bytes() == spoiled
    assert set_aside(place) == []


# While it runs


async def test_damage_that_is_found_while_it_runs_ends_it_and_the_next_start_sets_the_database_aside(
    place: Place,
) -> None:
    database = await begun(place, *(ended(number, labels={"x": "y" * 3000}) for number in range(1, 1500)))
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            overwritten(database, 0.1, int(database.stat().st_size * 0.8))
            life = (await client.status(lambda _: True)).life
            unread = ShowJobs(jobs=tuple(ulid("J", number) for number in range(200, 300)))
            client.bus.post(client.signed(Verb.JOB, unread, life))
            code, said = await process.ended()
    assert code == 2
    assert "Traceback" not in said
    assert f"{database} is damaged" in said.splitlines()[-1]
    assert set_aside(place) == []
    assert "set aside as" in await refused(place)
    assert len(set_aside(place)) == 1


async def test_one_ended_job_that_cannot_be_read_is_said_and_the_others_go_on(place: Place) -> None:
    database = await begun(place, ended(1), ended(2))
    changed(database, f"UPDATE jobs SET record = 'no json' WHERE id = '{ulid('J', 1)}'")
    with place.coordinator() as process:
        await place.is_connected()
        async with speaker(place) as client:
            answer = await client.ask(Verb.JOB, ShowJobs(jobs=(ulid("J", 1),)))
            assert isinstance(answer, Refusal)
            assert answer.code is RefusalCode.FULL
            assert "cannot be read" in answer.sentence
            answer = await client.ask(Verb.JOB, ShowJobs(jobs=(ulid("J", 2),)))
            assert isinstance(answer, JobList)
            assert len(answer.jobs) == 1
        assert "cannot be read" in (await process.stopped())[1]


# The log beside it


@pytest.fixture
def left(tmp_path: Path) -> tuple[Path, Path, int]:
    """A database that was killed while it wrote, its log, and how many jobs were saved at least."""
    path = tmp_path / "coordinator.db"
    writing = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("writer.py"), path],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )
    assert writing.stdout is not None
    with writing.stdout:
        said = [int(writing.stdout.readline()) for _ in range(30)]
        writing.send_signal(signal.SIGKILL)
        said += [int(line) for line in writing.stdout if line.endswith(b"\n")]
    writing.wait()
    log = path.with_name(f"{path.name}-wal")
    assert log.stat().st_size > LOG_HEADER + 40 * FRAME
    return path, log, said[-1]


async def opens(path: Path) -> int:
    """How many jobs it holds."""
    async with Store.opened(path, may_make=False) as store:
        return len((await store.restored()).jobs)


async def test_what_a_crash_leaves_of_a_log_is_no_damage(left: tuple[Path, Path, int]) -> None:
    path, log, saved = left
    assert wal.damage(log) is None
    whole = log.read_bytes()
    log.write_bytes(whole + os.urandom(10_000))
    assert wal.damage(log) is None, "it was not finished"
    last = LOG_HEADER + (len(whole) - LOG_HEADER) // FRAME * FRAME
    log.write_bytes(whole[: last - FRAME + 2000])
    assert wal.damage(log) is None, "the last transaction was not finished"
    log.write_bytes(whole[: last - 2000] + os.urandom(2000))
    assert wal.damage(log) is None, "the same"
    assert await opens(path) >= saved - 1
    log.write_bytes(b"")
    assert wal.damage(log) is None
    log.write_bytes(bytes(100_000))
    assert wal.damage(log) is None, "nothing of it was ever written"
    log.unlink(missing_ok=True)
    assert wal.damage(log) is None


@pytest.mark.parametrize(
    "at",
    [8, 20, 30, LOG_HEADER + 3, LOG_HEADER + 10, LOG_HEADER + 20, LOG_HEADER + 500, LOG_HEADER + 20 * FRAME + 700],
    ids=["page size", "salt", "checksum", "page", "salt of a frame", "checksum of a frame", "frame", "another frame"],
)
async def test_a_log_that_has_lost_transactions_is_damage_and_stays_as_it_is(
    left: tuple[Path, Path, int], at: int
) -> None:
    path, log, _ = left
    content = bytearray(log.read_bytes())
    content[at] ^= 0x41
    log.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="log"):
        await opens(path)
    assert log.read_bytes() == content
    assert path.read_bytes() == before
    aside = Home(path.parent).set_aside_database("damaged")
    assert aside is not None
    assert aside.with_name(f"{aside.name}-wal").read_bytes() == content
    with pytest.raises(StoreUnusable, match="is gone"):
        await opens(path)


async def test_a_log_that_begins_anew_over_an_old_one_is_whole(tmp_path: Path) -> None:
    """After a checkpoint SQLite writes over the log from its beginning; what is left of the round before counts not."""
    path = tmp_path / "coordinator.db"
    log = path.with_name(f"{path.name}-wal")
    async with Store.opened(path) as store:
        await store.save(SaveJob(job=a_job(number)) for number in range(1, 200))
        await store._writer.execute_fetchall("PRAGMA wal_checkpoint(RESTART)")
        for number in range(200, 206):
            await store.save([SaveJob(job=a_job(number))])
        assert wal.damage(log) is None
        content = bytearray(log.read_bytes())
        assert len(content) > LOG_HEADER + 60 * FRAME
    content[LOG_HEADER + 1000] ^= 1
    log.write_bytes(content)
    assert wal.damage(log) is not None

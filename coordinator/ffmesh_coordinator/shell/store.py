"""The coordinator's disk: SQLite in WAL mode, one writer, and a promise: what `save` has returned from is on the disk.

`save` takes what many events made together and writes it in one transaction, one `executemany` for each kind of
statement, and all of it in one visit to the database's thread: each costs more than the statements. Reads have a
connection of their own, so that a list never holds up a commit; they see what was committed.

It refuses a database that is damaged, of a newer version, or gone while its master key is still there. It makes and
mends nothing silently: `StoreDamaged` tells who starts the coordinator to set it aside.
"""

import asyncio
import gc
import glob
import os
import sqlite3
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import aiosqlite
import msgspec

from ffmesh_coordinator.core.chains import OPENED_WITH_PARENT
from ffmesh_coordinator.core.effects import ForgetAgent, SaveAgent, SaveJob
from ffmesh_coordinator.core.events import KnownAgent, Restored
from ffmesh_coordinator.core.job import Attempt, Job, Owner
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.packed import PackedSubmit, shared
from ffmesh_coordinator.shell import wal
from ffmesh_coordinator.shell.backlog import Saving
from ffmesh_coordinator.shell.errors import RecordUnreadable, StoreDamaged, StoreFailed, StoreUnusable
from ffmesh_coordinator.shell.home import PRIVATE_FILE, give_to_owner
from ffmesh_coordinator.sql import MIGRATIONS, QUERIES
from ffmesh_protocol.names import Principal, Role
from ffmesh_protocol.wire import Told

Row: TypeAlias = dict[str, Any]
"""The values of one statement, by the names that stand in it."""

READ_AT_ONCE: Final = 1000

PRUNED_AT_ONCE: Final = 500
"""Jobs that one transaction forgets: a few milliseconds, for which commits wait."""

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE: Final = 0xFF
"""SQLite's extended error codes carry the plain one in their lowest byte."""

_NO_TEXT: Final = "Could not decode to UTF-8"
"""How Python says so; SQLite itself takes any bytes for text."""

_json: Final = msgspec.json.Encoder()
_fields: Final = msgspec.json.Decoder(dict[str, Any])
_ids: Final = msgspec.json.Decoder(list[str])
_attempts: Final = msgspec.json.Decoder(tuple[Attempt, ...])
_agent: Final = msgspec.json.Decoder(KnownAgent)


class Enrolled(Told, frozen=True):
    """A principal as the disk keeps it: its secret is sealed. `created_at` is in UTC seconds."""

    principal: Principal
    kid: int
    sealed_secret: bytes
    created_at: float


class JobFilter(Told, frozen=True):
    """Of which jobs a page consists: those in one of the phases that nobody cancels, and those that somebody does.

    `phases` null: all of them, cancelled or not.
    """

    phases: frozenset[Phase] | None = None
    cancelling: bool = False
    labels: Mapping[str, str] = {}


class Store:
    """Made by `opened` only."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self._path = path
        self._writer = writer
        self._reader = reader
        self._writing = asyncio.Lock()
        self._written: set[str] = set()
        """Open jobs that are on the disk, as far as we know: what was asked for need not be written again."""

    @classmethod
    @asynccontextmanager
    async def opened(cls, path: Path, *, may_make: bool = True) -> AsyncGenerator["Store", None]:
        """The database, checked and brought up to date. The home is locked by the caller.

        `may_make` is false where one has been before: then a missing or empty file is an error.
        """
        async with AsyncExitStack() as open_files:
            with as_our_errors(path):
                _prepare_file(path, may_make=may_make)
                await _expect_whole_log(path)
                writer = await open_files.enter_async_context(aiosqlite.connect(path))
                await _bring_up_to_date(writer, path, may_make=may_make)
                reader = await open_files.enter_async_context(aiosqlite.connect(path))
                await _pragma(reader, "query_only = ON")
            yield cls(path, writer, reader)

    async def save(self, batch: Iterable[Saving]) -> None:
        """One transaction; returns when it is on the disk. Of several for one job or agent the last one counts."""
        jobs: dict[str, Job] = {}
        agents: dict[str, KnownAgent | None] = {}
        for saving in batch:
            match saving:
                case SaveJob(job=job):
                    jobs[job.id] = job
                case SaveAgent(agent=agent):
                    agents[agent.name] = agent
                case ForgetAgent(name=name):
                    agents[name] = None
        known = {name: agent for name, agent in agents.items() if agent is not None}
        new = [job for job in jobs.values() if job.id not in self._written]
        await self._write(
            ("save_job", new_rows := [_new_job_row(job) for job in new]),
            ("save_submit", new_rows),
            ("change_job", [_job_row(job) for job in jobs.values() if job.id in self._written]),
            ("save_attempt", [_attempt_row(job, attempt) for job in jobs.values() for attempt in job.attempts]),
            ("save_agent", [{"name": name, "record": _text(agent)} for name, agent in known.items()]),
            ("forget_agent", [{"name": name} for name in agents.keys() - known.keys()]),
        )
        self._written.update(job.id for job in new)
        self._written.difference_update(job.id for job in jobs.values() if job.has_ended)

    async def restored(self) -> Restored:
        """All that the core needs to go on; `StoreDamaged` if there is anything in it that cannot be read."""
        try:
            jobs = await self._open_jobs()
            ended = {job_id: Phase(phase) for job_id, phase in await self._rows("ended_jobs")}
            with as_our_errors(self._path):
                agents = [_agent.decode(row[0]) for row in await self._rows("agents")]
            ((sequence,),) = await self._rows("highest_sequence")
        except RecordUnreadable as error:
            raise StoreDamaged(self._path, str(error.__cause__)) from error
        except ValueError as error:
            raise StoreDamaged(self._path, str(error)) from error
        self._written.update(job.id for job in jobs)
        return Restored(jobs=tuple(jobs), ended=ended, agents=tuple(agents), sequence=sequence)

    async def _open_jobs(self) -> list[Job]:
        """Read a part at a time: of a hundred thousand, the text alone is hundreds of megabytes."""
        jobs: list[Job] = []
        with as_our_errors(self._path), _without_collection():
            async with self._reader.execute(QUERIES["open_jobs"]) as cursor:
                while rows := await cursor.fetchmany(READ_AT_ONCE):
                    jobs.extend(_job(row) for row in rows)
        return jobs

    async def job(self, job_id: str) -> Job | None:
        return (await self.jobs([job_id])).get(job_id)

    async def jobs(self, ids: Sequence[str]) -> dict[str, Job]:
        """Those of them that are known."""
        with as_our_errors(self._path):
            found = [_job(row) for row in await self._rows("jobs_by_id", {"ids": _text(ids)})]
        return {job.id: job for job in found}

    async def followers(self, job_id: str) -> tuple[Job, ...]:
        """The jobs that ended because this one had not succeeded, and those that did because of them, oldest first."""
        fallen = {job_id}
        found: list[str] = []
        # Who comes after another was accepted later: one look at each, in the order of acceptance, finds all.
        for follower, after in await self._rows("fallen_jobs", {"reasons": _text(sorted(OPENED_WITH_PARENT))}):
            if after is not None and not fallen.isdisjoint(_ids.decode(after)):
                fallen.add(follower)
                found.append(follower)
        jobs = await self.jobs(found)
        return tuple(jobs[each] for each in found if each in jobs)

    async def page(self, wanted: JobFilter, *, before: int, limit: int) -> list[Job]:
        """At most so many jobs with a sequence below `before`, newest first."""
        values = {
            "below": before,
            "phases": _text(sorted(wanted.phases)) if wanted.phases is not None else None,
            "cancelling": wanted.cancelling,
            "labels": _text(wanted.labels),
            "limit": limit,
        }
        with as_our_errors(self._path):
            return [_job(row) for row in await self._rows("page", values)]

    async def principals(self) -> list[Enrolled]:
        """Everyone who may take part, oldest first."""
        try:
            return [
                Enrolled(
                    principal=Principal(role=Role(role), name=name),
                    kid=kid,
                    sealed_secret=secret,
                    created_at=created_at,
                )
                for name, role, kid, secret, created_at in await self._rows("principals")
            ]
        except (ValueError, RecordUnreadable) as error:
            raise StoreDamaged(self._path, f"a principal cannot be read: {error}") from error

    async def add_principals(self, new: Sequence[Enrolled]) -> None:
        """All of them or none. None of the names may be taken."""
        rows = [
            {
                "name": each.principal.name,
                "role": each.principal.role.value,
                "kid": each.kid,
                "secret": each.sealed_secret,
                "created_at": each.created_at,
            }
            for each in new
        ]
        await self._write(("add_principal", rows))

    async def rotate_principal(self, rotated: Enrolled) -> None:
        """Its secret and generation are those from now on."""
        row = {"name": rotated.principal.name, "kid": rotated.kid, "secret": rotated.sealed_secret}
        await self._write(("rotate_principal", [row]))

    async def remove_principal(self, name: str) -> None:
        await self._write(("remove_principal", [{"name": name}]))

    async def prune(self, *, before_utc: float, keep: int, spare: frozenset[str]) -> list[str]:
        """Forgets ended jobs, the oldest first: those from before that time, and those in excess of so many.

        `spare` are not forgotten and not counted. The answer has the ids; are they `PRUNED_AT_ONCE`, there may be more.
        """
        ((kept,),) = await self._rows("kept_jobs", {"spare": _text(sorted(spare))})
        oldest = await self._rows("longest_ended", {"limit": PRUNED_AT_ONCE + len(spare)})
        candidates = [(job_id, ended_at) for job_id, ended_at in oldest if job_id not in spare]
        ids = [
            job_id
            for place, (job_id, ended_at) in enumerate(candidates[:PRUNED_AT_ONCE])
            if place < kept - keep or (ended_at is not None and ended_at < before_utc)
        ]
        await self._write(("forget_job", [{"id": job_id} for job_id in ids]))
        return ids

    async def _write(self, *statements: tuple[str, list[Row]]) -> None:
        """One transaction: sqlite3 begins it with the first row; on the way out it is committed or rolled back."""
        filled = [(name, rows) for name, rows in statements if rows]
        if not filled:
            return
        with as_our_errors(self._path):
            async with self._writing:
                await self._writer._execute(_written, self._writer._conn, filled)  # type: ignore[no-untyped-call] # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - aiosqlite's own calls are a hop each

    async def _rows(self, query: str, values: Row | None = None) -> Iterable[sqlite3.Row]:
        with as_our_errors(self._path):
            return await self._reader.execute_fetchall(QUERIES[query], values)


def _written(database: sqlite3.Connection, statements: Sequence[tuple[str, list[Row]]]) -> None:
    """In the database's thread. On the way out it is committed or rolled back, as a whole."""
    try:
        for name, rows in statements:
            database.executemany(QUERIES[name], rows)
        database.commit()
    except BaseException:
        database.rollback()
        raise


@contextmanager
def _without_collection() -> Generator[None, None, None]:
    """Nothing of what is made in here is garbage; looking for some again and again would take as long as the rest."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _text(value: object) -> str:
    return _json.encode(value).decode()


def _job_row(job: Job) -> Row:
    record = msgspec.structs.asdict(job)
    del record["asked"], record["attempts"]  # these have tables of their own
    return {
        "sequence": job.sequence,
        "id": job.id,
        "phase": job.phase.value,
        "cancelling": job.cancel is not None and not job.has_ended,
        "ended": job.has_ended,
        "ended_at": job.ended_at,
        "record": _text(record),
    }


def _new_job_row(job: Job) -> Row:
    return {
        **_job_row(job),
        "kind": job.kind.value,
        "owner": job.owner.client,
        "priority": job.asked.priority,
        "created_at": job.created_at,
        "submit": job.asked.record,
    }


def _attempt_row(job: Job, attempt: Attempt) -> Row:
    return {
        "job": job.sequence,
        "number": attempt.number,
        "id": attempt.id,
        "agent": attempt.agent,
        "state": attempt.state.value,
        "record": _text(attempt),
    }


def _job(row: sqlite3.Row) -> Job:
    record, submit, attempts = row
    fields = _fields.decode(record)
    fields["asked"] = PackedSubmit.read(submit)
    fields["owner"] = shared(msgspec.convert(fields["owner"], Owner))
    fields["attempts"] = _attempts.decode(attempts)
    return msgspec.convert(fields, Job)


def _prepare_file(path: Path, *, may_make: bool) -> None:
    """The file is there, and no others may read it: jobs name files, and SQLite's -wal takes its mode from it."""
    if not may_make and not path.exists():
        raise StoreUnusable(
            f"{path} is gone, but not the master key of what was in it{_where(path)}; put it back from a backup "
            f"(ffmesh-coordinator restore FILE --home {path.parent}), or remove master.key too to begin anew"
        )
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        give_to_owner(descriptor, of=path.parent)
    finally:
        os.close(descriptor)


def _where(path: Path) -> str:
    """What became of it, if we know."""
    aside = sorted(each.name for each in path.parent.glob(f"{glob.escape(path.name)}.damaged-*Z*"))
    whole = [name for name in aside if not name.endswith(("-wal", "-shm"))]
    return f" (it was damaged, and set aside as {whole[-1]})" if whole else ""


async def _expect_whole_log(path: Path) -> None:
    """Before SQLite sees it, which would take the part that fits, and remove the rest."""
    how = await asyncio.to_thread(wal.damage, path.with_name(f"{path.name}-wal"))
    if how is not None:
        raise StoreDamaged(path, how)


async def _bring_up_to_date(database: aiosqlite.Connection, path: Path, *, may_make: bool) -> None:
    version = await _pragma(database, "user_version")
    if version > len(MIGRATIONS):
        raise StoreUnusable(
            f"{path} is of a newer ffmesh (its version is {version}, this one knows {len(MIGRATIONS)}); "
            f"start that ffmesh, or restore a backup from before"
        )
    if version == 0 and not may_make:
        raise StoreUnusable(f"{path} is empty; put it back from a backup, or remove master.key too to begin anew")
    if (found := await _pragma(database, "quick_check")) != "ok":
        raise StoreDamaged(path, " ".join(str(found).split()))
    if (mode := await _pragma(database, "journal_mode = WAL")) != "wal":
        raise StoreUnusable(f"{path} cannot be used in WAL mode (only {mode}); put the home on a local disk")
    await _pragma(database, "synchronous = FULL")
    await _pragma(database, "foreign_keys = ON")
    for number, migration in enumerate(MIGRATIONS[version:], start=version + 1):
        await _migrate(database, number, migration)


async def _migrate(database: aiosqlite.Connection, number: int, migration: str) -> None:
    try:
        await database.executescript(f"BEGIN EXCLUSIVE;\n{migration}\nPRAGMA user_version = {number};\nCOMMIT;")
    except BaseException:
        await database.rollback()
        raise


async def _pragma(database: aiosqlite.Connection, pragma: str) -> Any:  # noqa: ANN401 - as SQLite gives it
    rows = list(await database.execute_fetchall(f"PRAGMA {pragma}"))
    return rows[0][0] if rows else None


@contextmanager
def as_our_errors(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # not the disk's fault but ours: a bug
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE in _DAMAGED:
            raise StoreDamaged(path, str(error)) from error
        if str(error).startswith(_NO_TEXT):
            raise RecordUnreadable(f"a record in {path} cannot be read: {error}") from error
        raise StoreFailed(f"{path} could not be used: {error}; is the disk full or read-only?") from error
    except msgspec.MsgspecError as error:
        raise RecordUnreadable(f"a record in {path} cannot be read: {error}") from error
    except OSError as error:
        raise StoreFailed(f"{path} could not be used: {error.strerror or error}") from error

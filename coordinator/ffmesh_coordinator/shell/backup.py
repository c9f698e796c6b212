"""A copy of the database to be kept elsewhere, and the way back.

A backup is one file, of one moment, made while the coordinator writes. It appears whole or not at all.

A restore runs nothing twice. What was open when the backup was taken may have run since, and nobody can say whether it
did: such jobs are failed, and a person decides about each. What was accepted after the backup is not known any more;
agents that still run something of it are told to stop as for any job that nobody knows. The database of before is set
aside, not removed.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.core.job import Attempt, Job
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.shell.errors import BackupRefused, StoreDamaged, StoreFailed, StoreUnusable
from ffmesh_coordinator.shell.home import PRIVATE_FILE, Home, give_to_owner, sync_folder
from ffmesh_coordinator.shell.store import Enrolled, Store, as_our_errors
from ffmesh_coordinator.shell.vault import Vault, read_master_key
from ffmesh_coordinator.sql import MIGRATIONS
from ffmesh_protocol.messages.jobs import AttemptState
from ffmesh_protocol.reasons import SENTENCES, ReasonCode
from ffmesh_protocol.wire import Told

COMMAND: Final = "ffmesh-coordinator restore"

PAGES_AT_ONCE: Final = 4096
JOBS_AT_ONCE: Final = 500

HELD: Final = frozenset({AttemptState.GRANTED, AttemptState.RUNNING})


class BackedUp(Told, frozen=True):
    """`keep_too`: without it nobody's secret in the backup can be read. It belongs elsewhere than the backup."""

    file: str
    bytes: int
    jobs: int
    open_jobs: int
    principals: int
    keep_too: str


class Returned(Told, frozen=True):
    """`failed` are the jobs that were open in the backup; `set_aside` is the database of before, if there was one."""

    file: str
    jobs: int
    failed: tuple[str, ...]
    set_aside: str | None


def backed_up(home: Home, file: Path, *, force: bool) -> BackedUp:
    """Into `file`, whether the coordinator runs or not; it goes on meanwhile."""
    file = file.absolute()
    if not home.database.exists():
        raise StoreUnusable(f"{home.database} is not there; --home says where the coordinator's home is")
    _expect_another_file(home, file)
    if file.exists() and not force:
        raise BackupRefused(f"{file} is there already; --force replaces it")
    with as_our_errors(file), _made_aside(file) as aside:
        jobs, open_jobs, principals = _copied(home.database, aside)
        size = aside.stat().st_size
        aside.replace(file)
        sync_folder(file.parent)
    return BackedUp(
        file=str(file),
        bytes=size,
        jobs=jobs,
        open_jobs=open_jobs,
        principals=principals,
        keep_too=str(home.master_key),
    )


async def returned(home: Home, file: Path) -> Returned:
    """The home as it was when the backup was taken, but with nothing open. No coordinator runs meanwhile."""
    file = file.absolute()
    with home.locked(COMMAND):
        if not file.is_file():
            raise StoreUnusable(f"{file} is not there, or is no file")
        _expect_another_file(home, file)
        with as_our_errors(home.database), _made_aside(home.database) as aside:
            jobs, _, _ = await asyncio.to_thread(_copied, file, aside)
            try:
                async with Store.opened(aside, may_make=False) as store:
                    _expect_fitting_key(home, await store.principals())
                    failed = await _given_up(store)
            except StoreDamaged as error:
                raise StoreUnusable(f"{file} is damaged ({error.how}); it was not restored") from error
            _expect_whole(aside)
            set_aside = home.set_aside_database("before-restore")
            aside.replace(home.database)
            sync_folder(home.folder)
    return Returned(file=str(file), jobs=jobs, failed=failed, set_aside=str(set_aside) if set_aside else None)


def _expect_another_file(home: Home, file: Path) -> None:
    for own in home.database_files():
        if file == own or (file.exists() and own.exists() and file.samefile(own)):
            raise BackupRefused(f"{file} is the coordinator's own database; name another file")


@contextmanager
def _made_aside(file: Path) -> Generator[Path, None, None]:
    """A new empty file that nobody else may read; what is left of it at the end goes."""
    aside = file.with_name(f".{file.name}.new")
    beside = [aside.with_name(f"{aside.name}{suffix}") for suffix in ("", "-journal", "-wal", "-shm")]
    for each in beside:
        each.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        give_to_owner(descriptor, of=file.parent)
    finally:
        os.close(descriptor)
    try:
        yield aside
    finally:
        for each in beside:
            each.unlink(missing_ok=True)


def _copied(source: Path, copy: Path) -> tuple[int, int, int]:
    """A whole copy of one moment, in one file, checked and on the disk: jobs, open jobs, principals in it."""
    with (
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=rw", uri=True, isolation_level=None)) as there,
        closing(sqlite3.connect(copy, isolation_level=None)) as here,
    ):
        try:
            # As long as this transaction lasts, what others write is not seen; a copy in steps need not begin anew.
            there.execute("BEGIN")
            (version,) = there.execute("PRAGMA user_version").fetchone()
            there.backup(here, pages=PAGES_AT_ONCE)
            here.execute("PRAGMA journal_mode = DELETE")
            (found,) = here.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
                raise
            version, found = 1, str(error)
        if found != "ok":
            raise StoreUnusable(f"{source} is damaged ({found}); it was not copied")
        if not 0 < version <= len(MIGRATIONS):
            what = "of a newer ffmesh" if version else "no database of a coordinator"
            raise StoreUnusable(f"{source} is {what} (its version is {version}); it was not copied")
        (jobs, ended), (principals,) = (
            here.execute("SELECT count(*), coalesce(sum(ended), 0) FROM jobs").fetchone(),
            here.execute("SELECT count(*) FROM principals WHERE role <> 'coordinator'").fetchone(),
        )
    _expect_whole(copy)
    return jobs, jobs - ended, principals


def _expect_fitting_key(home: Home, principals: list[Enrolled]) -> None:
    """The secrets in the backup open under the key that is in the home."""
    if principals:
        vault = Vault(read_master_key(home.master_key))
        for each in principals:
            vault.opened(each.principal, each.kid, each.sealed_secret)


def _expect_whole(database: Path) -> None:
    """All that was saved is in the one file, and on the disk."""
    beside = database.with_name(f"{database.name}-wal")
    if beside.exists() and beside.stat().st_size:
        raise StoreFailed(f"{database} could not be finished; is the disk full?")
    with database.open("rb") as whole:
        os.fsync(whole.fileno())


async def _given_up(store: Store) -> tuple[str, ...]:
    """Its open jobs, which are failed now."""
    utc = time.time()
    jobs = (await store.restored()).jobs
    for start in range(0, len(jobs), JOBS_AT_ONCE):
        await store.save(SaveJob(job=given_up(job, utc)) for job in jobs[start : start + JOBS_AT_ONCE])
    return tuple(job.id for job in jobs)


def given_up(job: Job, utc: float) -> Job:
    """An open job of a backup, as a restore leaves it: only a person sets it going again."""
    reason = SENTENCES[ReasonCode.RESTORED]

    def ended(attempt: Attempt) -> Attempt:
        if attempt.state not in HELD:
            return attempt
        return msgspec.structs.replace(attempt, state=AttemptState.LOST, ended_at=utc, reason=reason)

    return msgspec.structs.replace(
        job,
        phase=Phase.FAILED,
        attempts=tuple(map(ended, job.attempts)),
        reason=reason,
        reason_code=ReasonCode.RESTORED,
        permanent=True,
        ended_at=utc,
    )

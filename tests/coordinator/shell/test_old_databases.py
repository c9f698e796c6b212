"""Of every schema that was released a database is kept; whatever comes later opens it and finds every job."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from coordinator.databases.make import MASTER_KEY, told
from ffmesh_coordinator.shell.store import JobFilter, Store
from ffmesh_coordinator.shell.vault import Vault
from ffmesh_coordinator.sql import MIGRATIONS

DATABASES = Path(__file__).parents[1] / "databases"
VERSIONS = range(1, len(MIGRATIONS) + 1)


def read(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def test_there_is_one_for_every_schema() -> None:
    files = sorted(DATABASES.glob("*.sqlite3"))
    assert [path.stem for path in files] == [f"{version:04d}" for version in VERSIONS]
    assert [read(path, "PRAGMA user_version") for path in files] == [[(version,)] for version in VERSIONS]


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_old_database_is_brought_forward_and_has_everything(version: int, tmp_path: Path) -> None:
    old = DATABASES / f"{version:04d}.sqlite3"
    path = Path(shutil.copy(old, tmp_path / "coordinator.db"))
    expected = json.loads(old.with_suffix(".json").read_text(encoding="utf-8"))
    async with Store.opened(path, may_make=False) as store:
        jobs = (await store.page(JobFilter(), before=2**62, limit=1000))[::-1]
        restored = await store.restored()
        principals = await store.principals()
    assert [told(job) for job in jobs] == expected["jobs"]
    assert list(restored.jobs) == [job for job in jobs if not job.has_ended]
    assert restored.ended == {job.id: job.phase for job in jobs if job.has_ended}
    assert restored.sequence == len(jobs)
    assert sorted([each.name, each.draining] for each in restored.agents) == sorted(expected["agents"])
    assert [[each.principal.login, each.kid] for each in principals] == expected["principals"]
    vault = Vault(MASTER_KEY)
    for each in principals:
        secret = vault.opened(each.principal, each.kid, each.sealed_secret)
        assert secret == each.principal.login.encode().ljust(32)


@pytest.mark.parametrize("version", VERSIONS)
async def test_brought_forward_it_is_as_one_that_was_made_today(version: int, tmp_path: Path) -> None:
    schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
    old = Path(shutil.copy(DATABASES / f"{version:04d}.sqlite3", tmp_path / "old.db"))
    for path in (old, tmp_path / "new.db"):
        async with Store.opened(path):
            pass
    assert read(old, schema) == read(tmp_path / "new.db", schema)
    assert read(old, "PRAGMA user_version") == [(len(MIGRATIONS),)]

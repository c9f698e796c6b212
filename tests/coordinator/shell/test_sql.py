"""The reader of SQL, and that each query is understood by the database that the migrations make."""

import re
import sqlite3

import pytest

from ffmesh_coordinator import sql
from ffmesh_coordinator.sql import MIGRATIONS, QUERIES


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_is_understood(name: str) -> None:
    database = sqlite3.connect(":memory:")
    for migration in MIGRATIONS:
        database.executescript(migration)
    values = dict.fromkeys(re.findall(r":([a-z_]+)", QUERIES[name]))
    database.execute(f"EXPLAIN {QUERIES[name]}", values)
    database.close()


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("open_jobs", "open_jobs"),
        ("ended_jobs", "ended_jobs"),
        ("longest_ended", "ended_jobs"),
        ("kept_jobs", "ended_jobs"),
    ],
)
def test_jobs_are_found_by_an_index_where_there_may_be_many(query: str, index: str) -> None:
    database = sqlite3.connect(":memory:")
    for migration in MIGRATIONS:
        database.executescript(migration)
    plan = " ".join(
        row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {QUERIES[query]}", {"spare": "[]", "limit": 5})
    )
    database.close()
    assert "TEMP B-TREE FOR ORDER BY" not in plan
    assert f"INDEX {index}" in plan


def test_a_page_is_read_in_its_order_and_not_sorted() -> None:
    database = sqlite3.connect(":memory:")
    for migration in MIGRATIONS:
        database.executescript(migration)
    values = {"below": 5, "phases": None, "cancelling": 0, "labels": "{}", "limit": 5}
    plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {QUERIES['page']}", values))
    database.close()
    assert "SEARCH jobs USING INTEGER PRIMARY KEY" in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan


def test_two_queries_of_one_name_are_a_mistake() -> None:
    assert sql.queries("-- name: a\n-- What it is for.\nSELECT 1\n") == {"a": "-- What it is for.\nSELECT 1"}
    with pytest.raises(ValueError, match="one name"):
        sql.queries("-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")

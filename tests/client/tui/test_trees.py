"""Workflows as trees."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from client.tui.played import job_view, ulid, workflow
from ffmesh_client.tui.model.job_rows import JobRow, row_of
from ffmesh_client.tui.model.trees import TreeHead, TreeLine, grown
from ffmesh_protocol.messages.jobs import JobState


def rows(*afters: tuple[int, ...]) -> list[JobRow]:
    """Jobs 0, 1, … of one workflow, the newest first as the coordinator lists them; each with what it comes after."""
    row = row_of(job_view(0, JobState.QUEUED))
    made = [
        msgspec.structs.replace(row, id=ulid(number), name=str(number), after=tuple(map(ulid, after)), workflow=ulid(0))
        for number, after in enumerate(afters)
    ]
    return made[::-1]


def drawn(found: list[JobRow]) -> list[str]:
    return [line.branch + line.row.name for line in grown(found) if isinstance(line, TreeLine)]


def test_each_job_hangs_below_the_one_that_it_comes_after() -> None:
    assert drawn(rows((), (0,), (0,), (2,), (1, 2))) == ["└ 0", "  ├ 1", "  └ 2", "    ├ 3", "    └ 4"]


def test_one_that_comes_after_several_says_how_many_more() -> None:
    (last,) = [line for line in grown(rows((), (0,), (0,), (1, 2))) if isinstance(line, TreeLine) and line.besides]
    assert (last.row.name, last.besides) == ("3", 1)


def test_a_workflow_is_summed_up_by_the_name_of_its_first_job() -> None:
    head = grown(map(row_of, workflow(3)))[0]
    assert isinstance(head, TreeHead)
    assert (head.name, head.done, head.total) == ("cut film 3", 2, 5)
    assert dict(head.states) == {JobState.SUCCEEDED: 2, JobState.FAILED: 1, JobState.WAITING: 1, JobState.RUNNING: 1}


def test_jobs_of_which_the_first_has_not_been_loaded_are_shown_all_the_same() -> None:
    assert drawn(rows((), (0,), (1,))[:2]) == ["└ 1", "  └ 2"]


def test_jobs_that_come_after_nothing_are_no_workflow() -> None:
    assert grown([msgspec.structs.replace(rows(())[0], workflow=None)]) == ()


@given(st.lists(st.lists(st.integers(0, 9), max_size=3).map(tuple), max_size=10))
def test_whatever_they_say_of_each_other_each_stands_once(afters: list[tuple[int, ...]]) -> None:
    found = rows(*afters)
    lines = [line.row.id for line in grown(found) if isinstance(line, TreeLine)]
    assert sorted(lines) == sorted(row.id for row in found)


def test_a_chain_may_be_as_long_as_a_queue() -> None:
    count = 3_000
    assert len(drawn(rows((), *((number,) for number in range(count - 1))))) == count

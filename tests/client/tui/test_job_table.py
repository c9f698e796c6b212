"""The list of jobs, page by page, and what is searched for."""

import pytest

from client.tui.played import PlayedMesh, job_view
from ffmesh_client.tui.model.job_table import PAGE, JobTable, Order
from ffmesh_client.tui.model.search import OF_WORDS, Wanted, parsed
from ffmesh_protocol.messages.answers import JobList
from ffmesh_protocol.messages.jobs import JobState

JOBS = [job_view(number, JobState.QUEUED) for number in range(250)]


def page(start: int, count: int = PAGE, jobs: list[object] | None = None) -> JobList:
    some = JOBS[start : start + count]
    return JobList(jobs=tuple(some), cursor=str(start + count) if start + count < len(JOBS) else None)


def ids(table: JobTable) -> list[str]:
    return [row.id for row in table.rows()]


def filled() -> JobTable:
    table = JobTable()
    while (question := table.next_page()) is not None:
        table.answered(question, page(int(question.cursor or 0)))
    return table


def test_pages_follow_each_other_to_the_end() -> None:
    table = filled()
    assert ids(table) == [job.id for job in JOBS]
    assert table.is_whole


def test_a_page_that_is_answered_twice_counts_once() -> None:
    table = JobTable()
    first = table.first_page()
    table.answered(first, page(0))
    second = table.next_page()
    assert second is not None
    table.answered(second, page(100))
    table.answered(second, page(100))
    assert ids(table) == [job.id for job in JOBS[:200]]


def test_new_jobs_come_before_those_that_were_known() -> None:
    table = filled()
    new = [job_view(number, JobState.QUEUED) for number in (900, 901)]
    table.answered(table.first_page(), JobList(jobs=(*new, *JOBS[:98]), cursor="98"))
    assert ids(table) == [job.id for job in (*new, *JOBS)]
    assert table.is_whole


def test_so_many_new_jobs_that_there_is_a_gap_begin_the_list_anew() -> None:
    table = filled()
    new = [job_view(number, JobState.QUEUED) for number in range(900, 1000)]
    table.answered(table.first_page(), JobList(jobs=tuple(new), cursor="100"))
    assert ids(table) == [job.id for job in new]
    assert not table.is_whole


def test_an_answer_to_an_earlier_search_is_dropped() -> None:
    table = JobTable()
    question = table.first_page()
    table.want(parsed("state:failed"))
    table.answered(question, page(0))
    assert ids(table) == []


def test_what_is_seen_anew_changes_and_what_is_unknown_goes() -> None:
    table = filled()
    ended = job_view(0, JobState.SUCCEEDED)
    table.seen([JOBS[0].id, JOBS[1].id], {JOBS[0].id: ended})
    assert table.rows()[0].state is JobState.SUCCEEDED
    assert JOBS[1].id not in ids(table)


def test_a_job_that_is_no_longer_what_is_searched_for_goes() -> None:
    table = JobTable()
    table.want(parsed("state:queued"))
    table.answered(table.first_page(), page(0))
    table.seen([JOBS[0].id], {JOBS[0].id: job_view(0, JobState.RUNNING)})
    assert JOBS[0].id not in ids(table)


@pytest.mark.parametrize("order", list(Order)[1:])
def test_another_order_is_of_what_is_loaded(order: Order) -> None:
    table = filled()
    table.sort(order)
    assert sorted(ids(table)) == sorted(job.id for job in JOBS)


def test_rows_are_not_made_anew_for_each_look() -> None:
    table = filled()
    assert table.rows() is table.rows()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", Wanted()),
        ("state:fai", Wanted(states=(JobState.FAILED,))),
        ("state:open", Wanted(states=OF_WORDS["open"])),
        ("state:nonsense", Wanted(states=())),
        ("Agent:x agent:PI-1 owner:tv", Wanted(agent="pi-1", owner="tv", words=("agent:x",))),
        ("label:show=A=B label:x", Wanted(labels=(("show", "A=B"),), words=("label:x",))),
        ("state: Coast 100%", Wanted(words=("coast", "100%"))),
    ],
)
def test_what_a_person_types_is_understood(text: str, wanted: Wanted) -> None:
    assert parsed(text) == wanted


def test_the_key_of_states_holds_where_the_text_says_none() -> None:
    assert parsed("coast", OF_WORDS["open"]).states == OF_WORDS["open"]
    assert parsed("state:failed", OF_WORDS["open"]).states == (JobState.FAILED,)


def test_words_are_looked_for_in_all_that_a_row_says() -> None:
    table = filled()
    for words in ("h264_nvenc are full", "show=holiday", "TV", JOBS[4].id.lower(), "coast"):
        table.want(parsed(words))
        assert table.rows(), words
    table.want(parsed("nowhere"))
    assert table.rows() == ()
    assert PlayedMesh().pages == 0

"""What is asked about a job's log, and what is made of the answers."""

from collections.abc import Sequence

import msgspec
import pytest

from client.test_render import RUNNING
from ffmesh_client.core.following import Following, Heard, Remark
from ffmesh_protocol.errors import RefusalCode, Refused
from ffmesh_protocol.messages.answers import Lines, Refusal
from ffmesh_protocol.messages.jobs import AttemptState, AttemptView, JobState, JobView
from ffmesh_protocol.messages.reports import LogLine
from ffmesh_protocol.messages.requests import Logs

AWAY = Refusal(code=RefusalCode.AGENT_AWAY, sentence="its agent is offline")
NO_LOGS = Refusal(code=RefusalCode.NO_LOGS, sentence="no log is kept")
END = "2026-01-31T12:00:09Z"


def job(*attempts: AttemptView, state: JobState = JobState.RUNNING) -> JobView:
    return msgspec.structs.replace(RUNNING, attempts=attempts, state=state)


def attempt(number: int = 1, *, ended: bool = False) -> AttemptView:
    return AttemptView(
        number=number,
        agent=f"pi-{number}",
        state=AttemptState.FAILED if ended else AttemptState.RUNNING,
        started_at=None,
        ended_at=END if ended else None,
        exit_code=None,
        signal=None,
        reason=None,
    )


def line(number: int, text: str = "") -> LogLine:
    return LogLine(time=0.0, stream="stderr", text=text or f"line {number}", number=number)


def lines(*numbers: int, more: bool = False) -> Lines:
    return Lines(lines=tuple(line(number) for number in numbers), more=more)


def asked(attempt: int, after: int | None) -> Logs:
    return Logs(job=RUNNING.id, attempt=attempt, after=after)


def told(following: Following) -> list[int | str]:
    """Lines by their numbers, remarks by their first words."""
    return [_short(each) for each in following.taken()]


def _short(heard: Heard) -> int | str:
    return " ".join(heard.sentence.split()[:2]) if isinstance(heard, Remark) else heard.number


def test_it_begins_with_the_kept_end_and_goes_on_with_what_is_new() -> None:
    following = Following()
    assert following.seen(job(attempt())) == asked(1, None)
    following.answered(lines(7, 8))
    assert following.seen(job(attempt())) == asked(1, 8)
    following.answered(lines())
    assert following.seen(job(attempt())) == asked(1, 8)
    following.answered(lines(9))
    assert (told(following), following.has_ended) == ([7, 8, 9], False)


def test_who_has_said_nothing_yet_is_asked_from_the_first_line_on() -> None:
    following = Following()
    following.seen(job(attempt()))
    following.answered(lines())
    assert following.seen(job(attempt())) == asked(1, 0)


def test_a_job_that_has_not_begun_is_waited_for() -> None:
    following = Following()
    assert following.seen(job(state=JobState.QUEUED)) is None
    assert following.seen(job(state=JobState.OFFERED)) is None
    assert not following.has_ended
    assert following.seen(job(attempt(), state=JobState.GRANTED)) == asked(1, None)
    following.answered(NO_LOGS)  # its program is not started yet
    assert (told(following), following.has_ended) == ([], False)


def test_a_job_that_ends_without_having_begun_has_no_log_and_says_so() -> None:
    following = Following()
    assert following.seen(job(state=JobState.CANCELLED)) is None
    assert (told(following), following.has_ended) == ([f"job {RUNNING.id}"], True)


def test_it_ends_with_the_job_when_all_was_told() -> None:
    following = Following()
    following.seen(job(attempt()))
    following.answered(lines(1))
    over = job(attempt(ended=True), state=JobState.SUCCEEDED)
    assert following.seen(over) == asked(1, 1)
    following.answered(lines(2, 3, more=True))
    assert (following.is_behind, following.has_ended) == (True, False)
    assert following.seen(over) == asked(1, 3)
    following.answered(lines(4))
    assert (told(following), following.has_ended) == ([1, 2, 3, 4], True)


def test_an_answer_to_a_question_from_before_the_end_is_not_the_last_one() -> None:
    following = Following()
    following.seen(job(attempt()))
    following.answered(lines(1))
    assert not following.has_ended


def test_the_next_attempt_is_told_from_its_first_line_on_after_the_rest_of_the_one_before() -> None:
    following = Following()
    following.seen(job(attempt()))
    following.answered(lines(5))
    both = job(attempt(ended=True), attempt(2))
    assert following.seen(both) == asked(1, 5)
    following.answered(lines(6))
    assert following.is_behind
    assert following.seen(both) == asked(2, 0)
    following.answered(lines(1))
    assert told(following) == [5, 6, "attempt 2", 1]
    assert not following.is_behind


def test_between_two_attempts_it_waits() -> None:
    following = Following()
    waiting = job(attempt(ended=True), state=JobState.QUEUED)
    following.seen(waiting)
    following.answered(lines(1))
    assert (following.has_ended, following.is_behind) == (False, False)
    following.seen(job(attempt(ended=True), attempt(2)))
    following.answered(lines())
    assert following.seen(job(attempt(ended=True), attempt(2))) == asked(2, 0)


def test_an_attempt_that_is_not_the_first_is_named_also_when_it_is_the_first_to_be_told() -> None:
    following = Following()
    following.seen(job(attempt(ended=True), attempt(2)))
    following.answered(lines(1))
    assert told(following) == ["attempt 2", 1]


@pytest.mark.parametrize(
    ("before", "then", "expected"),
    [
        ((1, 2), (5, 6), [1, 2, "some lines", 5, 6]),
        ((1, 2), (3, 9), [1, 2, 3, "some lines", 9]),
        ((40,), (41,), [40, 41]),  # the kept end begins where it begins
        ((), (3,), ["some lines", 3]),
    ],
)
def test_where_lines_are_missing_it_is_said(
    before: Sequence[int], then: Sequence[int], expected: list[int | str]
) -> None:
    following = Following()
    for each in (before, then):
        following.seen(job(attempt()))
        following.answered(lines(*each))
    assert told(following) == expected


def test_an_agent_that_is_away_is_waited_for_while_the_attempt_may_go_on() -> None:
    following = Following()
    following.seen(job(attempt()))
    following.answered(lines(1))
    following.seen(job(attempt()))
    following.answered(AWAY)
    assert following.seen(job(attempt())) == asked(1, 1)
    following.answered(lines(2))
    assert told(following) == [1, 2]


def test_what_an_agent_that_is_away_has_not_told_is_missed_but_the_next_attempt_is_not() -> None:
    following = Following()
    following.seen(job(attempt()))
    following.answered(lines(1))
    both = job(attempt(ended=True), attempt(2))
    following.seen(both)
    following.answered(AWAY)
    assert following.seen(both) == asked(2, 0)
    following.answered(lines(1))
    assert told(following) == [1, "the end", "attempt 2", 1]


def test_a_job_whose_end_nobody_can_tell_is_a_refusal() -> None:
    following = Following()
    following.seen(job(attempt(ended=True), state=JobState.FAILED))
    with pytest.raises(Refused, match="the end of its log is missing") as refused:
        following.answered(AWAY)
    assert refused.value.code is RefusalCode.AGENT_AWAY


def test_a_log_that_is_not_kept_any_more_is_said_and_that_is_the_end() -> None:
    following = Following()
    following.seen(job(attempt(ended=True), state=JobState.FAILED))
    following.answered(NO_LOGS)
    assert (told(following), following.has_ended) == (["the end"], True)


def test_what_is_not_allowed_is_a_refusal_at_once() -> None:
    following = Following()
    following.seen(job(attempt()))
    with pytest.raises(Refused):
        following.answered(Refusal(code=RefusalCode.NOT_ALLOWED, sentence="no"))


def test_an_agent_that_does_not_count_lines_is_heard_once() -> None:
    following = Following()
    for _ in range(2):
        following.seen(job(attempt()))
        following.answered(lines(0, 0))
    assert told(following) == [0, 0, "this agent"]

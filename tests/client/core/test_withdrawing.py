"""Whoever has another way than an agent goes it in time, and never when something may have begun."""

import pytest

from client.core.attached_world import ASSIGNMENT, JOB, LIVES, online, submit
from ffmesh_client.core.attached import SOON, Attached
from ffmesh_client.core.effects import Effect, Finish, Tell, TellAgent
from ffmesh_client.core.events import Answered, ChunkCame, Connected, CoordinatorSpoke, Event, Withdrawn, Woken
from ffmesh_client.exits import Exit
from ffmesh_protocol.messages.answers import Accepted, Assigned, Attended, End, Ended, JobNews
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.messages.requests import Attending, Cancel
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.streams import Chunk

LIFE = LIVES[0]


def accepted(*, has_another_way: bool = True) -> Attached:
    machine = Attached(submit(), 0.0, has_another_way=has_another_way)
    events: list[Event] = [
        Connected(),
        online(LIFE),
        Answered(correlation=JOB.encode(), answer=Accepted(job=JOB)),
    ]
    for event in events:
        machine.handle(event, 0.0)
    return machine


def waits(code: ReasonCode, number: int = 1) -> CoordinatorSpoke:
    news = JobNews(
        job=JOB, known=True, state=JobState.QUEUED, assignment=None, end=None, reason="why", reason_code=code
    )
    return CoordinatorSpoke(life=LIFE, number=number, word=Attended(jobs=(news,)))


def finishes(effects: list[Effect]) -> list[Finish]:
    return [effect for effect in effects if isinstance(effect, Finish)]


def said(effects: list[Effect]) -> list[type]:
    return [type(effect.message) for effect in effects if isinstance(effect, Tell)]


def test_what_no_agent_has_taken_is_cancelled_and_left_at_once() -> None:
    effects = accepted().handle(Withdrawn(), 1.0)
    assert said(effects) == [Cancel]
    assert [finish.exit_code for finish in finishes(effects)] == [Exit.UNREACHABLE]


def test_a_submit_that_nobody_has_answered_is_left_too() -> None:
    machine = Attached(submit(), 0.0, has_another_way=True)
    machine.handle(Connected(), 0.0)
    assert len(finishes(machine.handle(Withdrawn(), 1.0))) == 1


def test_once_an_agent_has_the_job_there_is_no_way_back() -> None:
    machine = accepted()
    machine.handle(CoordinatorSpoke(life=LIFE, number=1, word=Assigned(job=JOB, assignment=ASSIGNMENT)), 0.1)
    effects = machine.handle(Withdrawn(), 1.0)
    assert Cancel not in said(effects)
    assert finishes(effects) == []


def assigned(number: int) -> CoordinatorSpoke:
    return CoordinatorSpoke(life=LIFE, number=number, word=Assigned(job=JOB, assignment=ASSIGNMENT))


def test_a_job_that_waits_again_is_waited_for_no_longer_than_one_that_no_agent_ever_had() -> None:
    """Its agent started nothing; another one may never come."""
    machine = accepted()
    machine.handle(assigned(1), 0.1)
    assert finishes(machine.handle(waits(ReasonCode.WAITING_FOR_SLOT, 2), 0.2)) == []
    effects = machine.handle(Withdrawn(), 1.0)
    assert said(effects) == [Cancel]
    assert [(each.exit_code, each.never_started) for each in finishes(effects)] == [(Exit.UNREACHABLE, True)]


def test_one_that_waits_again_when_it_was_waited_for_long_enough_is_left_at_once() -> None:
    machine = accepted()
    machine.handle(assigned(1), 0.1)
    assert finishes(machine.handle(Withdrawn(), 1.0)) == []
    effects = machine.handle(waits(ReasonCode.WAITING_TO_RETRY, 2), 1.1)
    assert said(effects) == [Cancel]
    assert [each.never_started for each in finishes(effects)] == [True]


def test_the_agent_that_had_it_is_told_nothing_more() -> None:
    machine = accepted()
    machine.handle(assigned(1), 0.1)
    machine.handle(waits(ReasonCode.WAITING_FOR_SLOT, 2), 0.2)
    assert not [each for each in machine.handle(Withdrawn(), 1.0) if isinstance(each, TellAgent)]


def test_what_has_written_something_is_never_left_though_it_is_said_to_wait() -> None:
    machine = accepted()
    machine.handle(assigned(1), 0.1)
    chunk = Chunk(attempt=ASSIGNMENT.attempt, offset=0, content=b"a")
    machine.handle(ChunkCame(stream="stdout", chunk=chunk), 0.2)
    machine.handle(waits(ReasonCode.WAITING_FOR_SLOT, 2), 0.3)
    assert finishes(machine.handle(Withdrawn(), 1.0)) == []


def test_an_older_word_that_it_waits_changes_nothing() -> None:
    machine = accepted()
    machine.handle(assigned(2), 0.1)
    machine.handle(waits(ReasonCode.WAITING_FOR_SLOT, 1), 0.2)
    assert finishes(machine.handle(Withdrawn(), 1.0)) == []


def test_an_agent_that_comes_after_the_withdrawal_is_given_no_credit() -> None:
    machine = accepted()
    machine.handle(Withdrawn(), 1.0)
    assigned = CoordinatorSpoke(life=LIFE, number=2, word=Assigned(job=JOB, assignment=ASSIGNMENT))
    assert machine.handle(assigned, 1.1) == []


def test_where_nobody_could_ever_take_it_nobody_is_waited_for() -> None:
    machine = accepted()
    assert said(machine.handle(Woken(), SOON)) == [Attending]
    effects = machine.handle(waits(ReasonCode.WAITING_FOR_AGENT), SOON)
    assert said(effects) == [Cancel]
    assert len(finishes(effects)) == 1


@pytest.mark.parametrize("has_another_way", [True, False])
def test_a_busy_agent_is_waited_for(has_another_way: bool) -> None:
    machine = accepted(has_another_way=has_another_way)
    assert finishes(machine.handle(waits(ReasonCode.WAITING_FOR_SLOT), SOON)) == []


def test_who_has_no_other_way_waits_for_an_agent_that_is_not_there() -> None:
    assert finishes(accepted(has_another_way=False).handle(waits(ReasonCode.WAITING_FOR_AGENT), SOON)) == []


@pytest.mark.parametrize(
    ("code", "never_started"),
    [
        (ReasonCode.NOT_STARTED, True),
        (ReasonCode.REFUSED_BY_AGENT, True),
        (ReasonCode.LOST, False),
        (ReasonCode.EXITED, False),
    ],
)
def test_only_an_agents_own_word_says_that_nothing_was_started(code: ReasonCode, never_started: bool) -> None:
    machine = accepted()
    machine.handle(CoordinatorSpoke(life=LIFE, number=1, word=Assigned(job=JOB, assignment=ASSIGNMENT)), 0.1)
    end = End(
        state=JobState.FAILED,
        exit_code=1 if code is ReasonCode.EXITED else None,
        signal=None,
        reason="so it is",
        reason_code=code,
        lengths=None,
        streams_lost=False,
    )
    (finish,) = finishes(machine.handle(CoordinatorSpoke(life=LIFE, number=2, word=Ended(job=JOB, end=end)), 0.2))
    assert finish.never_started is never_started

"""An agent that is to leave when all is done: it finishes what it has, takes no more, and loses nothing."""

import pytest

from agent.core.story import ATTEMPT, LENGTHS, OTHER, Story, grant, offer
from ffmesh_agent.core.agent import SETTLE_WITHIN
from ffmesh_agent.core.effects import CommitOutput, Launch, Leave, Note, Pause, Publish, Resume, Terminate
from ffmesh_agent.core.events import (
    ConditionsSeen,
    Disconnected,
    DrainAsked,
    OutputCommitted,
    OutputSealed,
    ProgramEnded,
    ProgramStarted,
    ResultKept,
    StopAsked,
)
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.messages.orders import Drain, Grants, Offers, Settled
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import Decline, Holding, Result
from ffmesh_protocol.messages.requests import Bye
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.topics import Family

DONE = Leave(exit_code=0, sentence="all is done")


def told(story: Story) -> Story:
    story.on(DrainAsked())
    return story


def settled(story: Story, attempt: str = ATTEMPT) -> Story:
    return story.hears(Settled(attempts=(attempt,)))


def test_an_agent_that_has_nothing_leaves_at_once() -> None:
    story = told(Story())
    assert story.one(Leave) == DONE
    assert story.says(Bye)
    states = [each.message.state for each in story.all(Publish) if isinstance(each.message, AgentStatus)]
    assert states == [AgentState.DRAINING, AgentState.OFFLINE]


def test_what_runs_is_finished_and_settled_first() -> None:
    story = told(Story().runs())
    story.none(Terminate)
    assert "leaves when its 1 are done" in story.one(Note).text
    story.ends(exit_code=5).none(Leave)
    story.is_kept().none(Leave)
    assert settled(story).one(Leave) == DONE


def test_it_takes_nothing_new_and_says_so() -> None:
    story = told(Story().runs())
    status = story.one(Publish, family=Family.AGENT_STATUS).message
    assert isinstance(status, AgentStatus)
    assert (status.state, status.manner) == (AgentState.DRAINING, Manner.DRAIN)
    (declined,) = story.hears(Offers(offers=(offer(OTHER),))).says(Decline)[0].declined
    assert declined.reason == "it is being shut down"
    story.holds()
    assert [(each.draining, each.unwilling) for each in story.says(Holding)] == [(False, "it is being shut down")]


def test_what_it_has_claimed_is_begun_and_finished() -> None:
    story = told(Story().claims())
    story.none(Leave)
    assert story.is_granted().one(Launch)
    story.on(ProgramStarted(attempt=ATTEMPT))
    assert settled(story.ends().is_kept()).one(Leave) == DONE


def test_an_output_that_is_whole_takes_its_place_first() -> None:
    story = told(Story().runs(JobKind.STAGED)).ends()
    story.on(OutputSealed(attempt=ATTEMPT)).none(Leave)
    assert story.passes(SETTLE_WITHIN - 1.0).permitted().one(CommitOutput)
    story.passes(SETTLE_WITHIN).none(Leave)
    story.on(OutputCommitted(attempt=ATTEMPT)).none(Leave)
    assert settled(story.is_kept()).one(Leave) == DONE


def test_what_nobody_settles_waits_on_the_disk() -> None:
    story = told(Story().runs()).ends().is_kept()
    story.passes(SETTLE_WITHIN - 0.1).none(Leave)
    leave = story.passes(0.1).one(Leave)
    assert leave == Leave(
        exit_code=0, sentence="all is done; what nobody has settled waits on the disk for its next life"
    )


def test_where_nobody_could_hear_of_it_nobody_is_waited_for() -> None:
    story = told(Story().runs())
    story.on(Disconnected())
    story.ends().none(Leave)
    assert story.is_kept().one(Leave) == DONE


@pytest.mark.parametrize("why", ["word", "condition"])
def test_what_stands_still_goes_on_to_its_end(why: str) -> None:
    story = Story().runs()
    if why == "word":
        story.hears(Drain(draining=True, manner=Manner.PAUSE))
    else:
        hot = Condition(name="temperature", manner=Manner.PAUSE, in_force=True, reason="hot")
        story.on(ConditionsSeen(conditions=(hot,)))
    assert story.one(Pause)
    assert told(story).one(Resume) == Resume(attempt=ATTEMPT)


def test_an_interactive_job_still_has_its_turn_before_a_batch_job() -> None:
    story = Story().hears(Offers(offers=(offer(OTHER),))).hears(Grants(grants=(grant(OTHER),)))
    story.on(ProgramStarted(attempt=OTHER))
    told(story.runs(JobKind.INTERACTIVE)).none(Resume)
    assert story.ends().one(Resume) == Resume(attempt=OTHER)
    settled(story.is_kept()).none(Leave)
    story.on(ProgramEnded(attempt=OTHER, exit_code=0, signal=None, seconds=1.0, lengths=LENGTHS))
    story.on(ResultKept(attempt=OTHER))
    assert settled(story, OTHER).one(Leave) == DONE


def test_what_is_to_stop_stops() -> None:
    story = told(Story().runs()).hears(Drain(draining=True, manner=Manner.STOP))
    assert story.one(Terminate)


def test_a_second_word_ends_what_runs() -> None:
    story = told(Story().runs())
    story.on(StopAsked())
    assert story.one(Terminate)
    story.ends(exit_code=None, signal=15)
    leave = story.is_kept().one(Leave)
    assert leave == Leave(exit_code=0, sentence="stopped")


def test_the_same_word_again_changes_nothing() -> None:
    story = told(told(Story().runs()))
    assert (story.effects, story.all(Note)) == ([], [])


def test_a_result_that_an_earlier_life_left_is_told_before_it_leaves() -> None:
    result = Result(
        attempt=ATTEMPT,
        job="0J" + "1" * 24,
        started=True,
        exit_code=0,
        signal=None,
        stopped=Stopped.SHUTDOWN,
        reason_code=None,
        reason=None,
        seconds=1.0,
        lengths=LENGTHS,
    )
    story = told(Story((result,)))
    story.none(Leave)
    assert settled(story).one(Leave) == DONE

"""What a person has an agent do: drain, pause, stop, and take work again; and what becomes of what it hands back."""

import msgspec
import pytest

from ffmesh_coordinator.core.effects import SaveAgent
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import AgentList, Ended, Refusal
from ffmesh_protocol.messages.jobs import AttemptState, JobKind, JobState
from ffmesh_protocol.messages.manners import PAUSE, Manner
from ffmesh_protocol.messages.orders import Drain, Welcome
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.messages.requests import Cancel, DrainAgent
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.times import RETRY_FIRST
from support.coordinating import JOB, LATER_LIFE, NAS, NAS_LIFE, Story, hello, holding, submit

ABLE = (*JobKind, PAUSE)
WHY = "somebody has stopped agent pi"


def told(story: Story, manner: Manner | None, agent: str = "pi") -> Story:
    return story.client_says(DrainAgent(agent=agent, draining=manner is not None, manner=manner, requires=(PAUSE,)))


def runs(kind: JobKind = JobKind.DIRECT, max_attempts: int = 1) -> tuple[Story, str]:
    story = Story().agent_comes(features=ABLE)
    return story, story.client_says(submit(kind=kind, max_attempts=max_attempts)).is_taken()


def handed_back(story: Story, attempt: str) -> Story:
    return story.ends(attempt, exit_code=None, signal=15, stopped=Stopped.HANDED_BACK, reason=WHY)


@pytest.mark.parametrize(
    ("manner", "stands"), [(Manner.DRAIN, "is draining"), (Manner.PAUSE, "is paused"), (Manner.STOP, "is stopped")]
)
def test_an_agent_is_told_and_takes_nothing_new_and_that_is_remembered(manner: Manner, stands: str) -> None:
    story = told(Story().agent_comes(features=ABLE), manner)
    assert story.messages(Drain) == [Drain(draining=True, manner=manner)]
    assert story.one(SaveAgent).agent.manner is manner
    view = story.answer(AgentList).agents[0]
    assert (view.state, view.manner) == (AgentState.DRAINING, manner)
    assert story.client_says(submit(kind=JobKind.INTERACTIVE)).offered() == []
    assert story.core.view(story.disk[JOB]).reason == f"every agent that is online {stands}: pi"
    story.agent_comes(life=LATER_LIFE, features=ABLE)
    assert [(word.manner, PAUSE in word.features) for word in story.messages(Welcome)] == [(manner, True)]
    story = story.restarted().agent_comes(life=LATER_LIFE, features=ABLE)
    assert [word.manner for word in story.messages(Welcome)] == [manner]
    assert told(story, None).offered()
    assert story.messages(Drain) == [Drain(draining=False)]


def test_an_agent_that_believes_something_else_is_told_again() -> None:
    story = told(Story().agent_comes(features=ABLE), Manner.PAUSE)
    believes = msgspec.structs.replace(holding(), draining=True, manner=Manner.DRAIN)
    assert story.agent_says(believes).messages(Drain) == [Drain(draining=True, manner=Manner.PAUSE)]
    believes = msgspec.structs.replace(believes, manner=Manner.PAUSE)
    assert story.agent_says(believes).messages(Drain) == []


def test_an_agent_that_cannot_pause_is_not_asked_to() -> None:
    story = told(Story().agent_comes(), Manner.PAUSE)
    refusal = story.answer(Refusal)
    said = "agent pi is too old for that; `ffmesh drain pi` lets it take no more jobs"
    assert (refusal.code, refusal.sentence) == (RefusalCode.UNSUPPORTED, said)
    assert story.messages(Drain) == []
    assert told(story, Manner.DRAIN).messages(Drain)


def test_an_agent_that_is_away_is_told_when_it_comes() -> None:
    story = told(Story().agent_comes(features=ABLE).agent_is_gone(), Manner.STOP)
    assert [word.manner for word in story.agent_says(hello()).messages(Welcome)] == [Manner.STOP]


def test_of_agents_that_take_no_work_each_says_how() -> None:
    story = Story().agent_comes(features=ABLE).agent_comes(NAS, NAS_LIFE, features=ABLE)
    told(told(story, Manner.PAUSE), Manner.STOP, "nas").client_says(submit())
    said = "no agent that is online takes work: nas is stopped; pi is paused"
    assert story.core.view(story.disk[JOB]).reason == said


# --- what was handed back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [JobKind.DIRECT, JobKind.STAGED])
def test_a_job_that_was_handed_back_is_offered_to_another_at_once_and_that_was_no_try(kind: JobKind) -> None:
    story, attempt = runs(kind)
    told(story, Manner.STOP)
    story.agent_comes(NAS, NAS_LIFE, features=ABLE)
    handed_back(story, attempt)
    second = story.is_taken(who=NAS, life=NAS_LIFE)
    attempts = story.core.view(story.disk[JOB]).attempts
    assert [(each.number, each.state) for each in attempts] == [(1, AttemptState.LOST), (2, AttemptState.RUNNING)]
    assert attempts[0].reason == WHY
    story.ends(second, who=NAS, life=NAS_LIFE, exit_code=1)
    assert (story.phase(), story.disk[JOB].permanent) == (Phase.FAILED, True)


def test_a_try_that_failed_counts_as_before() -> None:
    story, attempt = runs(max_attempts=2)
    handed_back(told(story, Manner.STOP), attempt)
    story.ends(told(story, None).is_taken(), exit_code=1)
    assert story.phase() is Phase.QUEUED
    story.agent_says(holding(), after=RETRY_FIRST)
    assert story.ends(story.is_taken(), exit_code=1).phase() is Phase.FAILED


def test_it_waits_where_nobody_else_is() -> None:
    story, attempt = runs()
    handed_back(told(story, Manner.STOP), attempt)
    view = story.core.view(story.disk[JOB])
    assert (view.state, view.reason) == (JobState.QUEUED, "every agent that is online is stopped: pi")
    assert told(story, None).offered()


def test_what_was_granted_and_never_began_is_handed_back_likewise() -> None:
    story = Story().agent_comes(features=ABLE).client_says(submit())
    attempt = story.is_granted()
    told(story, Manner.STOP).ends(attempt, started=False, stopped=Stopped.HANDED_BACK, reason=WHY)
    assert story.phase() is Phase.QUEUED
    assert told(story, None).offered()


def test_what_somebody_waits_for_fails_with_the_reason() -> None:
    story, attempt = runs(JobKind.INTERACTIVE)
    handed_back(told(story, Manner.STOP), attempt)
    (ended,) = story.messages(Ended)
    assert (ended.end.state, ended.end.reason_code, ended.end.reason) == (
        JobState.FAILED,
        ReasonCode.HANDED_BACK,
        WHY,
    )


def test_what_was_cancelled_meanwhile_is_cancelled() -> None:
    story, attempt = runs()
    told(story, Manner.STOP).client_says(Cancel(job=JOB))
    assert handed_back(story, attempt).phase() is Phase.CANCELLED


def test_jobs_that_were_handed_back_are_laid_to_nobodys_charge() -> None:
    story = Story().agent_comes(features=ABLE)
    for number in range(5):
        job = f"0J{number:024d}"
        story.client_says(submit(job))
        attempt = story.is_taken()
        story.ends(attempt, job=job, exit_code=None, stopped=Stopped.HANDED_BACK)
        second = story.is_taken()
        story.ends(second, job=job)
    assert story.client_says(submit("0J" + "9" * 24)).offered()

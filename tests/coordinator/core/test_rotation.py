"""A principal that gets another secret: what had the old one is cut off, and all that is known of it stays."""

import pytest

from ffmesh_coordinator.core.effects import ForgetAgent, Publish, SaveAgent, SaveJob
from ffmesh_coordinator.core.events import AgentStatusSeen, PrincipalRotated
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import times
from ffmesh_protocol.messages.answers import AgentList, Ended
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Welcome
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import HeldPhase
from ffmesh_protocol.messages.requests import DrainAgent, ListAgents
from ffmesh_protocol.reasons import ReasonCode, Stopped
from support.coordinating import JOB, LATER_LIFE, NAS, NAS_LIFE, PI, PI_LIFE, RADIO, TV, Story, held, hello, submit

ROTATED = PrincipalRotated(principal=PI)


def test_the_agent_is_offline_at_once_and_nothing_of_it_is_forgotten() -> None:
    story = Story().agent_comes()
    story.client_says(DrainAgent(agent="pi", draining=True)).on(ROTATED)
    assert story.all(ForgetAgent) == []
    assert story.all(Publish, message=None) == []
    (agent,) = story.client_says(ListAgents()).answer(AgentList).agents
    assert (agent.state, set(agent.roots), agent.slots["cpu"].total) == (AgentState.OFFLINE, {"Movies"}, 1)
    story.agent_comes(life=LATER_LIFE)
    assert [word.draining for word in story.messages(Welcome)] == [True]
    (agent,) = story.client_says(ListAgents()).answer(AgentList).agents
    assert (agent.state, agent.life) == (AgentState.DRAINING, LATER_LIFE)


def test_its_will_that_follows_changes_nothing() -> None:
    story = Story().agent_comes().on(ROTATED)
    story.on(AgentStatusSeen(agent="pi", status=AgentStatus(state=AgentState.OFFLINE, life=PI_LIFE, connection=1)))
    story.passes(times.WILL_GRACE)
    story.agent_comes(life=LATER_LIFE).passes(times.WILL_GRACE)
    (agent,) = story.client_says(ListAgents()).answer(AgentList).agents
    assert agent.state is AgentState.ONLINE


@pytest.mark.parametrize("kind", [JobKind.DIRECT, JobKind.STAGED])
def test_its_direct_job_counts_as_running_until_the_lease_is_over_and_a_staged_one_is_anothers_at_once(
    kind: JobKind,
) -> None:
    story = Story()
    story.runs(kind, max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    story.on(ROTATED)
    assert bool(story.offered()) == (kind is JobKind.STAGED)
    if kind is JobKind.DIRECT:
        assert story.phase() is Phase.RUNNING
        story.passes(times.LEASE)
        assert story.phase() is not Phase.RUNNING


def test_who_waits_for_an_interactive_job_of_it_is_told_at_once() -> None:
    story = Story()
    story.runs(JobKind.INTERACTIVE)
    story.on(ROTATED)
    (told,) = story.messages(Ended)
    assert told.end.reason_code is ReasonCode.LOST


def test_a_result_that_it_kept_is_told_by_the_life_with_the_new_secret() -> None:
    story = Story()
    attempt = story.runs()
    story.on(ROTATED)
    story.agent_says(hello(held(attempt, HeldPhase.ENDED)), life=LATER_LIFE)
    story.ends(attempt, life=LATER_LIFE)
    assert (story.phase(), story.settled()) == (Phase.SUCCEEDED, [attempt])


def test_what_it_no_longer_has_is_lost_as_soon_as_the_next_life_says_so() -> None:
    story = Story()
    story.runs()
    story.on(ROTATED)
    story.agent_comes(life=LATER_LIFE)
    assert story.phase() is Phase.FAILED


def test_a_client_is_waited_for_by_no_job_and_what_it_handed_in_stays() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE)
    direct = "0J" + "2" * 24
    story.client_says(submit(direct))
    story.on(PrincipalRotated(principal=RADIO))
    assert story.stopped() == []
    story.on(PrincipalRotated(principal=TV))
    assert story.stops() == [(attempt, Stopped.CLIENT_GONE)]
    assert story.phase(direct) is Phase.QUEUED
    assert JOB in story.disk


def test_somebody_who_was_never_here_may_get_another_secret() -> None:
    story = Story()
    for principal in (NAS, RADIO):
        story.on(PrincipalRotated(principal=principal))
        assert not story.all(SaveJob) + story.all(SaveAgent)

"""What a person has an agent do: drain, pause, stop, and take work again."""

import pytest

from agent.core.story import ATTEMPT, BOSS, OTHER, Story, credit, grant, offer
from ffmesh_agent.core.bench import LEAVING_KILL
from ffmesh_agent.core.effects import KeepResult, Kill, Launch, Pause, Publish, Quit, Resume, Terminate
from ffmesh_agent.core.events import CoordinatorSpoke, ProgramStarted
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import PAUSE, Manner
from ffmesh_protocol.messages.orders import Drain, Grants, Offers, Welcome
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import Claim, Decline, HeldPhase, Holding
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.times import STOP_TERM
from ffmesh_protocol.topics import Family

INTERACTIVE, DIRECT, STAGED = JobKind.INTERACTIVE, JobKind.DIRECT, JobKind.STAGED
STOPPED = "somebody has stopped agent pi"


def told(story: Story, manner: Manner | None) -> Story:
    return story.hears(Drain(draining=manner is not None, manner=manner))


def begun() -> Story:
    """With a coordinator that knows what pausing is."""
    return Story().hears(Welcome(draining=False, features=(PAUSE,)))


@pytest.mark.parametrize(
    ("manner", "why"),
    [(Manner.DRAIN, "it is draining"), (Manner.PAUSE, "it is paused"), (Manner.STOP, "it is stopped")],
)
def test_it_takes_nothing_new_and_says_so_until_it_is_told_otherwise(manner: Manner, why: str) -> None:
    story = told(begun(), manner)
    status = story.one(Publish, family=Family.AGENT_STATUS).message
    assert isinstance(status, AgentStatus)
    assert (status.state, status.manner) == (AgentState.DRAINING, manner)
    for kind in JobKind:
        (declined,) = story.claims(kind).says(Decline)
        assert declined.declined[0].reason == why
    story.holds()
    assert [(each.draining, each.manner) for each in story.says(Holding)] == [(True, manner)]
    assert told(story, None).claims().says(Claim)


def test_who_says_no_manner_means_that_it_drains() -> None:
    story = begun().hears(Drain(draining=True))
    story.holds()
    assert [each.manner for each in story.says(Holding)] == [Manner.DRAIN]


def test_a_welcome_says_it_too() -> None:
    story = Story().runs()
    word = Welcome(draining=True, manner=Manner.PAUSE)
    story.on(CoordinatorSpoke(life=BOSS, number=90, word=word))
    assert story.one(Pause) == Pause(attempt=ATTEMPT)


def test_what_runs_goes_on_while_it_drains() -> None:
    story = told(begun().runs(), Manner.DRAIN)
    story.none(Pause)
    story.none(Terminate)


# --- pause ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DIRECT, STAGED])
def test_what_nobody_waits_for_stands_still_and_goes_on_at_resume(kind: JobKind) -> None:
    story = told(begun().runs(kind), Manner.PAUSE)
    assert story.one(Pause) == Pause(attempt=ATTEMPT)
    story.holds()
    assert [each.paused for each in story.says(Holding)[0].held] == ["somebody has paused its agent"]
    assert told(story, None).one(Resume) == Resume(attempt=ATTEMPT)


def test_what_somebody_waits_for_goes_on_to_its_end() -> None:
    told(begun().runs(INTERACTIVE), Manner.PAUSE).none(Pause)


def test_a_grant_that_was_under_way_starts_nothing_before_resume() -> None:
    story = told(begun().claims(), Manner.PAUSE).is_granted()
    story.none(Launch)
    assert told(story, None).one(Launch)


def test_a_pause_that_follows_another_pause_goes_on_only_when_both_are_over() -> None:
    story = begun().hears(Offers(offers=(offer(OTHER),))).hears(Grants(grants=(grant(OTHER),)))
    story.on(ProgramStarted(attempt=OTHER))
    story.runs(INTERACTIVE)
    told(story, Manner.PAUSE).none(Pause)
    told(story, None).none(Resume)
    assert story.ends().one(Resume) == Resume(attempt=OTHER)


# --- stop -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(JobKind))
def test_what_runs_is_ended_and_handed_back(kind: JobKind) -> None:
    story = told(begun().runs(kind), Manner.STOP)
    assert story.one(Terminate) == Terminate(attempt=ATTEMPT)
    assert story.passes(STOP_TERM).one(Kill)
    kept = story.ends(exit_code=None, signal=9).one(KeepResult).result
    assert (kept.stopped, kept.reason_code, kept.reason) == (Stopped.HANDED_BACK, ReasonCode.HANDED_BACK, STOPPED)


def test_one_that_reads_keys_is_not_asked_and_killed_soon_as_the_machine_may_be_about_to_sleep() -> None:
    story = told(begun().runs(reads_keys=True), Manner.STOP)
    story.none(Quit)
    assert story.one(Terminate)
    assert story.passes(LEAVING_KILL).one(Kill)
    assert story.ends().one(KeepResult).result.stopped is Stopped.HANDED_BACK


def test_what_stands_still_goes_on_to_hear_that_it_must_end() -> None:
    story = told(told(begun().runs(), Manner.PAUSE), Manner.STOP)
    assert [type(each) for each in story.effects if isinstance(each, Resume | Terminate)] == [Resume, Terminate]


def test_a_grant_that_was_under_way_is_handed_back_unstarted() -> None:
    story = told(begun().claims(), Manner.STOP).is_granted()
    story.none(Launch)
    kept = story.one(KeepResult).result
    assert (kept.started, kept.stopped, kept.reason) == (False, Stopped.HANDED_BACK, STOPPED)


def test_one_whose_client_is_not_here_yet_is_handed_back_too() -> None:
    story = told(begun().claims(INTERACTIVE).is_granted(INTERACTIVE), Manner.STOP)
    assert story.one(KeepResult).result.stopped is Stopped.HANDED_BACK
    story.on(credit())
    story.none(Launch)


def test_one_that_is_cancelled_already_stays_cancelled() -> None:
    story = told(begun().runs().stops(), Manner.STOP)
    story.none(Terminate)
    assert story.ends(exit_code=None, signal=15).one(KeepResult).result.stopped is Stopped.CANCEL


def test_what_is_whole_may_take_its_place() -> None:
    story = told(begun().stages(), Manner.STOP)
    story.none(KeepResult)
    assert story.phases() == [HeldPhase.STAGED]


def test_what_is_just_made_whole_may_take_its_place() -> None:
    told(begun().runs(STAGED).ends(), Manner.STOP).none(KeepResult)


def test_to_a_coordinator_that_does_not_know_the_word_it_was_a_shutdown() -> None:
    story = told(Story().runs(), Manner.STOP)
    assert story.ends(exit_code=None, signal=15).one(KeepResult).result.stopped is Stopped.SHUTDOWN

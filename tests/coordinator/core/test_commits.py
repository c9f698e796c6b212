"""Permission to put outputs in place: given once, on disk first, and told as often as it is asked for."""

import pytest

from ffmesh_coordinator.core.effects import SaveJob, Tell
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import times
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import JobList, Refusal
from ffmesh_protocol.messages.jobs import AttemptState, JobKind, JobState
from ffmesh_protocol.messages.orders import Commit
from ffmesh_protocol.messages.reports import Claim, HeldPhase, MayCommit
from ffmesh_protocol.messages.requests import Cancel
from ffmesh_protocol.reasons import ReasonCode, Stopped
from support.coordinating import (
    JOB,
    LATER_LIFE,
    NAS,
    NAS_LIFE,
    PI_LIFE,
    Story,
    held,
    hello,
    holding,
    submit,
)


def permitted() -> tuple[Story, str]:
    """A staged job with two tries, whose first attempt may commit."""
    story = Story()
    attempt = story.runs(JobKind.STAGED, max_attempts=2)
    story.agent_says(MayCommit(attempts=(attempt,)))
    assert story.permitted() == [attempt]
    return story, attempt


def test_permission_is_saved_before_it_is_told() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.agent_says(MayCommit(attempts=(attempt,)))
    orders = [each for each in story.effects if isinstance(each, SaveJob | Tell)]
    assert [type(each) for each in orders] == [SaveJob, Tell]
    assert story.phase() is Phase.COMMITTING
    assert story.permitted() == [attempt]


def test_permission_is_told_again_and_not_given_again_when_it_is_asked_for_again() -> None:
    story, attempt = permitted()
    for word in (MayCommit(attempts=(attempt,)), holding(held(attempt, HeldPhase.STAGED))):
        story.agent_says(word, after=1)
        assert story.permitted() == [attempt]
        story.none(SaveJob)


def test_a_staged_output_that_a_holding_lists_may_commit_though_the_question_was_lost() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.agent_says(holding(held(attempt, HeldPhase.STAGED)))
    assert story.permitted() == [attempt]


def test_what_was_granted_may_commit_though_the_word_that_it_started_was_lost() -> None:
    story = Story().agent_comes().client_says(submit(kind=JobKind.STAGED))
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    assert story.phase() is Phase.GRANTED
    story.agent_says(MayCommit(attempts=(attempt,)))
    assert story.permitted() == [attempt]
    assert story.disk[JOB].attempts[0].started_at is not None


def test_permission_outlives_the_coordinator_that_gave_it() -> None:
    story, attempt = permitted()
    story = story.restarted()
    story.agent_says(hello(held(attempt, HeldPhase.STAGED)))
    assert story.permitted() == [attempt]
    story.ends(attempt)
    assert story.phase() is Phase.SUCCEEDED


def test_the_heir_of_a_life_that_died_while_it_committed_gets_the_permission_told() -> None:
    story, attempt = permitted()
    story.agent_says(hello(held(attempt, HeldPhase.STAGED)), life=LATER_LIFE)
    (told,) = [each for each in story.all(Tell) if isinstance(each.message, Commit)]
    assert (told.life, told.message) == (LATER_LIFE, Commit(attempts=(attempt,)))
    assert story.saved().attempts[0].agent_life == LATER_LIFE
    assert story.saved().attempts[0].id == attempt
    story.ends(attempt, life=LATER_LIFE)
    assert story.phase() is Phase.SUCCEEDED


def test_the_heir_may_also_be_the_first_to_ask() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.agent_says(hello(held(attempt, HeldPhase.STAGED)), life=LATER_LIFE)
    assert story.permitted() == [attempt]
    assert story.phase() is Phase.COMMITTING


def test_a_copy_of_the_machine_gets_no_permission() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.agent_says(hello(held(attempt, HeldPhase.STAGED), boot="another"), life=LATER_LIFE)
    story.agent_says(MayCommit(attempts=(attempt,)), life=LATER_LIFE)
    assert story.permitted() == []
    assert story.phase() is Phase.RUNNING


@pytest.mark.parametrize("again", [Phase.QUEUED, Phase.RUNNING])
def test_an_attempt_whose_job_is_anothers_by_now_gets_no_permission_and_is_told_to_stop(again: Phase) -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED, max_attempts=2)
    if again is Phase.RUNNING:
        story.agent_comes(NAS, NAS_LIFE)
    story.agent_is_gone()
    if again is Phase.RUNNING:
        story.is_taken(who=NAS, life=NAS_LIFE)
    assert story.phase() is again
    story.agent_says(MayCommit(attempts=(attempt,)))
    assert story.permitted() == []
    story.agent_says(holding(held(attempt, HeldPhase.STAGED)))
    assert (story.permitted(), story.stopped()) == ([], [attempt])


def test_the_result_of_an_attempt_whose_job_is_anothers_by_now_changes_nothing_and_is_settled() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED, max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_is_gone()
    story.is_taken(who=NAS, life=NAS_LIFE)
    story.ends(attempt)
    story.none(SaveJob)
    assert story.settled() == [attempt]


def test_another_agents_attempt_gets_no_permission_by_who_asks_for_it() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_says(MayCommit(attempts=(attempt,)), who=NAS, life=NAS_LIFE)
    assert story.permitted() == []


@pytest.mark.parametrize("asks", [True, False])
def test_a_cancelled_job_gets_no_permission_and_its_agent_is_told_to_stop(*, asks: bool) -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.client_says(Cancel(job=JOB))
    story.agent_says(MayCommit(attempts=(attempt,)) if asks else holding(held(attempt, HeldPhase.STAGED)))
    assert (story.permitted(), story.stopped()) == ([], [attempt])
    assert story.phase() is not Phase.COMMITTING


def test_to_cancel_after_the_permission_is_too_late_and_says_so() -> None:
    story, attempt = permitted()
    assert story.client_says(Cancel(job=JOB)).answer(Refusal).code is RefusalCode.TOO_LATE
    assert story.stopped() == []
    story.ends(attempt)
    assert story.phase() is Phase.SUCCEEDED


def test_a_job_that_commits_is_shown_as_running() -> None:
    story, _ = permitted()
    view = story.core.view(story.disk[JOB])
    assert (view.state, view.agent) == (JobState.RUNNING, "pi")


def test_the_permission_begins_a_whole_lease() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED, max_attempts=2)
    story.passes(5)
    story.agent_says(MayCommit(attempts=(attempt,)))
    story.passes(times.LEASE - 0.1)
    assert story.phase() is Phase.COMMITTING
    story.passes(0.1)
    assert story.disk[JOB].attempts[0].state is AttemptState.LOST


@pytest.mark.parametrize("how", ["will", "silence"])
def test_what_commits_is_not_lost_before_its_lease_is_over_and_then_tried_again(how: str) -> None:
    story, attempt = permitted()
    story.agent_comes(NAS, NAS_LIFE)
    if how == "will":
        story.agent_is_gone()
    while story.now < times.LEASE - 0.1:
        assert story.offered() == []
        assert story.phase() is Phase.COMMITTING
        story.agent_says(holding(), who=NAS, life=NAS_LIFE, after=min(1.0, times.LEASE - 0.1 - story.now))
    story.passes(0.1)
    assert story.disk[JOB].attempts[0].state is AttemptState.LOST
    assert len(story.offered()) == 1
    story.agent_says(hello(held(attempt, HeldPhase.COMMITTING)))
    assert story.stopped() == [attempt]


def test_an_heir_that_lists_nothing_of_it_ends_the_lease_of_what_committed() -> None:
    story, _ = permitted()
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_says(hello(), life=LATER_LIFE)
    assert story.disk[JOB].attempts[0].state is AttemptState.LOST
    assert len(story.offered()) == 1


@pytest.mark.parametrize("why", [Stopped.CANCEL, Stopped.LEASE, Stopped.SHUTDOWN])
def test_what_was_stopped_while_it_committed_counts_as_lost_and_is_tried_again(why: Stopped) -> None:
    story, attempt = permitted()
    story.ends(attempt, stopped=why)
    assert story.disk[JOB].attempts[0].state is AttemptState.LOST
    assert story.phase() is Phase.QUEUED


def test_an_output_that_could_not_be_put_in_place_is_a_failure_with_its_reason() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.agent_says(MayCommit(attempts=(attempt,)))
    story.ends(attempt, reason_code=ReasonCode.NOT_COMMITTED, reason="$Movies is not mounted")
    assert (story.saved().phase, story.saved().reason_code) == (Phase.FAILED, ReasonCode.NOT_COMMITTED)
    assert story.saved().reason == "$Movies is not mounted"


def test_a_job_cancelled_in_the_same_moment_is_answered_as_cancelling_when_the_permission_was_not_given() -> None:
    story = Story()
    story.runs(JobKind.STAGED)
    assert story.client_says(Cancel(job=JOB)).answer(JobList).jobs[0].state is JobState.CANCELLING


def test_the_earlier_life_hears_of_no_permission_any_more() -> None:
    story, attempt = permitted()
    story.agent_says(hello(held(attempt, HeldPhase.STAGED)), life=LATER_LIFE)
    story.agent_says(MayCommit(attempts=(attempt,)), life=PI_LIFE)
    assert story.permitted() == []

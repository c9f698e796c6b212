"""What follows when an attempt has failed: another one, when and where; or the end."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_coordinator.core import retries
from ffmesh_coordinator.core.effects import Publish, Recall, SaveJob
from ffmesh_coordinator.core.events import Recalled
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import times
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Ended, JobList, Refusal
from ffmesh_protocol.messages.jobs import JobEvent, JobKind, JobState
from ffmesh_protocol.messages.reports import FailureKind, HeldPhase
from ffmesh_protocol.messages.requests import Cancel, Retry
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.topics import Family
from support.coordinating import JOB, NAS, NAS_LIFE, PI, PI_LIFE, Story, held, hello, holding, submit

LIFE_OF = {PI: PI_LIFE, NAS: NAS_LIFE}

NOT_ELSEWHERE = [FailureKind.TRANSIENT, None]
ELSEWHERE = [FailureKind.NODE, FailureKind.INPUT]


def fails(story: Story, attempt: str, failure: FailureKind | None = FailureKind.TRANSIENT, *, who: str = "pi") -> None:
    principal = NAS if who == "nas" else PI
    story.ends(attempt, who=principal, life=LIFE_OF[principal], exit_code=1, failure=failure)


def seconds_until_offered(story: Story) -> float:
    """Its agent says in between that it is there."""
    began = story.now
    while not story.offered():
        story.agent_says(holding(), after=0.05)
        assert story.now - began < 2 * times.RETRY_LAST, story.told("expected an offer")
    return story.now - began


# --- the program failed -----------------------------------------------------------------------------------------------


def test_what_fails_for_good_is_told_by_its_flag() -> None:
    story = Story()
    fails(story, story.runs())
    assert (story.saved().phase, story.saved().permanent) == (Phase.FAILED, True)
    story = Story()
    story.ends(story.runs())
    assert story.saved().permanent is False


@pytest.mark.parametrize("failure", [FailureKind.TRANSIENT, FailureKind.NODE, FailureKind.INPUT, None])
def test_a_failure_that_may_go_better_is_tried_again_as_the_next_attempt_of_the_same_job(
    failure: FailureKind | None,
) -> None:
    story = Story()
    first = story.runs(max_attempts=2)
    fails(story, first, failure)
    assert story.phase() is Phase.QUEUED
    assert story.saved().attempts[0].exit_code == 1
    seconds_until_offered(story)
    second = story.is_taken()
    assert [(each.id, each.number) for each in story.disk[JOB].attempts] == [(first, 1), (second, 2)]
    story.ends(second)
    assert (story.phase(), story.saved().exit_code) == (Phase.SUCCEEDED, 0)


def test_what_cannot_be_done_anywhere_is_not_tried_again() -> None:
    story = Story()
    fails(story, story.runs(max_attempts=10), FailureKind.PERMANENT)
    assert (story.phase(), story.saved().permanent) == (Phase.FAILED, True)


@pytest.mark.parametrize("failure", NOT_ELSEWHERE)
def test_what_failed_by_chance_waits_also_where_it_has_not_failed(failure: FailureKind | None) -> None:
    story = Story()
    attempt = story.runs(max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    fails(story, attempt, failure)
    assert story.offered() == []
    story.passes(times.RETRY_FIRST)
    assert len(story.offered()) == 1


@pytest.mark.parametrize("failure", ELSEWHERE)
def test_what_lies_with_the_machine_or_its_input_goes_elsewhere_at_once(failure: FailureKind) -> None:
    story = Story()
    attempt = story.runs(max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    fails(story, attempt, failure)
    story.is_taken(who=NAS, life=NAS_LIFE)


@pytest.mark.parametrize("failure", ELSEWHERE)
def test_the_machine_that_it_failed_on_gets_it_back_only_after_the_wait(failure: FailureKind) -> None:
    story = Story()
    fails(story, story.runs(max_attempts=2), failure)
    assert story.offered() == []
    assert 0.5 * times.RETRY_FIRST <= seconds_until_offered(story) <= times.RETRY_FIRST + 0.05


def test_what_failed_on_two_machines_goes_to_neither_at_once() -> None:
    story = Story()
    attempt = story.runs(max_attempts=3)
    story.agent_comes(NAS, NAS_LIFE)
    fails(story, attempt, FailureKind.NODE)
    second = story.is_taken(who=NAS, life=NAS_LIFE)
    fails(story, second, FailureKind.NODE, who="nas")
    assert story.offered() == []
    assert seconds_until_offered(story) >= 0.5 * times.RETRY_FIRST * 2


def test_an_input_that_cannot_be_read_is_tried_twice_at_most() -> None:
    story = Story()
    fails(story, story.runs(max_attempts=10), FailureKind.INPUT)
    seconds_until_offered(story)
    fails(story, story.is_taken(), FailureKind.INPUT)
    assert story.phase() is Phase.FAILED
    assert len(story.disk[JOB].attempts) == 2


def test_other_failures_do_not_count_against_the_two_tries_of_an_input() -> None:
    story = Story()
    fails(story, story.runs(max_attempts=10), FailureKind.TRANSIENT)
    for kind in (FailureKind.INPUT, FailureKind.TRANSIENT):
        seconds_until_offered(story)
        fails(story, story.is_taken(), kind)
        assert story.phase() is Phase.QUEUED


def test_no_more_tries_than_were_asked_for() -> None:
    story = Story()
    attempt = story.runs(max_attempts=3)
    for number in (1, 2):
        fails(story, attempt)
        assert story.phase() is Phase.QUEUED
        seconds_until_offered(story)
        attempt = story.is_taken()
        assert story.disk[JOB].attempts[-1].number == number + 1
    fails(story, attempt)
    assert (story.phase(), story.saved().permanent) == (Phase.FAILED, True)


def test_lost_attempts_count_as_tries_too() -> None:
    story = Story()
    story.runs(JobKind.STAGED, max_attempts=2)
    story.agent_is_gone()
    story.agent_says(holding())
    fails(story, story.is_taken())
    assert story.phase() is Phase.FAILED


@pytest.mark.parametrize("why", [Stopped.SHUTDOWN, Stopped.LEASE])
def test_what_was_stopped_through_nobodys_fault_is_offered_again_at_once(why: Stopped) -> None:
    story = Story()
    attempt = story.runs(max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    story.ends(attempt, stopped=why)
    assert len(story.offered()) == 1


def test_what_ran_longer_than_it_may_is_not_tried_again() -> None:
    story = Story()
    story.ends(story.runs(max_attempts=5), stopped=Stopped.TIMEOUT)
    assert (story.phase(), story.saved().reason_code) == (Phase.FAILED, ReasonCode.TIMED_OUT)


def test_what_was_to_be_cancelled_is_not_tried_again_when_it_fails() -> None:
    story = Story()
    attempt = story.runs(max_attempts=5)
    story.client_says(Cancel(job=JOB))
    fails(story, attempt)
    assert story.phase() is Phase.CANCELLED


def test_the_next_try_is_announced_and_the_public_state_of_the_last_one_cleared() -> None:
    story = Story()
    fails(story, story.runs(max_attempts=2))
    events = [each.message for each in story.all(Publish, family=Family.EVENTS)]
    assert [(each.event_type, each.agent) for each in events if isinstance(each, JobEvent)] == [("job_retried", "pi")]
    assert story.one(Publish, family=Family.JOB).message is None


def test_a_job_that_waits_for_its_next_try_says_so() -> None:
    story = Story()
    fails(story, story.runs(max_attempts=2))
    view = story.core.view(story.disk[JOB])
    assert (view.state, view.reason_code) == (JobState.QUEUED, ReasonCode.WAITING_TO_RETRY)
    assert view.reason == "attempt 1 failed on pi; it is tried again in 1 s"


# --- an interactive one -----------------------------------------------------------------------------------------------


def test_an_interactive_job_that_ran_is_never_run_again() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE, max_attempts=5)
    story.agent_comes(NAS, NAS_LIFE)
    fails(story, attempt, FailureKind.NODE)
    assert story.phase() is Phase.FAILED
    assert len(story.messages(Ended)) == 1


def test_an_interactive_job_whose_program_was_never_started_may_be_tried_elsewhere() -> None:
    story = Story()
    attempt = story.runs(JobKind.INTERACTIVE, max_attempts=5)
    story.agent_comes(NAS, NAS_LIFE)
    story.ends(attempt, started=False, failure=FailureKind.NODE)
    assert story.messages(Ended) == []
    story.is_taken(who=NAS, life=NAS_LIFE)


# --- the wait ---------------------------------------------------------------------------------------------------------

ids = st.integers(min_value=0, max_value=10**24 - 1).map(lambda number: f"0A{number:024d}")


@given(tries=st.integers(min_value=1, max_value=100), attempt=ids)
def test_the_wait_is_never_longer_than_it_doubles_to_and_never_less_than_half_of_it(tries: int, attempt: str) -> None:
    longest = min(times.RETRY_LAST, times.RETRY_FIRST * 2.0 ** (tries - 1))
    assert longest / 2 <= retries.waited(tries, attempt) <= longest


@given(attempt=ids)
def test_the_wait_grows_with_each_try_until_it_is_at_its_longest(attempt: str) -> None:
    waits = [retries.waited(tries, attempt) for tries in range(1, 8)]
    assert waits == sorted(waits)
    assert waits[0] < waits[3] < waits[-1] == retries.waited(50, attempt)


def test_what_failed_together_does_not_come_back_together() -> None:
    waits = {round(retries.waited(7, f"0A{number:024d}")) for number in range(100)}
    assert len(waits) > 20


# --- a person says: again ---------------------------------------------------------------------------------------------


def retried(story: Story, job: str = JOB) -> Story:
    return story.client_says(Retry(job=job)).disk_answers()


def test_a_person_may_have_a_failed_job_tried_again_under_its_id_with_all_its_tries() -> None:
    story = Story()
    attempt = story.runs(max_attempts=2)
    fails(story, attempt)
    seconds_until_offered(story)
    fails(story, story.is_taken())
    assert story.phase() is Phase.FAILED
    retried(story)
    (view,) = story.answer(JobList).jobs
    assert (view.id, view.state, view.exit_code, view.reason, view.ended_at) == (JOB, JobState.QUEUED, None, None, None)
    assert view.permanent is False
    fails(story, story.is_taken())
    assert story.phase() is Phase.QUEUED
    seconds_until_offered(story)
    fails(story, story.is_taken())
    assert story.phase() is Phase.FAILED
    assert [each.number for each in story.disk[JOB].attempts] == [1, 2, 3, 4]


def test_after_a_retry_the_waits_begin_short_again() -> None:
    story = Story()
    fails(story, story.runs(max_attempts=4))
    for _ in range(3):
        seconds_until_offered(story)
        fails(story, story.is_taken())
    retried(story)
    fails(story, story.is_taken())
    assert seconds_until_offered(story) <= times.RETRY_FIRST + 0.05


def test_after_a_retry_an_input_is_tried_twice_again() -> None:
    story = Story()
    fails(story, story.runs(max_attempts=5), FailureKind.INPUT)
    seconds_until_offered(story)
    fails(story, story.is_taken(), FailureKind.INPUT)
    retried(story)
    fails(story, story.is_taken(), FailureKind.INPUT)
    assert story.phase() is Phase.QUEUED


def test_a_cancelled_job_may_be_tried_again() -> None:
    story = Story().client_says(submit()).client_says(Cancel(job=JOB))
    retried(story)
    assert story.answer(JobList).jobs[0].state is JobState.QUEUED
    assert story.agent_comes().offered()


def test_a_job_that_was_cancelled_while_it_ran_carries_no_wish_to_be_cancelled_into_its_next_try() -> None:
    story = Story()
    attempt = story.runs()
    story.client_says(Cancel(job=JOB))
    story.ends(attempt, stopped=Stopped.CANCEL)
    retried(story)
    story.ends(story.is_taken())
    assert story.phase() is Phase.SUCCEEDED


def test_to_retry_an_open_job_changes_nothing_and_is_answered_as_it_stands() -> None:
    story = Story()
    story.runs()
    story.client_says(Retry(job=JOB))
    assert story.answer(JobList).jobs[0].state is JobState.RUNNING
    story.none(SaveJob)


def test_to_retry_twice_opens_it_once() -> None:
    story = Story()
    fails(story, story.runs())
    for _ in range(2):
        story.client_says(Retry(job=JOB))
        if story.disk[JOB].has_ended:
            story.disk_answers()
    assert story.answer(JobList)
    story.none(SaveJob)


def test_two_retries_that_both_asked_the_disk_open_it_once() -> None:
    story = Story()
    fails(story, story.runs())
    failed = story.disk[JOB]
    recalls = [story.client_says(Retry(job=JOB)).one(Recall) for _ in range(2)]
    first, second = (Recalled(job=JOB, found=failed, spoken=recall.spoken) for recall in recalls)
    story.on(first)
    story.ends(story.is_taken())
    assert story.phase() is Phase.SUCCEEDED
    story.on(second)
    assert story.answer(Refusal).code is RefusalCode.TOO_LATE
    story.none(SaveJob)


def test_what_has_succeeded_is_not_tried_again() -> None:
    story = Story()
    story.ends(story.runs())
    assert retried(story).answer(Refusal).code is RefusalCode.TOO_LATE
    story.none(SaveJob)


def test_what_somebody_waited_for_is_not_tried_again() -> None:
    story = Story()
    fails(story, story.runs(JobKind.INTERACTIVE))
    assert retried(story).answer(Refusal).code is RefusalCode.NOT_ALLOWED
    story.none(SaveJob)


def test_a_job_that_nobody_knows_cannot_be_retried() -> None:
    assert Story().client_says(Retry(job=JOB)).answer(Refusal).code is RefusalCode.UNKNOWN_JOB


def test_a_retry_is_answered_by_a_coordinator_that_knows_the_job_from_its_disk_alone() -> None:
    story = Story()
    fails(story, story.runs())
    story = story.restarted()
    retried(story)
    assert story.answer(JobList).jobs[0].state is JobState.QUEUED
    assert len(story.disk[JOB].attempts) == 1


def test_the_old_attempt_of_a_retried_job_is_a_strangers() -> None:
    story = Story()
    attempt = story.runs()
    fails(story, attempt)
    retried(story)
    story.agent_says(hello(held(attempt, HeldPhase.ENDED)))
    assert story.settled() == [attempt]


def test_what_was_open_when_a_backup_was_taken_waits_a_lease_before_it_is_tried_again() -> None:
    """Some agent may have been given it since, and must have had the time to hear that it has to stop."""
    story = Story()
    fails(story, story.runs())
    story.disk[JOB] = msgspec.structs.replace(story.disk[JOB], reason_code=ReasonCode.RESTORED)
    story = story.restarted().agent_comes()
    began = story.now
    retried(story)
    assert story.offered() == []
    assert began + times.LEASE - 1.0 <= story.now + seconds_until_offered(story) <= began + times.LEASE + 1.0


def test_a_minute_after_its_start_a_coordinator_offers_what_was_restored_at_once() -> None:
    story = Story()
    fails(story, story.runs())
    story.disk[JOB] = msgspec.structs.replace(story.disk[JOB], reason_code=ReasonCode.RESTORED)
    story = story.restarted().agent_comes()
    story.agent_says(holding(), after=times.LEASE)
    retried(story)
    assert len(story.offered()) == 1

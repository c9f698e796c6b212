"""Jobs that come after others: released by their success, ended by their end, brought back with them."""

import pytest

from ffmesh_coordinator.core.effects import Publish, SaveJob
from ffmesh_coordinator.core.events import Pruned
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Accepted, Ended, JobList, Refusal
from ffmesh_protocol.messages.jobs import JobEvent, JobKind, JobState
from ffmesh_protocol.messages.requests import Cancel, Retry
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.topics import Family
from support.coordinating import NAS, NAS_LIFE, TV_LIFE, Story, submit


def job(number: int) -> str:
    return f"0J{number:024d}"


A, B, C, D = (job(number) for number in range(1, 5))


def chained(*, with_agent: bool = True) -> Story:
    """B comes after A, and C after B; the agent runs A, if there is one."""
    story = Story()
    for each, after in ((A, ()), (B, (A,)), (C, (B,))):
        story.client_says(submit(each, after=after))
    if with_agent:
        story.agent_comes()
        story.is_taken()
    return story


def running(story: Story, each: str) -> str:
    attempt = story.disk[each].attempts[-1].id
    assert story.phase(each) is Phase.RUNNING
    return attempt


def ends(story: Story, each: str, exit_code: int = 0) -> Story:
    return story.ends(running(story, each), job=each, exit_code=exit_code)


def phases(story: Story, *jobs: str) -> list[Phase]:
    return [story.phase(each) for each in jobs]


# --- released ---------------------------------------------------------------------------------------------------------


def test_a_job_is_offered_only_when_the_one_before_it_has_succeeded() -> None:
    story = chained()
    assert phases(story, A, B, C) == [Phase.RUNNING, Phase.WAITING, Phase.WAITING]
    ends(story, A)
    story.is_taken()
    assert phases(story, A, B, C) == [Phase.SUCCEEDED, Phase.RUNNING, Phase.WAITING]
    ends(story, B)
    story.is_taken()
    ends(story, C)
    assert phases(story, A, B, C) == [Phase.SUCCEEDED] * 3


def test_a_job_with_several_before_it_waits_for_the_last_of_them() -> None:
    story = Story().agent_comes(slots=2)
    story.client_says(submit(A))
    story.is_taken()
    story.client_says(submit(B))
    story.is_taken()
    story.client_says(submit(C, after=(A, B)))
    ends(story, B)
    assert (story.offered(), story.phase(C)) == ([], Phase.WAITING)
    view = story.core.view(story.disk[C])
    assert (view.reason_code, view.reason) == (ReasonCode.WAITING_FOR_JOBS, f"it waits for job {A}")
    ends(story, A)
    assert len(story.offered()) == 1


def test_who_waits_for_many_names_some_of_them() -> None:
    story = Story()
    parents = tuple(job(number) for number in range(1, 6))
    for each in parents:
        story.client_says(submit(each))
    story.client_says(submit(job(9), after=parents))
    said = story.core.view(story.disk[job(9)]).reason
    assert said == f"it waits for 5 jobs: {parents[0]}, {parents[1]}, {parents[2]} and 2 more"


def test_a_job_after_one_that_has_succeeded_already_waits_for_nothing() -> None:
    story = Story()
    story.ends(story.runs())
    done = next(iter(story.disk))
    story.client_says(submit(A, after=(done,)))
    assert len(story.offered()) == 1


def test_a_failed_try_of_the_one_before_it_changes_nothing_for_a_job_that_waits() -> None:
    story = Story().agent_comes().client_says(submit(A, max_attempts=2))
    story.is_taken()
    story.client_says(submit(B, after=(A,)))
    ends(story, A, 1)
    assert phases(story, A, B) == [Phase.QUEUED, Phase.WAITING]


def test_a_job_would_rather_run_where_the_files_of_the_one_before_it_are() -> None:
    story = Story().agent_comes(slots=2)
    story.client_says(submit(A))
    story.is_taken()
    story.client_says(submit(B, after=(A,)))
    story.client_says(submit(C))
    running_c = story.is_taken()
    story.agent_comes(NAS, NAS_LIFE, slots=8)
    ends(story, A)
    story.is_taken()  # pi takes it: one of its two slots is free, and all eight of the other
    assert story.disk[B].placement == "pi had 1 of 2 cpu slots free and holds the files of the jobs before it"
    assert story.disk[C].attempts[-1].id == running_c


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [(B,), (A, B), (C,)])
def test_a_job_after_one_that_nobody_knows_is_refused(after: tuple[str, ...]) -> None:
    """Itself is one of these."""
    story = Story().client_says(submit(A)).client_says(submit(C, after=after))
    assert story.answer(Refusal).code is RefusalCode.UNKNOWN_JOB
    story.none(SaveJob)


def test_a_job_after_one_that_is_no_longer_kept_is_refused() -> None:
    story = Story()
    story.ends(story.runs())
    done = next(iter(story.disk))
    story.on(Pruned(jobs=(done,)))
    assert story.client_says(submit(A, after=(done,))).answer(Refusal).code is RefusalCode.UNKNOWN_JOB


def test_a_repeated_submit_is_accepted_though_the_job_before_it_is_no_longer_kept() -> None:
    story = chained()
    ends(story, A)
    story.on(Pruned(jobs=(A,)))
    assert story.client_says(submit(B, after=(A,))).answer(Accepted)


def test_what_open_jobs_come_after_is_spared() -> None:
    story = chained()
    ends(story, A)
    assert story.core.spared() == {A, B}


# --- ended ------------------------------------------------------------------------------------------------------------


def test_what_comes_after_a_failed_job_fails_with_it_and_says_which_one_is_to_blame() -> None:
    story = chained()
    ends(story, A, 1)
    assert phases(story, A, B, C) == [Phase.FAILED] * 3
    assert [story.disk[each].reason for each in (B, C)] == [
        f"job {A}, which it comes after, failed",
        f"job {B}, which it comes after, failed because of job {A}",
    ]
    assert {story.disk[each].reason_code for each in (B, C)} == {ReasonCode.PARENT_FAILED}
    assert [story.disk[each].permanent for each in (A, B, C)] == [True, False, False]
    assert story.agent_comes().offered() == []


def test_what_comes_after_a_cancelled_job_is_cancelled_with_it() -> None:
    story = chained()
    story.client_says(Cancel(job=A))
    assert phases(story, B, C) == [Phase.WAITING] * 2  # its agent may yet say that it had succeeded before
    story.ends(running(story, A), job=A, stopped=Stopped.CANCEL)
    assert phases(story, A, B, C) == [Phase.CANCELLED] * 3
    assert story.disk[C].reason_code is ReasonCode.PARENT_CANCELLED
    assert story.disk[C].reason == f"job {B}, which it comes after, was cancelled because of job {A}"


def test_a_cancelled_job_in_the_middle_takes_only_what_comes_after_it() -> None:
    story = chained()
    story.client_says(Cancel(job=B))
    assert phases(story, A, B, C) == [Phase.RUNNING, Phase.CANCELLED, Phase.CANCELLED]
    ends(story, A)
    assert story.offered() == []


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED])
def test_a_job_after_one_that_has_ended_badly_is_accepted_and_ends_at_once(phase: Phase) -> None:
    story = Story()
    attempt = story.runs()
    before = next(iter(story.disk))
    story.ends(attempt, exit_code=1, stopped=Stopped.CANCEL if phase is Phase.CANCELLED else None)
    assert story.phase(before) is phase
    story.client_says(submit(A, after=(before,)))
    assert story.answer(Accepted)
    assert story.phase(A) is phase


def test_who_waits_for_an_interactive_job_is_told_that_the_one_before_it_failed() -> None:
    story = Story().agent_comes().client_says(submit(A))
    story.is_taken()
    story.client_says(submit(B, kind=JobKind.INTERACTIVE, after=(A,)))
    ends(story, A, 1)
    (told,) = story.messages(Ended)
    assert (told.job, told.end.reason_code) == (B, ReasonCode.PARENT_FAILED)


def test_a_job_that_two_others_wait_for_by_different_ways_ends_each_of_them_once() -> None:
    story = Story()
    for each, after in ((A, ()), (B, (A,)), (C, (A,)), (D, (B, C))):
        story.client_says(submit(each, after=after))
    story.client_says(Cancel(job=A))
    events = [each.message for each in story.all(Publish, family=Family.EVENTS)]
    told = [each.job for each in events if isinstance(each, JobEvent) and each.event_type == "job_cancelled"]
    assert sorted(told, key=str) == [A, B, C, D]


def test_a_chain_may_be_longer_than_any_stack_is_deep() -> None:
    story = Story()
    for number in range(1, 501):
        story.client_says(submit(job(number), after=(job(number - 1),) if number > 1 else ()))
    story.client_says(Cancel(job=job(1)))
    assert {each.phase for each in story.disk.values()} == {Phase.CANCELLED}


# --- over a restart ---------------------------------------------------------------------------------------------------


def test_a_chain_goes_on_after_a_restart() -> None:
    story = chained()
    attempt = running(story, A)
    story = story.restarted()
    story.agent_comes()
    story.ends(attempt, job=A)
    story.is_taken()
    assert phases(story, A, B, C) == [Phase.SUCCEEDED, Phase.RUNNING, Phase.WAITING]


@pytest.mark.parametrize(
    ("exit_code", "after"), [(0, [Phase.QUEUED, Phase.WAITING]), (1, [Phase.FAILED, Phase.FAILED])]
)
def test_a_coordinator_that_died_between_an_end_and_what_follows_from_it_makes_up_for_it(
    exit_code: int, after: list[Phase]
) -> None:
    """One transaction holds both; but a backup, or a person, may have brought the one back without the other."""
    story = chained()
    before = {each: story.disk[each] for each in (B, C)}
    ends(story, A, exit_code)
    story.disk.update(before)
    story = story.restarted()
    assert phases(story, B, C) == after


def test_a_job_that_was_being_offered_when_another_was_put_after_it_is_offered_again_after_a_restart() -> None:
    story = Story().agent_comes().client_says(submit(A))
    assert story.offered()
    story.client_says(submit(B, after=(A,)))
    story = story.restarted()
    assert story.agent_comes().offered()


# --- the workflow -----------------------------------------------------------------------------------------------------


def test_all_jobs_of_a_chain_are_of_one_workflow_whose_name_is_that_of_the_first() -> None:
    story = chained()
    assert [story.disk[each].workflow for each in (A, B, C)] == [A, A, A]


def test_a_job_alone_is_of_no_workflow() -> None:
    story = Story().client_says(submit(A))
    assert story.disk[A].workflow is None


def test_a_job_that_comes_after_several_is_of_the_first_ones_workflow() -> None:
    story = chained(with_agent=False).client_says(submit(D)).client_says(submit(job(5), after=(C, D)))
    assert story.disk[job(5)].workflow == A


# --- brought back -----------------------------------------------------------------------------------------------------


def retried(story: Story, each: str) -> Story:
    return story.client_says(Retry(job=each)).disk_answers()


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_a_retry_brings_back_what_ended_with_the_job(how: str) -> None:
    story = chained()
    if how == "failed":
        ends(story, A, 1)
    else:
        story.client_says(Cancel(job=A))
        story.ends(running(story, A), job=A, stopped=Stopped.CANCEL)
    retried(story, A)
    assert story.answer(JobList).jobs[0].state is JobState.QUEUED
    assert phases(story, B, C) == [Phase.WAITING] * 2
    assert (story.disk[C].reason, story.disk[C].reason_code, story.disk[C].ended_at) == (None, None, None)
    for each in (A, B, C):
        story.is_taken()
        ends(story, each)
    assert phases(story, A, B, C) == [Phase.SUCCEEDED] * 3


def test_what_was_cancelled_by_itself_is_not_brought_back_by_a_retry_of_the_job_before_it() -> None:
    story = chained()
    story.client_says(Cancel(job=C))
    ends(story, A, 1)
    retried(story, A)
    assert phases(story, A, B, C) == [Phase.QUEUED, Phase.WAITING, Phase.CANCELLED]


def test_what_has_another_failed_job_before_it_stays_ended() -> None:
    story = Story().agent_comes(slots=2)
    for each in (A, B):
        story.client_says(submit(each))
        story.is_taken()
    story.client_says(submit(C, after=(A, B)))
    ends(story, A, 1)
    ends(story, B, 1)
    retried(story, A)
    assert phases(story, A, B, C) == [Phase.QUEUED, Phase.FAILED, Phase.FAILED]
    assert story.disk[C].reason == f"job {B}, which it comes after, failed"
    retried(story, B)
    assert phases(story, B, C) == [Phase.QUEUED, Phase.WAITING]


def test_what_somebody_waited_for_is_not_brought_back_by_a_retry_of_the_job_before_it() -> None:
    story = Story().agent_comes().client_says(submit(A))
    story.is_taken()
    story.client_says(submit(B, kind=JobKind.INTERACTIVE, after=(A,)), life=TV_LIFE)
    ends(story, A, 1)
    retried(story, A)
    assert phases(story, A, B) == [Phase.QUEUED, Phase.FAILED]


def test_a_job_whose_predecessor_failed_is_not_retried_alone_and_says_which_one_to_retry() -> None:
    story = chained()
    ends(story, A, 1)
    refusal = retried(story, B).answer(Refusal)
    assert refusal.code is RefusalCode.NOT_ALLOWED
    assert A in refusal.sentence
    story.none(SaveJob)


def test_a_chain_that_failed_in_the_middle_goes_on_from_there() -> None:
    story = chained()
    ends(story, A)
    story.is_taken()
    ends(story, B, 1)
    retried(story, B)
    assert phases(story, A, B, C) == [Phase.SUCCEEDED, Phase.QUEUED, Phase.WAITING]
    story.is_taken()
    ends(story, B)
    assert len(story.offered()) == 1


def test_a_failed_job_may_be_retried_though_the_one_before_it_is_no_longer_kept() -> None:
    story = chained()
    ends(story, A)
    story.is_taken()
    ends(story, B, 1)
    assert A not in story.core.spared()
    story.on(Pruned(jobs=(A,)))
    retried(story, B)
    assert phases(story, B, C) == [Phase.QUEUED, Phase.WAITING]


def test_a_job_that_never_ran_is_not_retried_when_the_one_before_it_is_no_longer_known() -> None:
    story = chained()
    ends(story, A, 1)
    story.on(Pruned(jobs=(A,)))
    refusal = retried(story, B).answer(Refusal)
    assert refusal.code is RefusalCode.NOT_ALLOWED
    assert A in refusal.sentence
    story.none(SaveJob)

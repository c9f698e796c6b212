"""What stays of a job at its end: how long it took, what it wrote, what its program said last."""

import msgspec

from ffmesh_coordinator.core import views
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol.messages.jobs import JobKind, JobSummary, PublicJob, Written
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.messages.requests import Cancel, Retry
from ffmesh_protocol.reasons import ReasonCode
from support.coordinating import JOB, Story, submit

OUTPUTS = (Written(path="$Movies/out.mkv", bytes=7_000_000_000),)
LINES = ("frame=1", "out.mkv: No space left on device")


def summary(story: Story) -> JobSummary | None:
    return views.job_view(story.saved()).summary


def test_an_open_job_has_none() -> None:
    story = Story()
    story.runs()
    assert summary(story) is None


def test_one_that_succeeded_has_its_outputs_and_how_long_its_program_ran() -> None:
    story = Story()
    story.ends(story.runs(), seconds=241.7, outputs=OUTPUTS, last_lines=LINES)
    assert summary(story) == JobSummary(seconds=241.7, outputs=OUTPUTS)


def test_one_that_failed_has_its_programs_last_lines_and_no_outputs() -> None:
    story = Story()
    story.ends(story.runs(), exit_code=1, seconds=2.5, outputs=OUTPUTS, last_lines=LINES)
    assert summary(story) == JobSummary(seconds=2.5, last_lines=LINES)


def test_one_whose_program_did_not_start_has_no_time() -> None:
    story = Story()
    code, failure = ReasonCode.NOT_STARTED, FailureKind.INPUT
    story.ends(story.runs(), started=False, seconds=0.0, reason_code=code, reason="why", failure=failure)
    assert summary(story) == JobSummary()


def test_one_that_never_ran_has_an_empty_one() -> None:
    story = Story()
    story.client_says(submit()).client_says(Cancel(job=JOB))
    assert summary(story) == JobSummary()


def test_it_is_of_the_last_attempt_alone() -> None:
    story = Story()
    story.agent_comes()
    first = story.runs(kind=JobKind.STAGED, max_attempts=2)
    story.ends(first, exit_code=1, last_lines=LINES)
    assert summary(story) is None
    story.client_says(Cancel(job=JOB))
    assert summary(story) == JobSummary()


def test_who_says_retry_opens_the_job_and_its_summary_is_gone() -> None:
    story = Story()
    story.ends(story.runs(), exit_code=1, last_lines=LINES)
    story.client_says(Retry(job=JOB)).disk_answers()
    assert (story.saved().phase, summary(story)) == (Phase.QUEUED, None)


def test_one_that_had_ended_before_there_were_summaries_has_an_empty_one() -> None:
    story = Story()
    story.ends(story.runs())
    old = msgspec.structs.replace(story.saved(), summary=None)
    assert views.job_view(old).summary == JobSummary()


def test_nothing_of_it_is_told_in_public() -> None:
    assert "summary" not in PublicJob.__struct_fields__

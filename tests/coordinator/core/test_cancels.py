"""A job that is to be cancelled ends, wherever it is and whoever does not answer."""

from collections.abc import Callable

import pytest

from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import times
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Refusal
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.reports import Claim, FailureKind, HeldPhase
from ffmesh_protocol.messages.requests import Cancel, Retry
from ffmesh_protocol.reasons import ReasonCode
from support.coordinating import JOB, Story, held, hello, holding, submit

PARENT = "0J" + "2" * 24


def waiting(kind: JobKind) -> Story:
    return Story().client_says(submit(PARENT)).client_says(submit(kind=kind, after=(PARENT,)))


def queued(kind: JobKind) -> Story:
    return Story().client_says(submit(kind=kind))


def resting(kind: JobKind) -> Story:
    story = Story()
    story.ends(story.runs(kind, max_attempts=2), started=False, failure=FailureKind.TRANSIENT)
    assert story.phase() is Phase.QUEUED
    return story


def offered(kind: JobKind) -> Story:
    story = Story().agent_comes().client_says(submit(kind=kind))
    assert story.offered()
    return story


def granted(kind: JobKind) -> Story:
    story = offered(kind)
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    assert story.granted()
    return story


def running(kind: JobKind) -> Story:
    story = Story()
    story.runs(kind)
    return story


@pytest.mark.parametrize("begin", [waiting, queued, resting, offered])
@pytest.mark.parametrize("kind", list(JobKind))
def test_what_no_agent_has_ends_at_once_and_is_never_started(begin: Callable[[JobKind], Story], kind: JobKind) -> None:
    story = begin(kind)
    story.client_says(Cancel(job=JOB))
    assert (story.saved().phase, story.saved().reason_code) == (Phase.CANCELLED, ReasonCode.CANCELLED)
    story.client_says(Cancel(job=PARENT)).agent_comes()
    for _ in range(5):
        story.agent_says(holding(), after=times.OFFER)
        assert story.offered() == []


@pytest.mark.parametrize("begin", [granted, running])
@pytest.mark.parametrize(
    ("kind", "within"),
    [
        (JobKind.INTERACTIVE, times.CANCEL_SILENCE),
        (JobKind.STAGED, times.CANCEL_SILENCE),
        (JobKind.DIRECT, times.LEASE),
    ],
)
@pytest.mark.parametrize("speaks", [True, False])
def test_what_an_agent_has_ends_also_when_it_never_answers(
    begin: Callable[[JobKind], Story], kind: JobKind, within: float, *, speaks: bool
) -> None:
    story = begin(kind)
    attempt = story.disk[JOB].attempts[0].id
    story.client_says(Cancel(job=JOB))
    assert story.stopped() == [attempt]
    for _ in range(5):
        assert not story.disk[JOB].has_ended
        if speaks:
            story.agent_says(holding(held(attempt, HeldPhase.RUNNING)))
            assert story.stopped() == [attempt]
        story.passes((within - 0.1) / 5)
    assert not story.disk[JOB].has_ended or not speaks
    story.passes(0.2)
    assert (story.phase(), story.disk[JOB].reason_code) == (Phase.CANCELLED, ReasonCode.CANCELLED)


@pytest.mark.parametrize("begin", [granted, running])
def test_the_slot_of_what_ended_without_an_answer_is_taken_until_the_agent_speaks(
    begin: Callable[[JobKind], Story],
) -> None:
    story = begin(JobKind.STAGED)
    attempt = story.disk[JOB].attempts[0].id
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)))
    story.client_says(Cancel(job=JOB))
    story.passes(times.CANCEL_SILENCE)
    story.client_says(submit(PARENT))
    assert story.offered() == []
    assert story.agent_says(holding(held(attempt, HeldPhase.RUNNING))).offered() == []
    assert story.agent_says(holding()).offered()


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_wish_to_cancel_outlives_the_coordinator(kind: JobKind) -> None:
    story = running(kind)
    attempt = story.disk[JOB].attempts[0].id
    story.client_says(Cancel(job=JOB))
    story = story.restarted()
    story.agent_says(hello(held(attempt, HeldPhase.RUNNING)))
    assert (story.stopped(), story.renewed()) == ([attempt], [])
    story.passes(times.LEASE)
    assert story.phase() is Phase.CANCELLED


def test_a_cancelled_job_whose_agent_died_is_cancelled_and_not_lost() -> None:
    story = Story()
    story.runs(JobKind.STAGED, max_attempts=5)
    story.client_says(Cancel(job=JOB))
    story.agent_is_gone()
    assert (story.saved().phase, story.saved().reason_code) == (Phase.CANCELLED, ReasonCode.CANCELLED)


def test_a_job_that_was_cancelled_while_it_waited_for_its_next_try_waits_no_more_when_a_person_says_retry() -> None:
    story = resting(JobKind.DIRECT)
    story.client_says(Cancel(job=JOB)).client_says(Retry(job=JOB)).disk_answers()
    assert len(story.offered()) == 1


def test_a_job_that_is_being_cancelled_is_not_said_to_be_tried_again() -> None:
    story = Story()
    story.runs(JobKind.DIRECT)
    story.client_says(Cancel(job=JOB))
    refusal = story.client_says(Retry(job=JOB)).answer(Refusal)
    assert (refusal.code, "still being cancelled" in refusal.sentence) == (RefusalCode.NOT_ALLOWED, True)
    story.none(SaveJob)


def test_a_cancelled_job_does_not_come_back_when_its_wait_would_have_been_over() -> None:
    story = resting(JobKind.DIRECT)
    story.client_says(Cancel(job=JOB))
    story.agent_says(holding(), after=times.RETRY_FIRST)
    assert story.offered() == []
    story.none(SaveJob)

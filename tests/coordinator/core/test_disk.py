"""A disk that takes nothing, and one that has forgotten what ended long ago."""

from ffmesh_coordinator.core.effects import Publish, SaveJob
from ffmesh_coordinator.core.events import DiskCleared, DiskFilled, OwnStatusSeen, Pruned
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import times
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.answers import Accepted, Attended, Refusal
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import HeldPhase
from ffmesh_protocol.messages.requests import Attending, Cancel, Retry
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.topics import Family
from support.coordinating import JOB, Story, held, holding, submit

OTHER = "0J" + "2" * 24


def said(story: Story) -> CoordinatorState:
    status = story.one(Publish, family=Family.COORDINATOR_STATUS).message
    assert isinstance(status, CoordinatorStatus)
    return status.state


def test_a_full_disk_is_said_to_everybody_and_so_is_its_end() -> None:
    assert said(Story().on(DiskFilled())) is CoordinatorState.FULL
    assert said(Story().on(DiskFilled()).on(DiskCleared())) is CoordinatorState.ONLINE


def test_what_is_retained_of_us_is_put_right_to_full_and_not_to_online() -> None:
    story = Story().on(DiskFilled()).passes(times.STATUS_AT_MOST)
    assert said(story.on(OwnStatusSeen(status=None))) is CoordinatorState.FULL


def test_a_full_disk_takes_no_new_job_and_says_what_to_do() -> None:
    story = Story().on(DiskFilled()).client_says(submit())
    refusal = story.answer(Refusal)
    assert refusal.code is RefusalCode.FULL
    assert refusal.sentence == "the disk of the coordinator is full; make room there, then hand the job in again"
    story.none(SaveJob)
    assert story.on(DiskCleared()).client_says(submit()).answer(Accepted)


def test_what_was_accepted_before_the_disk_was_full_is_still_accepted_when_it_is_said_again() -> None:
    story = Story().client_says(submit()).on(DiskFilled()).client_says(submit())
    assert story.answer(Accepted)


def test_a_full_disk_offers_nothing_and_says_so_to_who_asks() -> None:
    story = Story().client_says(submit()).on(DiskFilled()).agent_comes()
    assert story.offered() == []
    view = story.core.view(story.disk[JOB])
    assert view.reason_code is ReasonCode.WAITING_FOR_AGENT
    assert view.reason == "the coordinator's disk is full; nothing is started"
    assert len(story.on(DiskCleared()).offered()) == 1


def test_a_full_disk_opens_no_job_again() -> None:
    story = Story()
    story.ends(story.runs(), exit_code=1)
    story.on(DiskFilled()).client_says(Retry(job=JOB)).disk_answers()
    assert story.answer(Refusal).code is RefusalCode.FULL
    story.none(SaveJob)


def test_what_runs_goes_on_while_the_disk_is_full() -> None:
    story = Story()
    attempt = story.runs()
    story.on(DiskFilled())
    for _ in range(int(2 * times.LEASE / times.HOLDING)):
        story.agent_says(holding(held(attempt, HeldPhase.RUNNING)), after=times.HOLDING)
        assert story.renewed() == [attempt]
    story.ends(attempt)
    assert story.phase() is Phase.SUCCEEDED


# --- forgotten --------------------------------------------------------------------------------------------------------


def ended() -> Story:
    story = Story()
    story.ends(story.runs())
    return story


def test_a_job_that_is_no_longer_kept_is_known_no_more() -> None:
    story = ended().on(Pruned(jobs=(JOB,)))
    assert story.client_says(Cancel(job=JOB)).answer(Refusal).code is RefusalCode.UNKNOWN_JOB
    assert story.client_says(Retry(job=JOB)).answer(Refusal).code is RefusalCode.UNKNOWN_JOB
    story.client_says(Attending(jobs=(JOB,)))
    assert [news.known for message in story.messages(Attended) for news in message.jobs] == [False]


def test_an_ended_job_is_known_until_it_is_pruned() -> None:
    story = ended().on(Pruned(jobs=(OTHER,)))
    assert story.client_says(Cancel(job=JOB)).answer(Refusal).code is RefusalCode.TOO_LATE


def test_to_forget_the_same_job_twice_changes_nothing() -> None:
    story = ended().on(Pruned(jobs=(JOB,))).on(Pruned(jobs=(JOB,)))
    story.none(SaveJob)

"""How long an attempt may go on without our word, and when what is lost becomes another's."""

import pytest

from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.core.events import (
    AgentStatusSeen,
    ClientStatusSeen,
    Connected,
    Disconnected,
    PrincipalRemoved,
    Thawed,
)
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import times
from ffmesh_protocol.messages.answers import Ended
from ffmesh_protocol.messages.jobs import AttemptState, JobKind
from ffmesh_protocol.messages.orders import Leased
from ffmesh_protocol.messages.presence import AgentState, AgentStatus, ClientState, ClientStatus
from ffmesh_protocol.messages.reports import Claim, HeldPhase
from ffmesh_protocol.messages.requests import Attending, Bye, Cancel
from ffmesh_protocol.reasons import ReasonCode
from support.coordinating import (
    JOB,
    LATER_LIFE,
    NAS,
    NAS_LIFE,
    PI,
    PI_LIFE,
    TV_LIFE,
    Story,
    held,
    hello,
    holding,
    submit,
)


def goes_on(story: Story, attempt: str, seconds: float) -> None:
    """Its agent says again and again that it has it."""
    for _ in range(int(seconds / times.HOLDING)):
        story.agent_says(holding(held(attempt, HeldPhase.RUNNING)), after=times.HOLDING)


# --- renewed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [HeldPhase.GRANTED, HeldPhase.RUNNING, HeldPhase.STAGED, HeldPhase.COMMITTING])
def test_the_answer_to_a_holding_names_its_beat_and_what_it_renews(phase: HeldPhase) -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story.agent_says(holding(held(attempt, phase), beat=7))
    assert story.messages(Leased) == [Leased(beat=7, attempts=(attempt,))]


def test_the_hello_of_the_same_life_renews_as_a_holding_does() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(hello(held(attempt, HeldPhase.RUNNING), beat=3))
    assert story.messages(Leased) == [Leased(beat=3, attempts=(attempt,))]


def test_an_attempt_whose_agent_goes_on_saying_so_is_never_lost() -> None:
    story = Story()
    attempt = story.runs()
    goes_on(story, attempt, 3 * times.LEASE)
    assert story.phase() is Phase.RUNNING


def test_what_its_agent_does_not_list_is_not_renewed() -> None:
    story = Story()
    story.runs()
    story.agent_says(holding())
    assert story.messages(Leased) == []


def test_what_only_the_agent_believes_to_have_is_not_renewed() -> None:
    story = Story().agent_comes()
    story.agent_says(holding(held("0X" + "1" * 24, HeldPhase.RUNNING)))
    assert story.messages(Leased) == []


def test_what_another_agent_was_granted_is_not_renewed_for_who_lists_it() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)), who=NAS, life=NAS_LIFE)
    assert (story.renewed(), story.stopped()) == ([], [attempt])


def test_a_reserved_slot_has_no_lease() -> None:
    story = Story().agent_comes().client_says(submit())
    (attempt,) = story.offered()
    story.agent_says(Claim(attempts=(attempt,)))
    story.agent_says(holding(held(attempt, HeldPhase.RESERVED)))
    assert story.renewed() == []


def test_a_cancelled_attempt_gets_no_more_time() -> None:
    story = Story()
    attempt = story.runs()
    story.client_says(Cancel(job=JOB))
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)))
    assert (story.renewed(), story.stopped()) == ([], [attempt])
    goes_on(story, attempt, times.LEASE)
    assert story.phase() is Phase.CANCELLED


def test_a_life_that_is_not_the_holders_heir_renews_nothing_of_it() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    later = hello(held(attempt, HeldPhase.STAGED), boot="another boot")
    story.agent_says(later, life=LATER_LIFE)
    assert (story.renewed(), story.permitted()) == ([], [])


# --- counted anew -----------------------------------------------------------------------------------------------------


def test_a_silent_attempt_is_lost_when_its_lease_is_over_and_not_before() -> None:
    story = Story()
    story.runs()
    story.passes(times.LEASE - 0.1)
    assert story.phase() is Phase.RUNNING
    story.passes(0.1)
    assert (story.saved().phase, story.saved().reason_code) == (Phase.FAILED, ReasonCode.LOST)


def test_silence_counts_only_while_the_coordinator_could_have_heard() -> None:
    story = Story()
    story.runs()
    story.on(Disconnected())
    story.passes(10 * times.LEASE)
    assert story.phase() is Phase.RUNNING
    story.on(Connected(connection=2))
    story.passes(times.LEASE - 0.1)
    assert story.phase() is Phase.RUNNING
    story.passes(0.1)
    assert story.saved().reason_code is ReasonCode.LOST


def test_a_coordinator_that_was_frozen_gives_everyone_a_whole_lease() -> None:
    story = Story()
    story.runs()
    story.on(Thawed(), after=10 * times.LEASE)
    story.passes(times.LEASE - 0.1)
    assert story.phase() is Phase.RUNNING
    story.passes(0.1)
    assert story.saved().reason_code is ReasonCode.LOST


@pytest.mark.parametrize(
    ("kind", "lease"),
    [
        (JobKind.DIRECT, times.LEASE),
        (JobKind.STAGED, times.LEASE),
        (JobKind.INTERACTIVE, times.LEASE_INTERACTIVE),
    ],
)
def test_a_coordinator_that_starts_waits_a_whole_lease_before_it_calls_anyone_lost(kind: JobKind, lease: float) -> None:
    story = Story()
    attempt = story.runs(kind)
    story.passes(times.AGENT_SILENCE - 1)
    story = story.restarted()
    for _ in range(10):
        assert story.phase() is Phase.RUNNING
        story.client_says(Attending(jobs=(JOB,))).passes((lease - 0.1) / 10)
    assert story.phase() is Phase.RUNNING
    story.passes(0.1)
    assert story.disk[JOB].attempts[-1].state is AttemptState.LOST
    assert story.disk[JOB].attempts[-1].id == attempt


def test_an_agent_that_greets_a_coordinator_that_has_just_started_keeps_what_it_runs() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED)
    story = story.restarted()
    story.agent_says(hello(held(attempt, HeldPhase.RUNNING)), after=times.LEASE - 1)
    assert story.renewed() == [attempt]
    story.passes(times.AGENT_SILENCE - 1)
    assert story.phase() is Phase.RUNNING


@pytest.mark.parametrize("event", [Thawed(), Connected(connection=2)])
def test_a_will_that_came_before_we_could_not_hear_is_given_its_grace_anew(event: Thawed | Connected) -> None:
    story = Story()
    story.runs(JobKind.STAGED)
    story.on(AgentStatusSeen(agent="pi", status=AgentStatus(state=AgentState.OFFLINE, life=PI_LIFE, connection=1)))
    if isinstance(event, Connected):
        story.on(Disconnected())
    story.on(event, after=times.WILL_GRACE)
    story.on(AgentStatusSeen(agent="pi", status=AgentStatus(state=AgentState.ONLINE, life=PI_LIFE, connection=2)))
    story.passes(times.WILL_GRACE)
    assert story.phase() is Phase.RUNNING


@pytest.mark.parametrize("event", [Thawed(), Connected(connection=2)])
def test_the_will_of_a_client_is_given_its_grace_anew_too(event: Thawed | Connected) -> None:
    story = Story()
    story.runs(JobKind.INTERACTIVE)
    story.on(ClientStatusSeen(client="tv", status=ClientStatus(state=ClientState.OFFLINE, life=TV_LIFE, connection=1)))
    if isinstance(event, Connected):
        story.on(Disconnected())
    story.on(event, after=times.WILL_GRACE)
    story.on(ClientStatusSeen(client="tv", status=ClientStatus(state=ClientState.ONLINE, life=TV_LIFE, connection=2)))
    story.passes(times.WILL_GRACE)
    assert story.disk[JOB].cancel is None


# --- when it is another's ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["will", "silence", "bye", "removed"])
def test_a_staged_job_is_offered_again_at_once_when_its_agent_is_gone(how: str) -> None:
    story = Story()
    story.runs(JobKind.STAGED, max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    lose(story, how)
    story.is_taken(who=NAS, life=NAS_LIFE)
    states = [attempt.state for attempt in story.disk[JOB].attempts]
    assert states == [AttemptState.LOST, AttemptState.RUNNING]


def lose(story: Story, how: str) -> None:
    if how == "will":
        story.agent_is_gone()
    elif how == "silence":
        story.agent_says(holding(), who=NAS, life=NAS_LIFE, after=times.AGENT_SILENCE - 1).passes(1)
    elif how == "bye":
        story.agent_says(Bye())
    else:
        story.on(PrincipalRemoved(principal=PI))


@pytest.mark.parametrize("how", ["will", "silence", "bye", "removed"])
def test_a_direct_job_is_offered_again_only_when_the_lease_of_the_lost_attempt_is_over(how: str) -> None:
    story = Story()
    story.runs(JobKind.DIRECT, max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    lose(story, how)
    while story.now < times.LEASE - 0.1:
        assert story.offered() == []
        assert story.phase() is Phase.RUNNING
        story.agent_says(holding(), who=NAS, life=NAS_LIFE, after=min(1.0, times.LEASE - 0.1 - story.now))
    story.passes(0.1)
    assert len(story.offered()) == 1


def test_who_waits_for_an_interactive_job_is_told_at_once_that_its_agent_is_gone_and_it_is_not_run_again() -> None:
    story = Story()
    story.runs(JobKind.INTERACTIVE, max_attempts=5)
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_is_gone()
    (told,) = story.messages(Ended)
    assert (told.end.reason_code, told.end.streams_lost) == (ReasonCode.LOST, True)
    assert story.offered() == []


def test_an_agent_that_comes_back_to_a_job_that_went_elsewhere_is_told_to_stop_and_keeps_its_slot_taken() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED, max_attempts=2)
    story.agent_is_gone()
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)))
    assert story.stopped() == [attempt]
    assert story.offered() == []  # its only slot is not free before it says so
    assert story.agent_says(holding()).offered()


def test_a_job_that_no_try_is_left_for_has_failed_for_good_when_it_is_lost() -> None:
    story = Story()
    story.runs(JobKind.STAGED)
    story.agent_is_gone()
    assert (story.saved().reason_code, story.saved().permanent) == (ReasonCode.LOST, True)


# --- a new life of the agent ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(JobKind))
def test_a_later_life_on_the_same_machine_ends_the_leases_of_the_earlier_one(kind: JobKind) -> None:
    story = Story()
    story.runs(kind, max_attempts=2)
    story.agent_says(hello(), life=LATER_LIFE)
    assert story.disk[JOB].attempts[0].state is AttemptState.LOST


@pytest.mark.parametrize(("boot", "spool"), [("another", "spool"), ("boot", "another"), ("", ""), ("other", "other")])
def test_a_copy_of_the_machine_ends_no_lease(boot: str, spool: str) -> None:
    story = Story()
    story.runs(JobKind.DIRECT, max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_says(hello(boot=boot, spool=spool), life=LATER_LIFE)
    story.none(SaveJob)
    assert story.offered() == []


def test_a_staged_job_need_not_wait_for_the_lease_of_a_life_that_another_machine_has_followed() -> None:
    story = Story()
    story.runs(JobKind.STAGED, max_attempts=2)
    story.agent_comes(NAS, NAS_LIFE)
    story.agent_says(hello(boot="another"), life=LATER_LIFE)
    assert len(story.offered()) == 1


def test_who_names_neither_boot_nor_spool_is_nobodys_heir() -> None:
    story = Story()
    story.agent_comes()
    story.agent_says(hello(boot="", spool=""))
    story.client_says(submit(max_attempts=2))
    story.is_taken()
    story.agent_says(hello(boot="", spool=""), life=LATER_LIFE)
    story.none(SaveJob)


def test_a_machine_that_started_anew_while_it_put_an_output_in_place_does_not_keep_the_job_for_ever() -> None:
    story = Story()
    attempt = story.runs(JobKind.STAGED, max_attempts=2)
    story.agent_says(holding(held(attempt, HeldPhase.STAGED)))
    assert story.permitted() == [attempt]
    story.agent_says(hello(held(attempt, HeldPhase.STAGED), boot="the next boot"), life=LATER_LIFE)
    for _ in range(int(times.LEASE / times.HOLDING)):
        story.agent_says(holding(held(attempt, HeldPhase.STAGED)), life=LATER_LIFE, after=times.HOLDING)
    assert story.disk[JOB].attempts[0].state is AttemptState.LOST
    assert story.agent_says(holding(held(attempt, HeldPhase.STAGED)), life=LATER_LIFE).stopped() == [attempt]

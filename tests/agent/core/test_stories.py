"""What the agent does with what it hears: stories of one attempt each."""

import msgspec
import pytest

from agent.core.story import (
    ATTEMPT,
    BOSS,
    LENGTHS,
    OTHER,
    OTHER_BOSS,
    Story,
    audience,
    client_status,
    coordinator,
    credit,
    grant,
    new_core,
    offer,
)
from ffmesh_agent.core.agent import NOT_A_MEMBER, REFUSED_FOR
from ffmesh_agent.core.effects import (
    CloseStreams,
    DropResult,
    Effect,
    KeepResult,
    Kill,
    Launch,
    Leave,
    OpenStreams,
    Publish,
    Quit,
    ReadTail,
    SealOutput,
    Tell,
    Terminate,
)
from ffmesh_agent.core.events import (
    Connected,
    ConnectFailed,
    CoordinatorSeen,
    CoordinatorSpoke,
    Disconnected,
    Event,
    HeartbeatReturned,
    LoadSampled,
    OwnAdvertSeen,
    OwnStatusSeen,
    ProgramEnded,
    ProgramNotStarted,
    ProgramStarted,
    ProgressRead,
    Restored,
    ResultKept,
    StopAsked,
    TailRead,
    Thawed,
    Woken,
)
from ffmesh_protocol import times
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.capability import Load
from ffmesh_protocol.messages.jobs import JobKind, Progress
from ffmesh_protocol.messages.orders import (
    Drain,
    Grant,
    Grants,
    Offers,
    Resend,
    Settled,
    Superseded,
    TailWanted,
    Welcome,
    Withdrawn,
)
from ffmesh_protocol.messages.presence import AgentState, AgentStatus, ClientState, CoordinatorState
from ffmesh_protocol.messages.reports import (
    Claim,
    Decline,
    DeclineCode,
    FailureKind,
    HeldPhase,
    Hello,
    Holding,
    Results,
    Tail,
)
from ffmesh_protocol.messages.requests import Bye
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.topics import Family
from support.coordinating import PI_LIFE, D, result
from support.playbook import Playbook

# --- offers and grants ------------------------------------------------------------------------------------------------


def test_only_a_grant_starts_a_program() -> None:
    story = Story().claims()
    assert story.says(Claim)[0].attempts == (ATTEMPT,)
    story.none(Launch)
    assert story.is_granted().one(Launch).grant.attempt == ATTEMPT


def test_a_repeated_grant_starts_nothing_again() -> None:
    story = Story().runs().is_granted()
    story.none(Launch)


def test_a_grant_of_an_ended_attempt_is_answered_with_its_result() -> None:
    story = Story().runs().ends()
    story.is_kept()
    story.is_granted()
    story.none(Launch)
    assert story.says(Results)


def test_a_grant_of_a_settled_attempt_starts_nothing() -> None:
    story = Story().runs().ends()
    story.is_kept()
    story.hears(Settled(attempts=(ATTEMPT,)))
    story.is_granted()
    story.none(Launch)


def test_a_grant_whose_number_is_not_above_what_was_told_as_heard_is_dropped() -> None:
    story = Story().hears(Drain(draining=False), number=50)
    story.on(Woken(), after=times.HOLDING)
    assert story.says(Holding)[0].heard == 50
    story.hears(Grants(grants=(grant(),)), number=49)
    story.none(Launch)
    story.hears(Offers(offers=(offer(),)), number=51)
    story.hears(Grants(grants=(grant(),)), number=52)
    assert story.one(Launch)


def test_a_claim_keeps_the_slot_for_ten_seconds() -> None:
    story = Story().claims().hears(Offers(offers=(offer(OTHER),)))
    assert story.says(Decline)[0].declined[0].code is DeclineCode.BUSY
    story.on(Woken(), after=times.RESERVATION)
    assert story.hears(Offers(offers=(offer(OTHER),))).says(Claim)


def test_a_withdrawn_claim_frees_the_slot_at_once() -> None:
    story = Story().claims().hears(Withdrawn(attempts=(ATTEMPT,)))
    assert story.hears(Offers(offers=(offer(OTHER),))).says(Claim)


def test_a_program_off_the_list_a_missing_root_and_a_drained_agent_are_declined() -> None:
    story = Story()
    assert (
        story.hears(Offers(offers=(offer(program="rm"),))).says(Decline)[0].declined[0].code is DeclineCode.NOT_LISTED
    )
    assert (
        story.hears(Offers(offers=(offer(roots=("X",)),))).says(Decline)[0].declined[0].code is DeclineCode.ROOT_MISSING
    )
    story.hears(Drain(draining=True))
    assert story.one(Publish, family=Family.AGENT_STATUS)
    assert story.hears(Offers(offers=(offer(),))).says(Decline)[0].declined[0].code is DeclineCode.DRAINING


def test_an_offer_that_requires_what_this_agent_does_not_know_is_declined() -> None:
    story = Story().hears(Offers(requires=("teleport",), offers=(offer(),)))
    assert "teleport" in story.says(Decline)[0].declined[0].reason
    assert not story.says(Claim)


def test_a_grant_that_requires_what_this_agent_does_not_know_starts_nothing() -> None:
    Story().hears(Grants(requires=("teleport",), grants=(grant(),))).none(Launch)


def test_a_genuine_grant_of_a_program_off_the_list_starts_nothing_and_says_why() -> None:
    forbidden = Grants(grants=(_with_program(grant(), "rm"),))
    story = Story().hears(forbidden)
    story.none(Launch)
    kept = story.one(KeepResult).result
    assert (kept.started, kept.reason_code) == (False, ReasonCode.REFUSED_BY_AGENT)


def _with_program(granted: Grant, program: str) -> Grant:
    return msgspec.structs.replace(granted, program=program, needs=Needs(program=program))


def test_a_grant_without_a_claim_takes_no_slot_that_is_used() -> None:
    story = Story().runs().hears(Grants(grants=(grant(OTHER),)))
    story.none(Launch)
    assert story.one(KeepResult).result.started is False


# --- results ----------------------------------------------------------------------------------------------------------


def test_a_result_is_on_disk_before_it_is_told_and_stays_until_it_is_settled() -> None:
    story = Story().runs().ends()
    assert not story.says(Results)
    assert story.one(KeepResult).result.exit_code == 0
    story.is_kept()
    assert story.says(Results)
    story.none(DropResult)
    assert story.hears(Settled(attempts=(ATTEMPT,))).one(DropResult).attempt == ATTEMPT


def test_a_result_that_is_asked_for_again_is_told_again() -> None:
    story = Story().runs().ends()
    story.is_kept()
    assert story.hears(Resend(attempts=(ATTEMPT,))).says(Results)


def test_results_of_an_earlier_life_are_listed_in_the_hello_and_told_when_welcome() -> None:
    story = Playbook[Event, Effect, float](new_core().handle, float)
    story.on(Restored(results=(result(ATTEMPT),)))
    story.on(Connected(connection=1))
    story.on(CoordinatorSeen(status=coordinator(BOSS)))
    hello = _only(story, Hello)
    assert [(held.attempt, held.phase) for held in hello.held] == [(ATTEMPT, HeldPhase.ENDED)]
    story.on(CoordinatorSpoke(life=BOSS, number=1, word=Welcome(draining=False)))
    assert _only(story, Results).results[0].attempt == ATTEMPT


def _only(story: Playbook[Event, Effect, float], kind: type[D]) -> D:
    (message,) = [tell.message for tell in story.all(Tell) if isinstance(tell.message, kind)]
    return message


# --- failures ---------------------------------------------------------------------------------------------------------


def test_the_result_of_a_program_that_failed_says_what_may_be_done_about_it() -> None:
    kept = Story().runs().ends(exit_code=1, failure=FailureKind.INPUT).one(KeepResult).result
    assert (kept.exit_code, kept.stopped, kept.failure) == (1, None, FailureKind.INPUT)


def test_a_program_that_we_stopped_has_no_failure_of_its_own() -> None:
    story = Story().runs().stops()
    assert story.ends(exit_code=1, failure=FailureKind.INPUT).one(KeepResult).result.failure is None


def test_a_program_that_was_not_started_says_what_may_be_done_about_it_unless_it_was_stopped() -> None:
    said = ProgramNotStarted(
        attempt=ATTEMPT, reason_code=ReasonCode.NOT_STARTED, sentence="no such file", failure=FailureKind.PERMANENT
    )
    story = Story().claims().is_granted()
    story.on(said)
    kept = story.one(KeepResult).result
    assert (kept.started, kept.reason, kept.failure) == (False, "no such file", FailureKind.PERMANENT)
    story = Story().claims().is_granted().stops()
    story.on(said)
    kept = story.one(KeepResult).result
    assert (kept.started, kept.stopped, kept.failure) == (False, Stopped.CANCEL, None)


def test_what_this_machine_refuses_or_cannot_open_lies_with_this_machine() -> None:
    story = Story().hears(Grants(grants=(_with_program(grant(), "rm"),)))
    assert story.one(KeepResult).result.failure is FailureKind.NODE
    foreign = msgspec.structs.replace(grant(kind=JobKind.INTERACTIVE), audience=audience(ATTEMPT, OTHER))
    assert Story().hears(Grants(grants=(foreign,))).one(KeepResult).result.failure is FailureKind.NODE


def test_a_client_that_never_came_is_no_failure_of_this_machine() -> None:
    story = Story().claims(JobKind.INTERACTIVE).is_granted(JobKind.INTERACTIVE).passes(times.FIRST_CREDIT)
    assert story.one(KeepResult).result.failure is FailureKind.TRANSIENT


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_a_stop_is_sigterm_and_then_sigkill_and_the_result_says_who_wanted_it() -> None:
    story = Story().runs().stops()
    assert story.one(Terminate)
    story.on(Woken(), after=times.STOP_TERM)
    assert story.one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.CANCEL


def test_a_program_that_ends_with_0_because_we_stopped_it_says_so() -> None:
    assert Story().runs().stops().ends(exit_code=0).one(KeepResult).result.stopped is Stopped.CANCEL


def test_a_program_that_reads_keys_is_stopped_by_q_then_sigterm_then_sigkill() -> None:
    story = Story().runs(reads_keys=True).stops()
    assert story.one(Quit)
    story.none(Terminate)
    story.passes(times.STOP_Q - 0.5).none(Terminate)
    assert story.passes(0.5).one(Terminate)
    story.passes(times.STOP_TERM - 0.5).none(Kill)
    assert story.passes(0.5).one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.CANCEL


def test_q_is_asked_once_whoever_else_wants_the_program_stopped_meanwhile() -> None:
    story = Story().runs(reads_keys=True).stops()
    story.passes(1.0).stops(Stopped.TIMEOUT)
    story.none(Quit)
    story.none(Terminate)


def test_a_program_that_was_asked_by_q_and_ends_with_0_is_no_success_and_nothing_follows_it() -> None:
    story = Story().runs(JobKind.STAGED, reads_keys=True).stops()
    kept = story.ends(exit_code=0).one(KeepResult).result
    assert (kept.exit_code, kept.stopped, kept.failure) == (0, Stopped.CANCEL, None)
    story.none(SealOutput)
    story.is_kept().passes(times.STOP_Q + times.STOP_TERM)
    story.none(Terminate)
    story.none(Kill)


def test_a_lease_that_nears_its_end_leaves_time_for_q_sigterm_and_sigkill_before_the_wardens_deadline() -> None:
    story = Story().runs(reads_keys=True)
    assert story.passes(times.LEASE - times.LEASE_STOP).one(Quit)
    assert story.passes(times.STOP_Q).one(Terminate)
    assert story.passes(times.STOP_TERM).one(Kill)
    assert story.now < times.LEASE - times.LEASE_KILL


def test_a_shutdown_asks_no_keys_and_does_not_wait_for_an_answer_to_one() -> None:
    story = Story().runs(reads_keys=True)
    story.on(StopAsked())
    story.none(Quit)
    assert story.one(Terminate)
    story = Story().runs(reads_keys=True).stops()
    story.on(StopAsked())
    assert story.one(Terminate)
    assert story.passes(1.0).one(Kill)


def test_a_stop_of_an_attempt_whose_grant_is_still_under_way_keeps_it_from_ever_starting() -> None:
    story = Story().stops()
    assert story.one(KeepResult).result.started is False
    story.is_granted()
    story.none(Launch)


def test_a_program_that_was_stopped_while_it_was_being_started_is_stopped_when_it_has() -> None:
    story = Story().claims().is_granted().stops()
    story.on(ProgramStarted(attempt=ATTEMPT))
    assert story.one(Terminate)


def test_a_program_that_runs_too_long_is_stopped_and_has_timed_out() -> None:
    story = Story().runs(timeout=5.0)
    story.on(Woken(), after=5.0)
    assert story.one(Terminate)
    assert story.ends(exit_code=255).one(KeepResult).result.reason_code is ReasonCode.TIMED_OUT


def test_a_shutdown_stops_what_runs_keeps_the_results_and_leaves() -> None:
    story = Story().runs()
    story.on(StopAsked())
    assert story.one(Terminate)
    story.on(Woken(), after=1.0)
    assert story.one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.SHUTDOWN
    story.is_kept()
    assert story.one(Leave).exit_code == 0
    status = story.all(Publish, family=Family.AGENT_STATUS)[-1].message
    assert status == AgentStatus(state=AgentState.OFFLINE, life=PI_LIFE, connection=1)


def test_an_idle_agent_leaves_at_once_and_one_whose_program_hangs_does_not_wait_for_ever() -> None:
    story = Story()
    story.on(StopAsked())
    assert story.one(Leave)
    story = Story().runs()
    story.on(StopAsked())
    story.on(Woken(), after=10.0)
    assert story.one(Leave)


def test_an_agent_whose_last_result_is_kept_when_its_patience_ends_leaves_once() -> None:
    story = Story().runs()
    story.on(StopAsked())
    story.ends()
    story.passes(2.5)
    story.on(ResultKept(attempt=ATTEMPT), after=10.0)
    assert story.one(Leave)


def test_an_agent_whose_life_has_ended_stops_everything_and_leaves_to_be_started_again() -> None:
    story = Story().runs().hears(Retired())
    assert story.one(Terminate)
    story.ends(exit_code=None, signal=15).is_kept()
    assert story.one(Leave).exit_code == 1


def test_an_agent_whose_name_is_taken_over_stops_everything_and_stays_down() -> None:
    story = Story().runs().hears(Superseded())
    assert story.one(Terminate)
    assert story.ends(exit_code=None, signal=15).one(KeepResult)
    assert story.is_kept().one(Leave).exit_code == 78


def test_an_agent_whose_name_is_taken_over_says_nothing_more_under_it() -> None:
    story = Story().runs()
    story.on(ProgressRead(attempt=ATTEMPT, progress=Progress(percent=1.0)))
    other_life = AgentStatus(state=AgentState.ONLINE, life=OTHER, connection=1)
    later: tuple[Event, ...] = (
        CoordinatorSpoke(life=BOSS, number=90, word=Superseded()),
        OwnStatusSeen(status=other_life),
        CoordinatorSpoke(life=BOSS, number=91, word=Drain(draining=True)),
        LoadSampled(load=Load(cpu_percent=None, memory_percent=None, temperature_c=None)),
        Disconnected(),
        Connected(connection=2),
        ProgramEnded(attempt=ATTEMPT, exit_code=None, signal=15, seconds=1.0, lengths=LENGTHS),
        ResultKept(attempt=ATTEMPT),
    )
    for event in later:
        story.on(event)
        story.none(Publish)
        assert not story.says(Bye), story.told("it said bye")
    assert story.one(Leave)


def test_an_agent_whose_name_is_taken_over_while_it_leaves_says_nothing_more_and_stays_down() -> None:
    story = Story().runs()
    story.on(StopAsked())
    story.hears(Superseded())
    story.ends(exit_code=None, signal=15).is_kept()
    story.none(Publish)
    assert not story.says(Bye)
    assert story.one(Leave).exit_code == 78


def test_an_agent_that_leaves_says_bye_and_that_it_is_offline() -> None:
    story = Story()
    story.on(StopAsked())
    assert story.says(Bye)
    assert story.one(Publish, message=AgentStatus(state=AgentState.OFFLINE, life=PI_LIFE, connection=1))


def test_whatever_comes_after_an_agent_has_left_changes_nothing() -> None:
    story = Story()
    story.on(StopAsked())
    assert story.one(Leave)
    story.hears(Offers(offers=(offer(),)))
    assert story.effects == []
    story.on(OwnStatusSeen(status=None))
    assert story.effects == []


def test_an_agent_whose_login_is_refused_for_long_ends_what_it_runs_keeps_the_results_and_leaves() -> None:
    story = Story().runs()
    story.on(Disconnected())
    story.on(ConnectFailed(refused=True))
    for _ in range(4):
        story.on(ConnectFailed(refused=True), after=0.2 * REFUSED_FOR)
        story.none(Terminate)
    story.on(ConnectFailed(refused=True), after=0.2 * REFUSED_FOR)
    assert story.one(Terminate)
    story.on(Woken(), after=1.0)
    assert story.one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.SHUTDOWN
    story.on(ResultKept(attempt=ATTEMPT))
    goodbye = story.one(Leave)
    assert goodbye.exit_code == NOT_A_MEMBER
    assert "pi is not a member" in goodbye.sentence


def test_a_program_that_does_not_end_does_not_keep_an_agent_whose_login_is_refused() -> None:
    story = Story().runs()
    story.on(ConnectFailed(refused=True))
    story.on(ConnectFailed(refused=True), after=REFUSED_FOR)
    story.on(Woken(), after=10.0)
    assert story.one(Leave).exit_code == NOT_A_MEMBER


@pytest.mark.parametrize(
    "between", [Connected(connection=2), ConnectFailed(refused=False), Thawed()], ids=["known", "away", "frozen"]
)
def test_refusals_count_only_in_a_row(between: Event) -> None:
    story = Story().runs()
    story.on(ConnectFailed(refused=True))
    story.on(between, after=0.5 * REFUSED_FOR)
    story.on(ConnectFailed(refused=True), after=REFUSED_FOR)
    story.none(Terminate)
    story.on(ConnectFailed(refused=True), after=REFUSED_FOR)
    assert story.one(Terminate)


def test_a_broker_that_is_away_ends_nothing_before_the_lease_does() -> None:
    story = Story().runs()
    for _ in range(int((times.LEASE - times.LEASE_STOP) // REFUSED_FOR)):
        story.on(ConnectFailed(refused=False), after=REFUSED_FOR)
        story.none(Terminate)


# --- readers ----------------------------------------------------------------------------------------------------------


def test_an_interactive_program_starts_with_its_clients_first_credit() -> None:
    story = Story().claims(JobKind.INTERACTIVE).is_granted(JobKind.INTERACTIVE)
    assert story.one(OpenStreams).client == "tv"
    story.none(Launch)
    story.on(credit())
    assert story.one(Launch)
    story.on(credit())
    story.none(Launch)


def test_a_grant_whose_client_never_comes_is_given_back() -> None:
    story = Story().claims(JobKind.INTERACTIVE).is_granted(JobKind.INTERACTIVE)
    story.on(Woken(), after=times.FIRST_CREDIT)
    assert story.one(KeepResult).result.reason_code is ReasonCode.CLIENT_SILENT
    story.on(credit())
    story.none(Launch)


def test_stream_keys_that_were_sealed_for_another_life_start_nothing() -> None:
    foreign = msgspec.structs.replace(grant(kind=JobKind.INTERACTIVE), audience=audience(ATTEMPT, OTHER))
    story = Story().hears(Grants(grants=(foreign,)))
    story.none(OpenStreams)
    assert story.one(KeepResult).result.started is False


def test_the_death_of_the_client_stops_its_program_after_a_grace() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(client_status(ClientState.OFFLINE, 1))
    story.none(Terminate)
    story.on(Woken(), after=times.WILL_GRACE)
    assert story.one(Terminate)
    assert story.one(CloseStreams)


def test_a_client_whose_network_blinked_keeps_its_program() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(client_status(ClientState.ONLINE, 1))
    story.on(client_status(ClientState.OFFLINE, 1))
    story.on(client_status(ClientState.ONLINE, 2), after=0.1)
    story.on(client_status(ClientState.OFFLINE, 1))
    story.on(Woken(), after=times.WILL_GRACE)
    story.none(Terminate)


def test_a_client_without_a_sign_of_life_loses_its_program_while_it_could_have_been_heard() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(Disconnected())
    story.on(Woken(), after=2 * times.CLIENT_SILENCE)
    story.none(Terminate)
    story.on(Connected(connection=2))
    story.leased(story.says(Holding)[0].beat)
    story.on(HeartbeatReturned(beat=1), after=times.CLIENT_SILENCE - 1)
    story.on(Woken(), after=1)
    assert story.one(Terminate)
    assert story.ends(None, 15).one(KeepResult).result.stopped is Stopped.SILENCE


def test_an_agent_that_hears_nobody_takes_no_client_for_silent() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(Woken(), after=times.CLIENT_SILENCE)
    story.none(Terminate)
    story.on(HeartbeatReturned(beat=1), after=times.CLIENT_SILENCE)
    assert story.one(Terminate)


def test_an_agent_that_was_frozen_stops_nothing_for_what_it_did_not_hear() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(Thawed(), after=2 * times.CLIENT_SILENCE)
    story.none(Terminate)


# --- what it says -----------------------------------------------------------------------------------------------------


def test_a_hello_is_said_again_until_it_is_welcome_and_then_holdings_follow() -> None:
    story = Playbook[Event, Effect, float](new_core().handle, float)
    story.on(Restored(results=()))
    story.on(Connected(connection=1))
    story.on(CoordinatorSeen(status=coordinator(BOSS)))
    assert _only(story, Hello)
    story.on(Woken(), after=times.HOLDING)
    assert _only(story, Hello)
    story.on(CoordinatorSpoke(life=BOSS, number=1, word=Welcome(draining=True)))
    assert _only(story, Holding).draining


def test_a_new_coordinator_is_greeted_and_the_one_before_is_not_met_again() -> None:
    story = Story()
    story.on(CoordinatorSeen(status=coordinator(OTHER_BOSS)))
    assert story.one(Tell).life == OTHER_BOSS
    assert story.says(Hello)
    story.on(CoordinatorSeen(status=coordinator(BOSS)))
    assert not story.all(Tell)


def test_what_is_held_is_said_soon_after_it_has_changed() -> None:
    story = Story().claims()
    story.on(Woken(), after=0.2)
    assert [held.phase for held in story.says(Holding)[0].held] == [HeldPhase.RESERVED]


def test_after_a_connection_everything_public_is_said_again() -> None:
    story = Story()
    story.on(Disconnected())
    story.on(Connected(connection=2))
    assert {publish.family for publish in story.all(Publish)} >= {Family.AGENT_STATUS, Family.ADVERT}
    assert story.says(Holding)


def test_a_late_will_of_its_own_does_not_stand() -> None:
    story = Story()
    story.on(OwnStatusSeen(status=AgentStatus(state=AgentState.OFFLINE, life=PI_LIFE, connection=1)), after=5.0)
    assert story.one(Publish, family=Family.AGENT_STATUS)


def test_an_advert_of_another_life_under_our_name_does_not_stand() -> None:
    story = Story().passes(5.0)
    story.on(OwnAdvertSeen(life=PI_LIFE))
    story.none(Publish)
    story.on(OwnAdvertSeen(life=OTHER))
    assert story.one(Publish, family=Family.ADVERT)


def test_two_that_correct_each_other_do_not_do_so_as_fast_as_the_network_carries_it() -> None:
    story = Story().passes(5.0)
    foreign = OwnStatusSeen(status=AgentStatus(state=AgentState.ONLINE, life=OTHER, connection=1))
    story.on(foreign)
    assert story.one(Publish, family=Family.AGENT_STATUS)
    story.on(foreign)
    story.on(foreign, after=times.STATUS_AT_MOST / 2)
    story.none(Publish)
    assert story.passes(times.STATUS_AT_MOST / 2).one(Publish, family=Family.AGENT_STATUS)


def test_progress_goes_out_at_most_once_a_second_and_is_cleared_at_the_end() -> None:
    story = Story().runs()
    story.on(ProgressRead(attempt=ATTEMPT, progress=Progress(percent=1.0)))
    assert story.one(Publish, family=Family.PROGRESS)
    story.on(ProgressRead(attempt=ATTEMPT, progress=Progress(percent=2.0)), after=0.5)
    story.none(Publish)
    story.on(ProgressRead(attempt=ATTEMPT, progress=Progress(percent=3.0)), after=0.5)
    assert story.one(Publish, family=Family.PROGRESS)
    assert story.ends().one(Publish, family=Family.PROGRESS).message is None


def test_the_log_is_read_when_the_coordinator_wants_it() -> None:
    wanted = Story().hears(TailWanted(attempt=ATTEMPT, request=OTHER, after=7)).one(ReadTail)
    assert (wanted.attempt, wanted.request, wanted.after) == (ATTEMPT, OTHER, 7)


def test_the_log_that_was_read_is_told() -> None:
    story = Story()
    story.on(TailRead(attempt=ATTEMPT, request=OTHER, lines=(), more=True))
    assert story.says(Tail) == [Tail(attempt=ATTEMPT, request=OTHER, lines=(), more=True)]


def test_every_hello_and_holding_has_a_beat_of_its_own_and_they_only_go_up() -> None:
    story = Story()
    beats = [story.holds(), story.holds()]
    story.sees(CoordinatorState.ONLINE, life=OTHER_BOSS)
    beats.append(story.says(Hello)[0].beat)
    story.on(Disconnected())
    story.on(Connected(connection=2))
    beats.append(story.says(Hello)[0].beat)
    assert beats == sorted(set(beats))


def test_while_it_is_cut_off_it_says_nothing_and_its_program_goes_on() -> None:
    story = Story().runs()
    story.on(Disconnected())
    story.ends()
    story.is_kept()
    assert not [effect for effect in story.effects if isinstance(effect, Tell | Publish)]
    story.on(Connected(connection=2))
    assert [held.phase for held in story.says(Holding)[0].held] == [HeldPhase.ENDED]

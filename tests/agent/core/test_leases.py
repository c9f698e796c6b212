"""How long an attempt may go on without a word of the coordinator, and what stands still while it is away."""

from agent.core.story import ATTEMPT, BOSS, OTHER, OTHER_BOSS, Story, credit, grant
from ffmesh_agent.core.effects import HoldUntil, KeepResult, Kill, Launch, Terminate
from ffmesh_agent.core.events import Connected, Disconnected, HeartbeatReturned, ProgramStarted, Thawed
from ffmesh_protocol import codec
from ffmesh_protocol.messages.capability import Heartbeat, Load
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Drain, Grants
from ffmesh_protocol.messages.presence import CoordinatorState
from ffmesh_protocol.messages.reports import HeldPhase, Hello, Holding
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.times import LEASE, LEASE_INTERACTIVE, LEASE_KILL, LEASE_STOP, STOP_TERM, WILL_GRACE
from support.coordinating import PI_LIFE

ONLINE, OFFLINE, FULL = CoordinatorState.ONLINE, CoordinatorState.OFFLINE, CoordinatorState.FULL
TO_STOP = LEASE - LEASE_STOP
TO_KILL = LEASE - LEASE_KILL

# --- where a lease begins ---------------------------------------------------------------------------------------------


def test_the_lease_of_a_grant_counts_from_its_claim() -> None:
    story = Story().passes(3.0).claims().is_granted(after=4.0)
    assert story.one(Launch).kill_at == 3.0 + TO_KILL


def test_the_lease_of_an_interactive_attempt_is_shorter() -> None:
    story = Story().claims(JobKind.INTERACTIVE).is_granted(JobKind.INTERACTIVE)
    story.on(credit(), after=1.0)
    assert story.one(Launch).kill_at == LEASE_INTERACTIVE - LEASE_KILL


def test_an_offer_that_is_repeated_does_not_let_the_lease_begin_later() -> None:
    story = Story().claims().passes(4.0).claims().is_granted()
    assert story.one(Launch).kill_at == TO_KILL


def test_a_repeated_grant_does_not_let_the_lease_begin_anew() -> None:
    story = Story().runs().is_granted(after=5.0)
    story.none(HoldUntil)
    story.passes(TO_STOP - 5.0)
    assert story.one(Terminate)


# --- what starts ------------------------------------------------------------------------------------------------------


def test_a_program_starts_while_there_is_time_to_stop_it_and_not_a_moment_later() -> None:
    assert Story().claims().is_granted(after=TO_STOP - 0.5).one(Launch)
    Story().claims().is_granted(after=TO_STOP).none(Launch)


def test_an_interactive_program_whose_client_comes_when_no_time_is_left_waits_for_the_coordinator() -> None:
    story = Story().claims(JobKind.INTERACTIVE).is_granted(JobKind.INTERACTIVE)
    story.on(Disconnected())
    story.on(Connected(connection=2), after=LEASE_INTERACTIVE - LEASE_STOP)
    beat = story.says(Holding)[0].beat
    story.on(credit(), after=1.0)
    story.none(Launch)
    assert story.leased(beat).one(Launch).kill_at == story.now - 1.0 + LEASE_INTERACTIVE - LEASE_KILL


def test_a_renewed_lease_starts_no_interactive_program_without_its_client() -> None:
    story = Story().claims(JobKind.INTERACTIVE).is_granted(JobKind.INTERACTIVE)
    story.leased(story.holds()).none(Launch)


def test_a_grant_that_was_never_claimed_is_held_and_starts_when_a_leased_names_it() -> None:
    story = Story().is_granted()
    story.none(Launch)
    beat = story.holds()
    assert [held.phase for held in story.says(Holding)[0].held] == [HeldPhase.GRANTED]
    story.leased(beat, OTHER).none(Launch)
    assert story.leased(beat, after=1.0).one(Launch).kill_at == story.now - 1.0 + TO_KILL
    story.leased(story.holds()).none(Launch)


def test_a_grant_that_came_too_late_starts_when_a_leased_names_it() -> None:
    story = Story().claims().is_granted(after=TO_STOP)
    story.none(Launch)
    assert story.leased(story.holds()).one(Launch)


def test_a_grant_whose_claim_was_given_up_counts_as_one_that_was_never_claimed() -> None:
    Story().claims().passes(20.0).is_granted().none(Launch)


def test_a_leased_does_not_start_what_was_refused() -> None:
    story = Story().runs().hears(Grants(grants=(grant(OTHER),)))
    assert story.one(KeepResult)
    story.leased(story.holds(), OTHER).none(Launch)


# --- renewal ----------------------------------------------------------------------------------------------------------


def test_a_lease_is_renewed_from_the_sending_of_the_beat_that_is_answered() -> None:
    story = Story().runs().passes(10.0)
    beat = story.holds()
    assert story.leased(beat, after=1.5).one(HoldUntil) == HoldUntil(attempt=ATTEMPT, kill_at=12.0 + TO_KILL)


def test_the_answer_to_a_hello_renews_leases_too() -> None:
    story = Story().runs().passes(10.0).sees(ONLINE, life=OTHER_BOSS)
    beat = story.says(Hello)[0].beat
    assert story.leased(beat, after=1.5).one(HoldUntil).kill_at == 10.0 + TO_KILL


def test_an_answer_to_a_beat_that_was_never_sent_renews_nothing() -> None:
    story = Story().runs()
    beat = story.holds()
    story.leased(beat + 1).none(HoldUntil)
    story.leased(0).none(HoldUntil)


def test_an_answer_to_an_earlier_beat_makes_no_lease_shorter() -> None:
    story = Story().runs()
    first, second = story.holds(), story.holds()
    story.leased(second).leased(first).none(HoldUntil)
    story.passes(TO_STOP - 0.5).none(Terminate)
    assert story.passes(0.5).one(Terminate)


def test_a_leased_renews_only_what_it_names() -> None:
    story = Story().runs()
    story.leased(story.holds(), OTHER).none(HoldUntil)
    assert story.passes(TO_STOP).one(Terminate)


def test_a_beat_is_remembered_for_long_however_often_things_change() -> None:
    story = Story().is_granted()
    beat, sent_at = story.holds(), story.now
    for turn in range(250):
        story.hears(Drain(draining=turn % 2 == 0))
        story.holds(after=0.2)
    assert story.leased(beat).one(Launch).kill_at == sent_at + TO_KILL


def test_silence_that_was_not_heard_because_we_were_frozen_lengthens_no_lease() -> None:
    story = Story().runs()
    story.on(Thawed(), after=LEASE)
    assert story.one(Terminate)


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_program_begins_to_be_stopped_eight_seconds_before_its_lease_ends() -> None:
    story = Story().runs().passes(TO_STOP - 0.5)
    story.none(Terminate)
    assert story.passes(0.5).one(Terminate)
    assert story.passes(STOP_TERM).one(Kill)
    kept = story.ends(exit_code=None, signal=9).one(KeepResult).result
    assert (kept.stopped, kept.reason_code) == (Stopped.LEASE, ReasonCode.LEASE_OVER)


def test_a_program_that_ends_well_while_its_lease_stops_it_was_stopped() -> None:
    assert Story().runs().passes(TO_STOP).ends(exit_code=0).one(KeepResult).result.stopped is Stopped.LEASE


def test_what_has_begun_to_stop_is_stopped_although_a_leased_comes_after_all() -> None:
    story = Story().runs()
    beat = story.holds()
    assert story.passes(TO_STOP - story.now).one(Terminate)
    story.leased(beat)
    assert story.passes(STOP_TERM).one(Kill)
    assert story.ends(exit_code=None, signal=9).one(KeepResult).result.stopped is Stopped.LEASE


def test_a_lease_ends_while_the_agent_is_cut_off() -> None:
    story = Story().runs()
    story.on(Disconnected())
    assert story.passes(TO_STOP).one(Terminate)


def test_a_program_whose_start_is_still_under_way_is_stopped_with_its_lease_and_when_it_has_started() -> None:
    story = Story().claims().is_granted()
    assert story.passes(TO_STOP).one(Terminate)
    story.on(ProgramStarted(attempt=ATTEMPT))
    assert story.one(Terminate)


def test_a_program_that_the_wardens_deadline_killed_was_stopped_by_its_lease() -> None:
    kept = Story().runs().ends(exit_code=None, signal=9, by_deadline=True).one(KeepResult).result
    assert (kept.stopped, kept.reason_code, kept.failure) == (Stopped.LEASE, ReasonCode.LEASE_OVER, None)


def test_a_program_that_was_cancelled_and_then_killed_by_its_deadline_was_cancelled() -> None:
    story = Story().runs().stops().ends(exit_code=None, signal=9, by_deadline=True)
    assert story.one(KeepResult).result.stopped is Stopped.CANCEL


def test_an_attempt_that_runs_nothing_does_not_end_with_its_lease() -> None:
    story = Story().claims().is_granted(after=TO_STOP)
    story.passes(LEASE).none(KeepResult)
    assert story.phases() == [HeldPhase.GRANTED]


def test_the_lease_of_what_has_ended_is_renewed_by_nothing() -> None:
    story = Story().runs().ends()
    story.leased(story.holds()).none(HoldUntil)
    story.passes(LEASE).none(Terminate)


# --- while the coordinator is away ------------------------------------------------------------------------------------


def test_a_lease_stands_still_while_heartbeats_return_and_the_coordinator_is_offline() -> None:
    story = Story().runs().passes(10.0).sees(OFFLINE)
    first = story.heartbeat(after=10.0)
    story.heartbeat_returns(first, after=0.5)
    assert story.one(HoldUntil).kill_at == TO_KILL + 10.0 - WILL_GRACE
    second = story.heartbeat(after=10.0)
    story.heartbeat_returns(second, after=0.5)
    assert story.one(HoldUntil).kill_at == TO_KILL + 20.5 - WILL_GRACE
    story.passes(TO_STOP + 20.0 - 0.5 - story.now).none(Terminate)
    assert story.passes(0.5).one(Terminate)


def test_a_heartbeat_that_returns_twice_counts_once() -> None:
    story = Story().runs().sees(OFFLINE)
    beat = story.heartbeat(after=10.0)
    assert story.heartbeat_returns(beat).one(HoldUntil)
    story.heartbeat_returns(beat, after=1.0).none(HoldUntil)


def test_heartbeats_that_return_in_another_order_count_no_time_twice() -> None:
    story = Story().runs()
    before = story.heartbeat()
    story.passes(1.0).sees(OFFLINE)
    first, second, third = (story.heartbeat(after=5.0) for _ in range(3))
    for beat in (second, first, before, third):
        story.heartbeat_returns(beat)
    assert story.one(HoldUntil).kill_at == TO_KILL + 15.0 - WILL_GRACE


def test_a_heartbeat_that_was_sent_before_the_coordinator_went_counts_for_nothing() -> None:
    story = Story().runs()
    beat = story.heartbeat()
    story.passes(1.0).sees(OFFLINE)
    story.heartbeat_returns(beat, after=5.0).none(HoldUntil)


def test_a_heartbeat_that_was_sent_within_the_grace_counts_for_nothing() -> None:
    story = Story().runs().sees(OFFLINE)
    beat = story.heartbeat(after=WILL_GRACE)
    story.heartbeat_returns(beat, after=5.0).none(HoldUntil)


def test_a_heartbeat_that_nobody_sent_counts_for_nothing() -> None:
    story = Story().runs().sees(OFFLINE)
    beat = story.heartbeat(after=10.0)
    story.heartbeat_returns(beat + 1, after=5.0).none(HoldUntil)


def test_a_heartbeat_of_another_life_with_our_name_is_not_ours() -> None:
    core = Story().core
    load = Load(cpu_percent=None, memory_percent=None, temperature_c=None)
    ours = Heartbeat(life=PI_LIFE, beat=7, load=load, slots={}, running=())
    theirs = Heartbeat(life=OTHER, beat=7, load=load, slots={}, running=())
    topic = "ffmesh/home/agents/pi/heartbeat"
    assert core.opened(Packet(topic=topic, payload=codec.encode(ours))) == HeartbeatReturned(beat=7)
    assert core.opened(Packet(topic=topic, payload=codec.encode(theirs))) is None


def test_heartbeats_that_return_while_the_coordinator_is_there_lengthen_no_lease() -> None:
    story = Story().runs()
    story.heartbeat_returns(story.heartbeat(after=10.0), after=0.5).none(HoldUntil)
    story.sees(FULL)
    story.heartbeat_returns(story.heartbeat(after=10.0), after=0.5).none(HoldUntil)


def test_a_coordinator_that_is_back_lets_leases_go_on_and_what_no_heartbeat_covered_has_passed() -> None:
    for state in (ONLINE, FULL):
        story = Story().runs().sees(OFFLINE)
        story.heartbeat_returns(story.heartbeat(after=10.0))
        uncovered = story.heartbeat(after=10.0)
        story.sees(state, connection=2)
        story.heartbeat_returns(uncovered).none(HoldUntil)
        story.passes(TO_STOP + 10.0 - WILL_GRACE - story.now - 0.5).none(Terminate)
        assert story.passes(0.5).one(Terminate)


def test_an_offline_that_was_heard_before_we_were_cut_off_counts_for_nothing_until_it_is_heard_again() -> None:
    story = Story().runs().sees(OFFLINE).passes(1.0)
    story.on(Disconnected())
    story.on(Connected(connection=2), after=1.0)
    story.heartbeat_returns(story.heartbeat(after=10.0)).none(HoldUntil)
    story.sees(OFFLINE)
    story.heartbeat_returns(story.heartbeat(after=10.0))
    assert story.one(HoldUntil).kill_at == TO_KILL + 10.0 - WILL_GRACE


def test_a_lease_goes_on_while_we_are_cut_off_though_the_coordinator_was_offline() -> None:
    story = Story().runs().sees(OFFLINE)
    story.heartbeat_returns(story.heartbeat(after=10.0))
    story.on(Disconnected())
    assert story.passes(TO_STOP + 10.0 - WILL_GRACE - story.now).one(Terminate)


def test_the_late_will_of_an_earlier_connection_or_life_of_the_coordinator_counts_for_nothing() -> None:
    story = Story().runs().sees(ONLINE, connection=2).sees(OFFLINE, connection=1)
    story.heartbeat_returns(story.heartbeat(after=10.0)).none(HoldUntil)
    story = Story().runs().sees(ONLINE, life=OTHER_BOSS).sees(OFFLINE, life=BOSS)
    story.heartbeat_returns(story.heartbeat(after=10.0)).none(HoldUntil)


def test_an_offline_that_is_said_again_does_not_begin_anew() -> None:
    story = Story().runs().sees(OFFLINE).passes(5.0).sees(OFFLINE)
    story.heartbeat_returns(story.heartbeat(after=5.0))
    assert story.one(HoldUntil).kill_at == TO_KILL + 10.0 - WILL_GRACE


def test_a_lease_that_is_over_stays_over_although_the_coordinator_was_away() -> None:
    story = Story().runs().passes(10.0).sees(OFFLINE)
    story.heartbeat_returns(story.heartbeat(after=LEASE - 10.0)).none(HoldUntil)


def test_a_grant_without_a_lease_gets_none_while_the_coordinator_is_away() -> None:
    story = Story().is_granted().sees(OFFLINE)
    story.heartbeat_returns(story.heartbeat(after=10.0)).none(Launch)

"""What a staged attempt wrote aside: it takes its place by permission, within the lease, and never by itself."""

import pytest

from agent.core.story import ATTEMPT, OTHER, OTHER_BOSS, Story, offer
from ffmesh_agent.core.effects import (
    CommitOutput,
    DropOutput,
    DropResult,
    HoldUntil,
    KeepResult,
    Kill,
    Leave,
    SealOutput,
    Tell,
    Terminate,
)
from ffmesh_agent.core.events import (
    OutputCommitted,
    OutputNotCommitted,
    OutputNotSealed,
    OutputSealed,
    StagedOutput,
    StopAsked,
)
from ffmesh_protocol.messages.jobs import JobKind, Written
from ffmesh_protocol.messages.orders import Offers, Settled
from ffmesh_protocol.messages.presence import CoordinatorState
from ffmesh_protocol.messages.reports import Claim, FailureKind, HeldPhase, Hello, MayCommit, Results
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.times import LEASE, LEASE_KILL, LEASE_STOP
from ffmesh_protocol.topics import Verb
from support.coordinating import result

TO_KILL = LEASE - LEASE_KILL
TOO_LATE = OutputNotCommitted(
    attempt=ATTEMPT, sentence="its time was over", failure=FailureKind.TRANSIENT, too_late=True
)
DISK_FULL = OutputNotCommitted(attempt=ATTEMPT, sentence="the disk is full", failure=FailureKind.NODE)


def is_committing() -> Story:
    """The shell was asked to put the output in place."""
    story = Story().stages().permitted()
    story.one(CommitOutput)
    return story


def has_waited_too_long() -> Story:
    """The output is aside, and the lease has no time left for a rename."""
    return Story().stages().passes(TO_KILL)


# --- whole and aside --------------------------------------------------------------------------------------------------


def test_a_program_that_ended_with_0_and_left_its_output_half_written_puts_nothing_in_place() -> None:
    story = Story().runs(JobKind.STAGED).ends(half_written=True)
    story.none(SealOutput)
    kept = story.one(KeepResult).result
    assert (kept.reason_code, kept.failure, kept.exit_code) == (ReasonCode.NOT_COMMITTED, FailureKind.NODE, 0)


def test_a_staged_program_that_ended_well_has_no_result_before_its_output_is_in_place() -> None:
    story = Story().runs(JobKind.STAGED).ends()
    assert story.one(SealOutput).result.exit_code == 0
    story.none(KeepResult)
    story.on(OutputSealed(attempt=ATTEMPT))
    story.none(KeepResult)
    story.permitted().none(KeepResult)
    story.on(OutputCommitted(attempt=ATTEMPT))
    kept = story.one(KeepResult).result
    assert (kept.exit_code, kept.stopped, kept.reason_code, kept.failure) == (0, None, None, None)


def test_an_output_that_is_whole_asks_for_permission_and_takes_no_place_before_it_has_it() -> None:
    story = Story().stages()
    assert [asked.attempts for asked in story.says(MayCommit)] == [(ATTEMPT,)]
    (packet,) = story.core.packets(story.all(Tell))
    assert packet.topic.endswith(f"/{Verb.MAY_COMMIT}")
    story.none(CommitOutput)
    beat = story.holds()
    story.leased(beat).none(CommitOutput)
    assert story.permitted().one(CommitOutput)


def test_an_output_that_is_whole_is_held_as_staged_and_takes_no_slot() -> None:
    story = Story().stages()
    assert story.phases() == [HeldPhase.STAGED]
    assert story.hears(Offers(offers=(offer(OTHER),))).says(Claim)


def test_an_output_that_is_being_put_in_place_is_held_as_committing_and_takes_no_slot() -> None:
    story = is_committing()
    assert story.phases() == [HeldPhase.COMMITTING]
    assert story.hears(Offers(offers=(offer(OTHER),))).says(Claim)


def test_while_its_output_is_made_whole_the_attempt_keeps_its_slot() -> None:
    story = Story().runs(JobKind.STAGED).ends()
    assert story.phases() == [HeldPhase.RUNNING]
    assert not story.hears(Offers(offers=(offer(OTHER),))).says(Claim)


@pytest.mark.parametrize(("exit_code", "signal"), [(1, None), (None, 9)])
def test_a_staged_program_that_failed_has_a_result_and_what_it_wrote_goes_when_that_is_kept(
    exit_code: int | None, signal: int | None
) -> None:
    story = Story().runs(JobKind.STAGED).ends(exit_code, signal, failure=FailureKind.INPUT)
    story.none(SealOutput)
    story.none(DropOutput)
    assert story.one(KeepResult).result.failure is FailureKind.INPUT
    assert story.is_kept().one(DropOutput).attempt == ATTEMPT


def test_an_output_that_cannot_be_made_whole_is_a_failure_that_says_why() -> None:
    story = Story().runs(JobKind.STAGED).ends()
    story.on(OutputNotSealed(attempt=ATTEMPT, sentence="there is none", failure=FailureKind.PERMANENT))
    kept = story.one(KeepResult).result
    assert (kept.reason_code, kept.reason) == (ReasonCode.NOT_COMMITTED, "there is none")
    assert (kept.started, kept.exit_code, kept.failure) == (True, 0, FailureKind.PERMANENT)
    assert not story.says(MayCommit)


def test_neither_its_lease_nor_its_allowed_time_stops_an_attempt_whose_output_is_being_made_whole() -> None:
    story = Story().runs(JobKind.STAGED, timeout=20.0).ends().passes(LEASE)
    story.none(Terminate)
    story.on(OutputSealed(attempt=ATTEMPT))
    story.none(KeepResult)
    assert story.says(MayCommit)


def test_neither_its_lease_nor_its_allowed_time_ends_an_output_that_waits() -> None:
    story = Story().runs(JobKind.STAGED, timeout=20.0).ends()
    story.on(OutputSealed(attempt=ATTEMPT))
    story.passes(20.0).none(KeepResult)
    story.passes(LEASE).none(KeepResult)
    assert story.phases() == [HeldPhase.STAGED]


# --- taking its place -------------------------------------------------------------------------------------------------


def test_an_output_takes_its_place_until_one_second_before_its_lease_ends() -> None:
    story = Story().stages().passes(10.0).permitted()
    assert story.one(CommitOutput) == CommitOutput(attempt=ATTEMPT, until=TO_KILL)


def test_a_permission_without_time_waits_for_a_leased() -> None:
    story = has_waited_too_long().permitted()
    story.none(CommitOutput)
    assert story.phases() == [HeldPhase.COMMITTING]
    beat = story.holds()
    assert story.leased(beat, after=0.5).one(CommitOutput).until == story.now - 0.5 + TO_KILL


def test_a_lease_that_is_renewed_holds_no_program_that_has_ended() -> None:
    story = Story().runs(JobKind.STAGED).ends()
    story.leased(story.holds()).none(HoldUntil)
    story = Story().stages()
    story.leased(story.holds()).none(HoldUntil)


def test_a_repeated_permission_puts_nothing_in_place_twice() -> None:
    story = is_committing().permitted()
    story.none(CommitOutput)
    story.leased(story.holds()).none(CommitOutput)
    story.on(OutputCommitted(attempt=ATTEMPT))
    story.is_kept().permitted().none(CommitOutput)
    assert story.says(Results)


def test_a_permission_of_what_is_not_whole_or_not_here_does_nothing() -> None:
    Story().permitted().none(CommitOutput)
    Story().runs(JobKind.STAGED).permitted().none(CommitOutput)
    story = Story().runs(JobKind.STAGED).ends().permitted()
    story.none(CommitOutput)
    story.on(OutputSealed(attempt=ATTEMPT))
    story.none(CommitOutput)
    assert story.says(MayCommit)


def test_an_output_that_was_too_late_tries_again_when_its_lease_is_renewed() -> None:
    story = is_committing().passes(TO_KILL)
    story.on(TOO_LATE)
    story.none(CommitOutput)
    story.none(KeepResult)
    assert story.leased(story.holds()).one(CommitOutput)


def test_outputs_that_need_more_time_than_the_lease_has_wait_for_a_longer_one() -> None:
    story = is_committing().passes(TO_KILL - 1.5)
    story.on(TOO_LATE)
    story.none(CommitOutput)
    story.none(KeepResult)
    assert story.leased(story.holds()).one(CommitOutput)


def test_an_output_that_was_too_late_tries_again_at_once_if_its_lease_was_renewed_meanwhile() -> None:
    story = is_committing()
    beat = story.holds()
    story.leased(beat).none(CommitOutput)
    story.on(TOO_LATE)
    assert story.one(CommitOutput).until == 2.0 + TO_KILL


def test_an_output_that_cannot_take_its_place_is_a_failure_that_says_why() -> None:
    story = is_committing()
    story.on(DISK_FULL)
    kept = story.one(KeepResult).result
    assert (kept.reason_code, kept.reason, kept.failure) == (
        ReasonCode.NOT_COMMITTED,
        "the disk is full",
        FailureKind.NODE,
    )


def test_what_is_left_aside_goes_only_when_the_result_is_kept() -> None:
    story = is_committing()
    story.on(OutputCommitted(attempt=ATTEMPT))
    story.none(DropOutput)
    assert not story.says(Results)
    assert story.is_kept().one(DropOutput).attempt == ATTEMPT
    assert story.says(Results)


def test_the_lease_of_what_waits_stands_still_while_the_coordinator_is_away() -> None:
    story = Story().stages().passes(TO_KILL - 1.0).sees(CoordinatorState.OFFLINE)
    story.heartbeat_returns(story.heartbeat(after=1.0))
    assert story.permitted().one(CommitOutput).until == TO_KILL + 0.5


# --- stopping ---------------------------------------------------------------------------------------------------------


def test_a_staged_attempt_that_is_stopped_gives_its_output_up() -> None:
    story = Story().stages().stops()
    kept = story.one(KeepResult).result
    assert (kept.exit_code, kept.stopped, kept.reason_code) == (0, Stopped.CANCEL, ReasonCode.CANCELLED)
    story.none(DropOutput)
    assert story.is_kept().one(DropOutput)
    story.permitted().none(CommitOutput)


def test_a_staged_program_that_ends_well_after_it_was_stopped_leaves_no_output() -> None:
    story = Story().runs(JobKind.STAGED).stops().ends()
    story.none(SealOutput)
    assert story.one(KeepResult).result.stopped is Stopped.CANCEL
    assert story.is_kept().one(DropOutput)


def test_a_staged_attempt_that_is_stopped_while_its_output_is_made_whole_gives_it_up() -> None:
    story = Story().runs(JobKind.STAGED).ends().stops()
    assert not [each for each in story.effects if isinstance(each, Terminate | KeepResult | DropOutput)]
    story.passes(5.0).none(Kill)
    story.on(OutputSealed(attempt=ATTEMPT))
    assert not story.says(MayCommit)
    assert story.one(KeepResult).result.stopped is Stopped.CANCEL


def test_a_permission_that_waits_for_its_lease_is_given_up_when_it_is_stopped() -> None:
    story = has_waited_too_long().permitted().stops()
    assert story.one(KeepResult).result.stopped is Stopped.CANCEL
    story.leased(story.holds()).none(CommitOutput)


def test_a_stop_while_the_output_takes_its_place_stops_nothing() -> None:
    story = is_committing().stops()
    story.none(KeepResult)
    story.on(OutputCommitted(attempt=ATTEMPT))
    kept = story.one(KeepResult).result
    assert (kept.exit_code, kept.stopped, kept.reason_code) == (0, None, None)


def test_a_stop_while_an_output_was_too_late_to_take_its_place_gives_it_up() -> None:
    story = is_committing().stops()
    story.on(TOO_LATE)
    story.none(CommitOutput)
    assert story.one(KeepResult).result.stopped is Stopped.CANCEL


def test_a_stop_while_an_output_fails_to_take_its_place_is_what_the_result_tells() -> None:
    story = is_committing().stops()
    story.on(DISK_FULL)
    kept = story.one(KeepResult).result
    assert (kept.stopped, kept.reason_code, kept.failure) == (Stopped.CANCEL, ReasonCode.CANCELLED, None)


def test_a_lease_that_stops_the_program_gives_its_output_up_too() -> None:
    story = Story().runs(JobKind.STAGED).passes(LEASE - LEASE_STOP)
    assert story.one(Terminate)
    story.ends().none(SealOutput)
    assert story.one(KeepResult).result.stopped is Stopped.LEASE


# --- leaving ----------------------------------------------------------------------------------------------------------


def test_an_agent_that_leaves_keeps_what_waits_for_its_next_life() -> None:
    for story in (Story().stages(), has_waited_too_long().permitted()):
        story.on(StopAsked())
        assert not [each for each in story.effects if isinstance(each, KeepResult | DropOutput | CommitOutput)]
        assert story.one(Leave)


def test_an_agent_that_leaves_waits_for_an_output_that_takes_its_place() -> None:
    story = is_committing()
    story.on(StopAsked())
    story.none(Leave)
    story.on(OutputCommitted(attempt=ATTEMPT))
    assert story.one(KeepResult).result.stopped is None
    story.none(Leave)
    assert story.is_kept().one(Leave)


def test_an_agent_that_leaves_does_not_wait_for_an_output_that_was_too_late() -> None:
    story = is_committing().passes(TO_KILL)
    story.on(StopAsked())
    story.on(TOO_LATE)
    assert story.one(Leave)
    story.none(KeepResult)


# --- what an earlier life left ----------------------------------------------------------------------------------------


def left(*, committed: bool = False) -> StagedOutput:
    return StagedOutput(result=result(ATTEMPT), committed=committed)


def test_an_output_of_an_earlier_life_waits_for_a_lease_and_a_permission_of_its_own() -> None:
    story = Story(staged=(left(),))
    assert story.phases() == [HeldPhase.STAGED]
    story.permitted().none(CommitOutput)
    assert story.phases() == [HeldPhase.COMMITTING]
    beat, sent_at = story.holds(), story.now
    assert story.leased(beat).one(CommitOutput) == CommitOutput(attempt=ATTEMPT, until=sent_at + TO_KILL)
    story = Story(staged=(left(),))
    story.leased(story.holds()).none(CommitOutput)
    assert story.permitted().one(CommitOutput)


def test_an_output_of_an_earlier_life_is_listed_in_the_hello_and_takes_no_slot() -> None:
    story = Story(staged=(left(),)).sees(CoordinatorState.ONLINE, life=OTHER_BOSS)
    (hello,) = story.says(Hello)
    assert [(each.attempt, each.phase) for each in hello.held] == [(ATTEMPT, HeldPhase.STAGED)]
    assert Story(staged=(left(),)).hears(Offers(offers=(offer(OTHER),))).says(Claim)


def test_an_output_of_an_earlier_life_that_took_its_place_then_has_the_result_of_that_life() -> None:
    story = Story(staged=(left(),))
    story.leased(story.holds()).permitted()
    story.on(OutputCommitted(attempt=ATTEMPT))
    assert story.one(KeepResult).result == result(ATTEMPT)
    assert story.is_kept().one(DropOutput)


def test_an_output_of_an_earlier_life_that_may_not_take_its_place_is_given_up() -> None:
    story = Story(staged=(left(),)).stops()
    assert story.one(KeepResult).result.stopped is Stopped.CANCEL
    assert story.is_kept().one(DropOutput)


def test_an_output_that_an_earlier_life_had_put_in_place_gives_its_result_and_is_not_put_there_again() -> None:
    story = Story(staged=(left(committed=True),))
    assert KeepResult(result=result(ATTEMPT)) in story.at_once
    assert DropOutput(attempt=ATTEMPT) not in story.at_once
    assert story.phases() == [HeldPhase.ENDED]
    story.is_kept()
    assert story.says(Results)[0].results == (result(ATTEMPT),)
    assert story.one(DropOutput)
    story.leased(story.holds()).permitted().none(CommitOutput)


def test_an_output_whose_result_is_kept_is_only_dropped() -> None:
    for committed in (False, True):
        story = Story(results=(result(ATTEMPT),), staged=(left(committed=committed),))
        assert DropOutput(attempt=ATTEMPT) in story.at_once
        assert not any(isinstance(each, KeepResult) for each in story.at_once)
        assert story.phases() == [HeldPhase.ENDED]
        story.permitted().none(CommitOutput)
        assert story.hears(Settled(attempts=(ATTEMPT,))).one(DropResult)


def test_outputs_with_more_names_than_a_message_takes_are_told_as_far_as_it_goes() -> None:
    many = tuple(Written(path=f"$R/{at:04000}", bytes=at) for at in range(256))
    story = Story().runs(JobKind.STAGED).ends()
    story.on(OutputSealed(attempt=ATTEMPT, outputs=many))
    story.permitted().on(OutputCommitted(attempt=ATTEMPT))
    kept = story.one(KeepResult).result
    assert kept.outputs == many[:8]
    story.is_kept()
    assert story.core.packets(story.all(Tell))

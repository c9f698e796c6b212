"""What nobody waits for stands still while somebody waits for something else, and goes on afterwards."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.story import ATTEMPT, LENGTHS, OTHER, Story, grant, offer
from ffmesh_agent.core.attempt import Attempt
from ffmesh_agent.core.effects import KeepResult, Kill, Launch, Pause, Publish, Quit, Resume, Terminate
from ffmesh_agent.core.events import (
    CapabilitySeen,
    CreditCame,
    LoadSampled,
    ProgramEnded,
    ProgramStarted,
    ProgressRead,
    ResultKept,
)
from ffmesh_agent.core.pausing import HAS_THE_SLOT, TOO_FEW, goes_first, standing_still
from ffmesh_protocol.messages.capability import Load
from ffmesh_protocol.messages.jobs import JobKind, Progress
from ffmesh_protocol.messages.orders import Grants, Offers
from ffmesh_protocol.messages.reports import Claim, Decline, DeclineCode, Held, HeldPhase, Holding, Results
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.times import HOLDING, LEASE, LEASE_STOP, RESERVATION, STOP_TERM
from ffmesh_protocol.topics import Family
from support.coordinating import PI_LIFE, advert

INTERACTIVE, DIRECT, STAGED = JobKind.INTERACTIVE, JobKind.DIRECT, JobKind.STAGED
THIRD = "0A" + "3" * 24


def is_offered(story: Story, attempt: str, kind: JobKind = DIRECT) -> Story:
    return story.hears(Offers(offers=(offer(attempt, kind=kind),)))


def is_granted(story: Story, attempt: str, kind: JobKind = DIRECT, timeout: float | None = None) -> Story:
    return is_offered(story, attempt, kind).hears(Grants(grants=(grant(attempt, kind, timeout),)))


def starts(story: Story, attempt: str, kind: JobKind = DIRECT, timeout: float | None = None) -> Story:
    """The program runs. Afterwards `story.effects` are those of the moment when it was to be launched."""
    is_granted(story, attempt, kind, timeout)
    if kind is INTERACTIVE:
        streams = {"stdout": 0, "stderr": 0}
        story.on(CreditCame(credit=StreamCredit(attempt=attempt, received=streams, allowed=streams)))
    effects = story.effects
    story.on(ProgramStarted(attempt=attempt))
    story.effects = effects
    return story


def ends(story: Story, attempt: str, exit_code: int = 0) -> Story:
    ended = ProgramEnded(attempt=attempt, exit_code=exit_code, signal=None, seconds=1.0, lengths=LENGTHS)
    story.on(ended)
    return story


def listed(story: Story) -> dict[str, Held]:
    story.holds()
    return {each.attempt: each for each in story.says(Holding)[0].held}


def two_slots() -> Story:
    story = Story()
    story.on(CapabilitySeen(advert=advert(PI_LIFE, 2), programs=None))
    return story


# --- whose turn it is -------------------------------------------------------------------------------------------------


def test_an_interactive_job_is_claimed_though_a_batch_job_has_the_only_slot() -> None:
    story = is_offered(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    assert story.says(Claim) == [Claim(attempts=(ATTEMPT,))]
    story.none(Pause)


def test_the_batch_program_stops_before_the_interactive_one_begins_and_goes_on_after_its_end() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    kinds = [type(each) for each in story.effects if isinstance(each, Pause | Launch)]
    assert (kinds, story.one(Pause)) == ([Pause, Launch], Pause(attempt=OTHER))
    assert ends(story, ATTEMPT).one(Resume) == Resume(attempt=OTHER)


def test_an_interactive_job_whose_client_has_not_come_stops_nobody() -> None:
    is_granted(starts(Story(), OTHER), ATTEMPT, INTERACTIVE).none(Pause)


def test_the_youngest_stands_still() -> None:
    story = starts(starts(starts(two_slots(), OTHER), THIRD, STAGED), ATTEMPT, INTERACTIVE)
    assert story.one(Pause) == Pause(attempt=THIRD)


def test_where_a_slot_is_free_nobody_stands_still() -> None:
    starts(starts(two_slots(), OTHER), ATTEMPT, INTERACTIVE).none(Pause)


def test_what_goes_on_is_what_has_waited_longest() -> None:
    story = starts(starts(two_slots(), OTHER), THIRD)
    starts(starts(story, ATTEMPT, INTERACTIVE), "0A" + "4" * 24, INTERACTIVE)
    assert story.one(Pause) == Pause(attempt=OTHER)
    assert ends(story, ATTEMPT).one(Resume) == Resume(attempt=OTHER)


def test_a_batch_job_finds_no_room_while_another_stands_still() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    (declined,) = is_offered(story, THIRD).says(Decline)
    assert [each.code for each in declined.declined] == [DeclineCode.BUSY]


def test_interactive_jobs_find_room_for_as_many_as_there_are_slots() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    (declined,) = is_offered(story, THIRD, INTERACTIVE).says(Decline)
    assert [each.reason for each in declined.declined] == ["1 of 1 cpu slots are used"]


def test_a_batch_job_whose_program_is_still_starting_stands_still_too() -> None:
    story = starts(is_granted(Story(), OTHER), ATTEMPT, INTERACTIVE)
    assert story.one(Pause) == Pause(attempt=OTHER)


def test_what_would_begin_waits_for_an_interactive_job_that_was_claimed() -> None:
    story = is_offered(is_offered(Story(), OTHER), ATTEMPT, INTERACTIVE)
    story.hears(Grants(grants=(grant(OTHER),))).none(Launch)
    assert story.passes(RESERVATION).one(Launch).grant.attempt == OTHER


def test_a_grant_that_finds_its_slot_taken_is_launched_when_it_is_free_again() -> None:
    story = starts(is_offered(Story(), OTHER), ATTEMPT, INTERACTIVE)
    story.hears(Grants(grants=(grant(OTHER),))).none(Launch)
    held = listed(story)[OTHER]
    assert (held.phase, held.paused) == (HeldPhase.GRANTED, HAS_THE_SLOT)
    story.none(Pause)
    ends(story, ATTEMPT)
    assert story.one(Launch).grant.attempt == OTHER
    story.none(Resume)


def test_what_stands_still_is_said_with_its_reason() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    assert {name: held.paused for name, held in listed(story).items()} == {OTHER: HAS_THE_SLOT, ATTEMPT: None}
    assert listed(ends(story, ATTEMPT))[OTHER].paused is None


def test_fewer_slots_than_before_let_the_youngest_stand_still() -> None:
    story = starts(starts(two_slots(), OTHER), THIRD)
    story.on(CapabilitySeen(advert=advert(PI_LIFE, 1), programs=None))
    assert story.one(Pause) == Pause(attempt=THIRD)
    assert listed(story)[THIRD].paused == TOO_FEW


def test_each_kind_of_slot_is_counted_by_itself() -> None:
    attempts = [
        Attempt(id=OTHER, job="", slot="gpu", phase=HeldPhase.RUNNING, launched=True),
        Attempt(id=ATTEMPT, job="", slot="cpu", phase=HeldPhase.RUNNING, kind=INTERACTIVE, launched=True),
    ]
    assert standing_still(attempts, lambda _: 1) == {}


# --- what must end ----------------------------------------------------------------------------------------------------


def test_what_is_told_to_end_goes_on_first() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE).stops(attempt=OTHER)
    kinds = [type(each) for each in story.effects if isinstance(each, Resume | Terminate)]
    assert kinds == [Resume, Terminate]
    story.passes(1.0).none(Pause)
    assert story.passes(STOP_TERM).one(Kill)


def test_what_reads_keys_goes_on_before_it_is_asked() -> None:
    story = is_granted(Story(), OTHER)
    story.on(ProgramStarted(attempt=OTHER, reads_keys=True))
    starts(story, ATTEMPT, INTERACTIVE).stops(attempt=OTHER)
    assert [type(each) for each in story.effects if isinstance(each, Resume | Quit)] == [Resume, Quit]


def test_what_is_told_to_end_before_it_was_launched_ends() -> None:
    story = starts(is_offered(Story(), OTHER), ATTEMPT, INTERACTIVE)
    story.hears(Grants(grants=(grant(OTHER),))).stops(attempt=OTHER)
    assert story.one(KeepResult).result.stopped is Stopped.CANCEL
    story.none(Resume)


def test_whose_lease_ends_goes_on_to_hear_that_it_must_end() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    story.passes(LEASE - LEASE_STOP)
    assert story.one(Resume, attempt=OTHER)
    assert story.one(Terminate, attempt=OTHER)


def test_a_lease_is_renewed_while_its_program_stands_still() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    story.leased(story.holds(), OTHER).passes(LEASE - LEASE_STOP - 0.5).none(Terminate, attempt=OTHER)


def test_what_is_killed_while_it_stands_still_is_not_woken() -> None:
    story = starts(starts(Story(), OTHER), ATTEMPT, INTERACTIVE)
    story.on(ProgramEnded(attempt=OTHER, exit_code=None, signal=9, seconds=1.0, lengths=LENGTHS))
    story.none(Resume)
    story.on(ResultKept(attempt=OTHER))
    assert [each.signal for message in story.says(Results) for each in message.results] == [9]


def test_an_output_that_is_made_whole_is_not_disturbed() -> None:
    story = ends(starts(Story(), OTHER, STAGED), OTHER)
    starts(story, ATTEMPT, INTERACTIVE).none(Pause)


# --- time -------------------------------------------------------------------------------------------------------------


def test_the_time_that_a_program_may_take_does_not_run_on_while_it_stands_still() -> None:
    story = starts(Story(), OTHER, timeout=10.0).passes(4.0)
    starts(story, ATTEMPT, INTERACTIVE).passes(20.0).none(Terminate)
    ends(story, ATTEMPT).passes(5.5).none(Terminate)
    assert story.passes(0.5).one(Terminate) == Terminate(attempt=OTHER)


def test_nor_that_of_one_that_begins_standing_still() -> None:
    story = starts(is_granted(Story(), OTHER, timeout=10.0), ATTEMPT, INTERACTIVE)
    story.on(ProgramStarted(attempt=OTHER))
    story.passes(20.0).none(Terminate)
    ends(story, ATTEMPT).passes(9.5).none(Terminate)
    assert story.passes(0.5).one(Terminate)


def test_how_far_it_is_stays_said() -> None:
    story = starts(Story(), OTHER)
    story.on(ProgressRead(attempt=OTHER, progress=Progress(percent=41.5)))
    starts(story, ATTEMPT, INTERACTIVE)
    load = LoadSampled(load=Load(cpu_percent=None, memory_percent=None, temperature_c=None))
    story.on(load, after=HOLDING)
    assert story.one(Publish, family=Family.PROGRESS).message == Progress(percent=41.5)
    ends(story, ATTEMPT).on(load, after=HOLDING)
    story.none(Publish, family=Family.PROGRESS)


# --- whatever happens -------------------------------------------------------------------------------------------------


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    kind, phase = draw(st.sampled_from(JobKind)), draw(st.sampled_from(HeldPhase))
    made = Attempt(id=str(draw(st.uuids())), job="", slot=draw(st.sampled_from(["cpu", "gpu"])), phase=phase, kind=kind)
    made.launched = phase is not HeldPhase.RESERVED and (phase is HeldPhase.RUNNING or draw(st.booleans()))
    made.stopping = Stopped.CANCEL if made.launched and draw(st.integers(0, 5)) == 0 else None
    return made


@settings(max_examples=300)
@given(held=st.lists(attempts(), max_size=12), cpu=st.integers(0, 4), gpu=st.integers(0, 4), everything=st.booleans())
def test_no_more_run_than_there_are_slots_and_none_stands_still_without_need(
    held: list[Attempt], cpu: int, gpu: int, *, everything: bool
) -> None:
    slots = {"cpu": cpu, "gpu": gpu}
    still = standing_still(held, slots.__getitem__, "it is hot" if everything else None)
    for kind, total in slots.items():
        taking = [each for each in held if each.takes_slot and each.slot == kind]
        firm = [each for each in taking if goes_first(each)]
        going = [each for each in taking if each.id not in still]
        running = [each for each in going if each.launched or each.stopping is not None]
        assert all(each in going for each in firm)
        assert len(running) <= max(total, sum(1 for each in firm if each in running))
        if everything:
            assert going == firm
        else:
            assert len(going) >= min(total, len(taking))
            assert all(each in going or len(running) >= total for each in taking if each.launched)

"""Agents as machines: those that fail again and again, copies of one, slots of several kinds."""

import msgspec
import pytest

from ffmesh_coordinator.core.effects import Note, NoteLevel, Tell
from ffmesh_coordinator.core.events import AdvertSeen, RetiredSpoke
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_protocol import codec, times
from ffmesh_protocol.keys import Label, derived
from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.capability import SlotCount
from ffmesh_protocol.messages.orders import Superseded
from ffmesh_protocol.messages.reports import (
    Decline,
    DeclineCode,
    Declined,
    FailureKind,
    HeldPhase,
)
from ffmesh_protocol.messages.requests import Cancel
from ffmesh_protocol.names import COORDINATOR, agent
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.signing import Stamp, signed, stamp_of
from ffmesh_protocol.topics import Topics, Verb
from support.coordinating import (
    JOB,
    LATER_LIFE,
    NAS,
    NAS_LIFE,
    PI,
    PI_LIFE,
    Story,
    advert,
    held,
    hello,
    holding,
    submit,
)


def job(number: int) -> str:
    return f"0J{number:024d}"


# --- an agent that fails again and again ------------------------------------------------------------------------------


def starts_nothing(
    story: Story, times_over: int, failure: FailureKind | None = FailureKind.NODE, code: ReasonCode | None = None
) -> None:
    """So many jobs, one after the other, that the agent cannot even start."""
    first = len(story.disk)
    for number in range(times_over):
        story.client_says(submit(job(first + number)))
        attempt = story.is_granted()
        story.ends(attempt, job=job(first + number), started=False, failure=failure, reason_code=code)


def rests(story: Story, probe: str = job(900)) -> float:
    """The seconds until it is offered something again, speaking all the while."""
    began = story.now
    story.client_says(submit(probe))
    while not story.offered():
        story.agent_says(holding(), after=1.0)
        assert story.now - began < 2 * times.COOL_DOWN[1], story.told("expected an offer")
    return story.now - began


def test_an_agent_on_which_three_jobs_in_a_row_could_not_be_started_rests() -> None:
    story = Story().agent_comes()
    starts_nothing(story, times.COOL_DOWN_AFTER)
    assert story.one(Note, level=NoteLevel.WARNING).text == "agent pi rests for 30 s: 3 jobs in a row failed there"
    assert rests(story) == times.COOL_DOWN[0]


def test_two_are_not_three() -> None:
    story = Story().agent_comes()
    starts_nothing(story, times.COOL_DOWN_AFTER - 1)
    assert rests(story) == 0


def test_a_success_between_them_makes_it_count_anew() -> None:
    story = Story().agent_comes()
    starts_nothing(story, times.COOL_DOWN_AFTER - 1)
    story.client_says(submit(job(500)))
    story.ends(story.is_taken(), job=job(500))
    starts_nothing(story, times.COOL_DOWN_AFTER - 1)
    assert rests(story) == 0


def test_each_rest_is_twice_as_long_as_the_one_before_until_it_is_at_its_longest() -> None:
    story = Story().agent_comes()
    rested: list[float] = []
    for _ in range(7):
        starts_nothing(story, times.COOL_DOWN_AFTER)
        probe = job(901 + len(rested))
        rested.append(rests(story, probe))
        story.client_says(Cancel(job=probe))
    assert rested == [30, 60, 120, 240, 480, 600, 600]


@pytest.mark.parametrize("failure", [FailureKind.PERMANENT, FailureKind.INPUT])
def test_jobs_that_no_agent_could_have_started_are_not_laid_to_its_charge(failure: FailureKind) -> None:
    story = Story().agent_comes()
    starts_nothing(story, 3 * times.COOL_DOWN_AFTER, failure)
    assert rests(story) == 0


def test_jobs_that_it_refused_itself_are_not_laid_to_its_charge() -> None:
    story = Story().agent_comes()
    starts_nothing(story, 3 * times.COOL_DOWN_AFTER, FailureKind.NODE, ReasonCode.REFUSED_BY_AGENT)
    assert rests(story) == 0


def test_a_job_that_could_not_be_started_counts_once_also_when_another_agent_does_it() -> None:
    story = Story().agent_comes()
    for number in range(times.COOL_DOWN_AFTER - 1):
        story.agent_says(hello())
        story.client_says(submit(job(number), max_attempts=2))
        attempt = story.is_granted()
        story.agent_comes(NAS, NAS_LIFE)
        story.ends(attempt, job=job(number), started=False, failure=FailureKind.NODE)
        second = story.is_taken(who=NAS, life=NAS_LIFE)
        story.ends(second, who=NAS, life=NAS_LIFE, job=job(number))
        story.agent_is_gone(NAS, NAS_LIFE)
    assert rests(story) == 0


def test_programs_that_fail_wherever_they_run_are_not_laid_to_its_charge() -> None:
    story = Story().agent_comes()
    for number in range(3 * times.COOL_DOWN_AFTER):
        story.client_says(submit(job(number)))
        story.ends(story.is_taken(), job=job(number), exit_code=1, failure=FailureKind.TRANSIENT)
    assert rests(story) == 0


def test_jobs_that_fail_on_one_agent_and_succeed_on_another_are_laid_to_the_charge_of_the_first() -> None:
    story = Story().agent_comes()
    for number in range(times.COOL_DOWN_AFTER):
        story.agent_says(hello())
        story.client_says(submit(job(number), max_attempts=2))
        attempt = story.is_taken()
        story.agent_comes(NAS, NAS_LIFE)
        story.ends(attempt, job=job(number), exit_code=1, failure=FailureKind.NODE)
        second = story.is_taken(who=NAS, life=NAS_LIFE)
        story.ends(second, who=NAS, life=NAS_LIFE, job=job(number))
        assert story.phase(job(number)) is Phase.SUCCEEDED
        story.agent_is_gone(NAS, NAS_LIFE)
    story.client_says(submit(job(999)))
    assert story.offered() == []
    said = "pi, the only agent that can run it, rests: 3 jobs in a row failed there"
    assert story.core.view(story.disk[job(999)]).reason == said


def test_a_job_that_a_resting_agent_declines_does_not_wake_it() -> None:
    story = Story().agent_comes(slots=2)
    starts_nothing(story, times.COOL_DOWN_AFTER - 1)
    story.client_says(submit(job(10)))
    last = story.is_granted()
    story.client_says(submit(job(11)))
    (offered,) = story.offered()
    story.ends(last, job=job(10), started=False, failure=FailureKind.NODE)
    declined = Declined(attempt=offered, code=DeclineCode.BUSY, reason="busy")
    story.agent_says(Decline(declined=(declined,)))
    assert rests(story) >= times.COOL_DOWN[0] - times.OFFER


def test_other_agents_take_the_work_of_one_that_rests() -> None:
    story = Story().agent_comes()
    starts_nothing(story, times.COOL_DOWN_AFTER)
    story.client_says(submit(job(10)))
    assert story.offered() == []
    assert story.agent_comes(NAS, NAS_LIFE).offered()


# --- two lives of one name --------------------------------------------------------------------------------------------


def test_the_life_that_is_here_is_told_that_another_has_taken_its_place() -> None:
    story = Story().agent_comes()
    story.agent_says(hello(boot="another"), life=LATER_LIFE)
    assert [tell.life for tell in story.all(Tell) if isinstance(tell.message, Superseded)] == [PI_LIFE]


def test_a_life_that_is_gone_is_not_told_but_is_when_it_speaks_after_all() -> None:
    story = Story().agent_comes().agent_is_gone()
    story.agent_says(hello(), life=LATER_LIFE)
    assert story.messages(Superseded) == []
    story.on(RetiredSpoke(principal=PI, life=PI_LIFE))
    assert [tell.life for tell in story.all(Tell) if isinstance(tell.message, Superseded)] == [PI_LIFE]


def test_a_hello_that_is_said_again_supersedes_nobody() -> None:
    story = Story().agent_comes().agent_says(hello())
    assert story.messages(Superseded) == []


def test_a_life_that_ended_and_has_no_successor_is_told_to_take_a_new_one() -> None:
    story = Story().on(RetiredSpoke(principal=PI, life=PI_LIFE))
    assert (len(story.messages(Retired)), story.messages(Superseded)) == (1, [])


def test_what_the_superseded_life_says_counts_for_nothing() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(hello(boot="another"), life=LATER_LIFE)
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)))
    assert (story.effects, story.renewed()) == ([], [])
    story.ends(attempt)
    assert (story.phase(), story.settled()) == (Phase.RUNNING, [])


def test_offers_to_the_superseded_life_are_made_again_to_the_later_one() -> None:
    story = Story().agent_comes().client_says(submit())
    (first,) = story.offered()
    story.on(AdvertSeen(agent="pi", advert=advert(LATER_LIFE)))
    story.agent_says(hello(), life=LATER_LIFE)
    (second,) = story.offered()
    assert second != first


def says(story: Story, life: str, number: int) -> Packet:
    """A genuine holding of that life, as a packet."""
    keys = derived(PI.login.encode().ljust(32), "home", PI, Label.TO_COORDINATOR)
    topic = Topics("home").directed(PI, COORDINATOR, story.life, Verb.HOLDING)
    stamp = Stamp(kid=1, sender_life=life, receiver_life=story.life, number=number)
    return signed(Packet(topic=topic, payload=codec.encode(holding())), keys, stamp)


def test_a_superseded_life_is_told_so_each_time_that_it_speaks_by_a_number_that_is_new_to_it() -> None:
    story = Story().agent_comes()
    numbers = [stamp_of(packet).number for packet in story.sent_to(PI_LIFE)]
    story.agent_says(hello(), life=LATER_LIFE)
    numbers += [stamp_of(packet).number for packet in story.sent_to(PI_LIFE)]
    for number in (1, 2, 2):
        event = story.core.opened(says(story, PI_LIFE, number))
        assert event == RetiredSpoke(principal=PI, life=PI_LIFE)
        story.on(RetiredSpoke(principal=PI, life=PI_LIFE))
        assert len(story.messages(Superseded)) == 1
        numbers += [stamp_of(packet).number for packet in story.sent_to(PI_LIFE)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= 5


# --- slots ------------------------------------------------------------------------------------------------------------


def test_each_kind_of_slot_is_counted_by_itself() -> None:
    story = Story().agent_comes(slots={"cpu": SlotCount(total=1), "gpu": SlotCount(total=2)})
    taken: list[str] = []
    for number, slot in enumerate(("cpu", "cpu", "gpu", "gpu", "gpu")):
        story.client_says(submit(job(number), slot=slot))
        taken += [slot] * len(story.offered())
    assert taken == ["cpu", "gpu", "gpu"]


def test_a_slot_is_free_again_when_its_attempt_has_ended() -> None:
    story = Story()
    attempt = story.runs()
    story.client_says(submit(job(1)))
    assert story.offered() == []
    story.ends(attempt)
    assert len(story.offered()) == 1


def test_what_both_know_of_takes_one_slot_and_not_two() -> None:
    story = Story().agent_comes(slots=2).client_says(submit())
    attempt = story.is_taken()
    story.agent_says(holding(held(attempt, HeldPhase.RUNNING)))
    assert len(story.client_says(submit(job(1))).offered()) == 1
    assert story.client_says(submit(job(2))).offered() == []


def test_what_an_agent_says_that_it_holds_takes_its_slots_though_nobody_here_knows_of_it() -> None:
    story = Story()
    story.agent_comes(holds=(held("0X" + "1" * 24, HeldPhase.RUNNING, slot="cpu"),))
    assert story.client_says(submit()).offered() == []
    assert story.agent_says(holding()).offered()


@pytest.mark.parametrize("phase", [HeldPhase.STAGED, HeldPhase.COMMITTING, HeldPhase.ENDED])
def test_an_unknown_attempt_without_a_program_takes_no_slot(phase: HeldPhase) -> None:
    story = Story()
    story.agent_comes(holds=(held("0X" + "1" * 24, phase),))
    assert story.client_says(submit()).offered()


def test_what_was_granted_before_a_restart_takes_its_slot_after_it() -> None:
    story = Story()
    attempt = story.runs()
    story.client_says(submit(job(1)))
    story = story.restarted()
    assert story.agent_comes().offered() == []  # what it was granted may be on its way to it
    assert story.agent_says(hello(held(attempt, HeldPhase.RUNNING))).offered() == []
    assert len(story.ends(attempt).offered()) == 1  # it is free with the result, not only with the next `holding`


def test_the_agent_with_the_larger_share_of_free_slots_is_chosen() -> None:
    story = Story().agent_comes(slots=2).agent_comes(NAS, NAS_LIFE, slots=4)
    receivers: list[str] = []
    for number in range(6):
        story.client_says(submit(job(number)))
        receivers += [tell.receiver.name for tell in story.all(Tell)]
    assert receivers == ["nas", "pi", "nas", "nas", "pi", "nas"]


def test_a_job_that_asks_for_one_agent_waits_for_that_one() -> None:
    story = Story().agent_comes(slots=8).agent_comes(NAS, NAS_LIFE, slots=1)
    story.client_says(submit(job(1), on="nas"))
    assert story.one(Tell).receiver == NAS
    assert story.client_says(submit(job(2), on="nas")).offered() == []


@pytest.mark.parametrize("lacking", [("interactive", "staged"), ()])
def test_an_agent_that_does_not_know_a_kind_of_job_is_not_offered_one(lacking: tuple[str, ...]) -> None:
    story = Story().agent_comes(features=lacking)
    assert story.client_says(submit()).offered() == []
    story.on(AdvertSeen(agent="pi", advert=advert(PI_LIFE)))
    assert story.offered()


def test_what_an_earlier_life_could_do_says_nothing_of_a_later_one() -> None:
    story = Story().agent_comes().client_says(submit(job(1), slot="gpu"))
    story.agent_says(hello(), life=LATER_LIFE).client_says(submit())
    assert story.offered() == []
    story.on(AdvertSeen(agent="pi", advert=advert(LATER_LIFE)))
    assert len(story.offered()) == 1


def test_a_draining_agent_ends_what_it_has() -> None:
    story = Story()
    attempt = story.runs()
    story.agent_says(msgspec.structs.replace(holding(held(attempt, HeldPhase.RUNNING)), draining=True))
    assert story.stopped() == []
    story.ends(attempt)
    assert story.phase() is Phase.SUCCEEDED


def test_a_stopped_stranger_is_a_cancel() -> None:
    story = Story().agent_comes()
    stranger = held("0X" + "1" * 24, HeldPhase.GRANTED, JOB)
    story.agent_says(holding(stranger))
    assert story.stops() == [(stranger.attempt, Stopped.CANCEL)]


def test_a_crowd_of_agents_shares_a_crowd_of_jobs() -> None:
    story = Story()
    for number in range(20):
        story.agent_comes(agent(f"pi-{number}"), f"0B{number:024d}", slots=2)
    receivers: list[str] = []
    for number in range(60):
        story.client_says(submit(job(number)))
        receivers += [tell.receiver.name for tell in story.all(Tell)]
    assert sorted(receivers) == sorted(2 * [f"pi-{number}" for number in range(20)])

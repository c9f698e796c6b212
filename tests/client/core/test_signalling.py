"""The signals of our caller on their way, by themselves and as `Attached` sends them."""

from signal import SIGINT, SIGTERM, SIGTSTP

from hypothesis import given
from hypothesis import strategies as st

from client.core.attached_world import ASSIGNMENT, ATTEMPT, JOB, LIVES, cancelled, failed, online, submit
from ffmesh_client.core.attached import Attached
from ffmesh_client.core.effects import Effect, Finish, SignalAgent, Suspend, Tell
from ffmesh_client.core.events import (
    Answered,
    Connected,
    CoordinatorSpoke,
    CreditCame,
    Disconnected,
    Event,
    Resumed,
    Signalled,
    Woken,
)
from ffmesh_client.core.phases import LEAVE_PATIENCE, SIGNAL_PATIENCE, SUSPEND_PATIENCE
from ffmesh_client.core.signalling import Signalling
from ffmesh_protocol.limits import SIGNALS
from ffmesh_protocol.messages.answers import Accepted, Assigned, Attended, Ended, JobNews
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.messages.requests import CallerSignal, Cancel, StreamCredit
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.times import REQUEST_REPEAT


class Story:
    """A job whose program may run."""

    def __init__(self) -> None:
        self.machine = Attached(submit(), 0.0)
        self._numbers = 0
        self.on(Connected())
        self.on(online(LIVES[0]))
        self.on(Answered(correlation=JOB.encode(), answer=Accepted(job=JOB)))
        self.word(Assigned(job=JOB, assignment=ASSIGNMENT))

    def on(self, event: Event, at: float = 0.0) -> list[Effect]:
        return self.machine.handle(event, at)

    def word(self, word: Assigned | Attended | Ended, at: float = 0.0) -> list[Effect]:
        self._numbers += 1
        return self.on(CoordinatorSpoke(life=LIVES[0], number=self._numbers, word=word), at)

    def heard(self, signals: int, at: float) -> list[Effect]:
        return self.on(CreditCame(credit=StreamCredit(attempt=ATTEMPT, received={}, allowed={}, signals=signals)), at)


def signals(effects: list[Effect]) -> list[tuple[int, list[str]]]:
    return [
        (effect.signals.first, [str(each) for each in effect.signals.signals])
        for effect in effects
        if isinstance(effect, SignalAgent)
    ]


def finishes(effects: list[Effect]) -> list[int]:
    return [effect.exit_code for effect in effects if isinstance(effect, Finish)]


def pauses(effects: list[Effect]) -> int:
    return sum(isinstance(effect, Suspend) for effect in effects)


def test_a_signal_goes_to_the_program_and_the_end_is_the_programs_own() -> None:
    story = Story()
    effects = story.on(Signalled(signal=SIGINT), 1.0)
    assert signals(effects) == [(1, ["INT"])]
    assert not [effect for effect in effects if isinstance(effect, Tell)]
    story.heard(1, 1.1)
    assert finishes(story.word(Ended(job=JOB, end=failed(ReasonCode.EXITED, exit_code=255)), 2.0)) == [255]


def test_a_signal_is_said_again_until_the_program_has_had_it() -> None:
    story = Story()
    story.on(Signalled(signal=SIGINT), 1.0)
    assert signals(story.on(Woken(), 1.0 + REQUEST_REPEAT)) == [(1, ["INT"])]
    story.heard(1, 2.1)
    assert signals(story.on(Woken(), 20.0)) == []


def test_each_further_signal_is_handed_on_too() -> None:
    story = Story()
    story.on(Signalled(signal=SIGINT), 1.0)
    assert signals(story.on(Signalled(signal=SIGTERM), 1.1)) == [(1, ["INT", "TERM"])]
    story.heard(2, 1.2)
    assert signals(story.on(Signalled(signal=SIGINT), 60.0)) == [(3, ["INT"])]


def test_a_program_that_has_heard_it_may_take_as_long_as_it_likes() -> None:
    story = Story()
    story.on(Signalled(signal=SIGINT), 1.0)
    story.heard(1, 1.1)
    assert finishes(story.on(Woken(), 1.0 + 10 * LEAVE_PATIENCE)) == []


def test_an_agent_that_does_not_hear_it_is_left_after_a_while() -> None:
    story = Story()
    story.on(Signalled(signal=SIGTERM), 1.0)
    assert finishes(story.on(Woken(), 0.9 + LEAVE_PATIENCE)) == []
    assert finishes(story.on(Woken(), 1.0 + LEAVE_PATIENCE)) == [143]


def test_who_asks_again_of_an_agent_that_has_not_heard_leaves_at_once() -> None:
    story = Story()
    story.on(Signalled(signal=SIGINT), 1.0)
    assert finishes(story.on(Signalled(signal=SIGINT), 1.0 + SIGNAL_PATIENCE)) == [130]


def test_who_asks_again_while_there_is_no_broker_leaves_at_once() -> None:
    story = Story()
    story.on(Disconnected(), 0.5)
    story.on(Signalled(signal=SIGINT), 1.0)
    assert finishes(story.on(Signalled(signal=SIGINT), 1.1)) == [130]


def test_a_signal_for_a_program_that_never_came_to_run_cancels_the_job() -> None:
    story = Story()
    story.on(Signalled(signal=SIGINT), 1.0)
    news = JobNews(job=JOB, known=True, state=JobState.QUEUED, assignment=None, end=None)
    effects = story.word(Attended(jobs=(news,)), 1.5)
    assert [effect.message for effect in effects if isinstance(effect, Tell)] == [Cancel(job=JOB)]
    assert finishes(story.word(Ended(job=JOB, end=cancelled()), 2.0)) == [130]


def test_who_pauses_lets_the_program_pause_first() -> None:
    story = Story()
    effects = story.on(Signalled(signal=SIGTSTP), 1.0)
    assert (signals(effects), pauses(effects)) == ([(1, ["STOP"])], 0)
    assert pauses(story.heard(1, 1.1)) == 1
    assert signals(story.on(Resumed(), 500.0)) == [(2, ["CONT"])]


def test_an_agent_that_does_not_hear_of_a_pause_is_not_waited_for() -> None:
    story = Story()
    story.on(Signalled(signal=SIGTSTP), 1.0)
    assert pauses(story.on(Woken(), 1.0 + SUSPEND_PATIENCE)) == 1
    assert signals(story.on(Resumed(), 500.0)) == [(1, ["STOP", "CONT"])]


def test_without_a_program_a_pause_begins_at_once_and_nobody_hears_of_it() -> None:
    machine = Attached(submit(), 0.0)
    assert pauses(machine.handle(Signalled(signal=SIGTSTP), 1.0)) == 1
    assert signals(machine.handle(Resumed(), 2.0)) == []


def test_what_runs_out_stands_still_while_we_are_stopped() -> None:
    story = Story()
    story.on(Signalled(signal=SIGTERM), 1.0)
    story.on(Signalled(signal=SIGTSTP), 2.0)
    story.on(Woken(), 2.0 + SUSPEND_PATIENCE)
    assert finishes(story.on(Resumed(), 1000.0)) == []
    assert finishes(story.on(Woken(), 1000.0 + LEAVE_PATIENCE)) == [143]


@given(st.lists(st.sampled_from(CallerSignal), max_size=30), st.lists(st.integers(0, 40), max_size=60))
def test_whatever_is_said_of_them_they_are_told_in_order_and_each_until_it_was_had(
    sent: list[CallerSignal], said: list[int]
) -> None:
    signalling, had = Signalling(ATTEMPT), 0
    for each in sent:
        signalling.add(each)
    for count in said:
        signalling.passed(count)
        had = max(had, count) if count <= len(sent) else had
        due = signalling.due()
        assert (due.first, list(due.signals)) == (had + 1, sent[had:])
    signalling.passed(len(sent))
    assert not signalling.waits


def test_more_than_a_message_holds_are_not_kept() -> None:
    signalling = Signalling(ATTEMPT)
    for _ in range(2 * SIGNALS):
        signalling.ask_to_end(SIGINT, 0.0)
    assert len(signalling.due().signals) == SIGNALS

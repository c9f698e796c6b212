"""What a caller was sent, on its way to the program: once, in order, and to nobody but a program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.story import ATTEMPT, OTHER, SECRET, Story, client_status, grant
from ffmesh_agent.core.effects import Launch, PassOn
from ffmesh_agent.core.events import Event, SignalsCame
from ffmesh_protocol import codec, keys, times
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grants
from ffmesh_protocol.messages.presence import ClientState
from ffmesh_protocol.messages.reports import Results
from ffmesh_protocol.messages.requests import CallerSignal, CallerSignals, StreamCredit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.names import client as client_principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Stamp, signed
from ffmesh_protocol.streams import Chunk, packed
from ffmesh_protocol.topics import Topics, Verb
from support.coordinating import JOB, PI_LIFE, TV_LIFE

SAID = {
    Verb.SIGNAL: codec.encode(CallerSignals(attempt=ATTEMPT, first=1, signals=(CallerSignal.TERM,))),
    Verb.STDIN: packed(Chunk(attempt=ATTEMPT, offset=0, content=b"typed")),
    Verb.CREDIT: codec.encode(StreamCredit(attempt=ATTEMPT, received={}, allowed={})),
}
INT, TERM, STOP = CallerSignal.INT, CallerSignal.TERM, CallerSignal.STOP


def came(*signals: CallerSignal, first: int = 1, attempt: str = ATTEMPT) -> SignalsCame:
    return SignalsCame(signals=CallerSignals(attempt=attempt, first=first, signals=signals))


def passed_on(story: Story, *signals: CallerSignal, first: int = 1) -> tuple[list[CallerSignal], int]:
    story.on(came(*signals, first=first))
    order = story.one(PassOn)
    return list(order.signals), order.passed


def test_a_signal_is_passed_on_once_and_counted_each_time_it_is_said() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    assert passed_on(story, INT) == ([INT], 1)
    assert passed_on(story, INT) == ([], 1)
    assert passed_on(story, INT, TERM) == ([TERM], 2)
    assert passed_on(story, STOP, first=3) == ([STOP], 3)


def test_what_comes_too_early_waits_for_what_is_missing() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    assert passed_on(story, TERM, first=2) == ([], 0)
    assert passed_on(story, INT, TERM) == ([INT, TERM], 2)


def test_before_a_program_is_started_nobody_takes_it() -> None:
    story = Story().claims(JobKind.INTERACTIVE).hears(Grants(grants=(grant(kind=JobKind.INTERACTIVE),)))
    story.on(came(INT))
    assert story.all(PassOn) == []
    assert story.all(Launch) == []


def test_after_its_end_and_for_attempts_of_nobody_nothing_is_done() -> None:
    story = Story().runs(JobKind.INTERACTIVE).ends(exit_code=255)
    for event in (came(INT), came(INT, attempt=OTHER)):
        story.on(event)
        assert story.all(PassOn) == []


def test_what_its_caller_was_sent_is_no_stop_of_ours() -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    story.on(came(INT))
    (result,) = story.ends(exit_code=255).is_kept().says(Results)[0].results
    assert (result.exit_code, result.stopped, result.reason_code) == (255, None, None)


@given(
    st.lists(st.sampled_from(CallerSignal), min_size=1, max_size=10),
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10)), max_size=40),
)
def test_whatever_is_lost_repeated_or_overtaken_each_is_passed_on_once_and_in_order(
    sent: list[CallerSignal], said: list[tuple[int, int]]
) -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    passed: list[CallerSignal] = []
    for begin, count in said:
        part = sent[begin : begin + count]
        new, total = passed_on(story, *part, first=begin + 1)
        passed += new
        assert (passed, total) == (sent[: len(passed)], len(passed))
    passed += passed_on(story, *sent)[0]
    assert passed == sent


@pytest.mark.parametrize("verb", [Verb.SIGNAL, Verb.STDIN, Verb.CREDIT])
def test_only_the_reader_of_an_attempt_may_speak_for_it(verb: Verb) -> None:
    story = Story().runs(JobKind.INTERACTIVE)
    ours = keys.stream_keys(SECRET, "home", JOB, ATTEMPT).to_agent

    def heard(number: int, *, client: str = "tv", life: str = TV_LIFE, key: bytes = ours) -> Event | None:
        topic = Topics("home").directed(client_principal(client), agent_principal("pi"), PI_LIFE, verb)
        stamp = Stamp(kid=1, sender_life=life, receiver_life=PI_LIFE, number=number)
        return story.core.opened(signed(Packet(topic=topic, payload=SAID[verb]), key, stamp))

    assert heard(1) is not None
    assert heard(1) is None, "repeated"
    assert heard(2, key=keys.stream_keys(SECRET, "home", JOB, ATTEMPT).to_client) is None, "reflected"
    assert heard(3, client="radio") is None
    assert heard(4, life=PI_LIFE) is None
    story.ends()
    story.on(client_status(ClientState.OFFLINE, 1))
    story.passes(times.WILL_GRACE)
    assert heard(5) is None, "nobody reads its streams any more"

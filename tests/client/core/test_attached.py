"""The machine of an attached job, told as stories and shaken by a dice."""

from collections.abc import Sequence

import msgspec
import pytest

from client.core.attached_world import (
    AGENT_LIFE,
    ASSIGNMENT,
    ATTEMPT,
    JOB,
    LIVES,
    OTHER_ATTEMPT,
    World,
    cancelled,
    failed,
    online,
    submit,
    succeeded,
)
from ffmesh_client.core.attached import Attached
from ffmesh_client.core.effects import (
    Effect,
    Finish,
    GiveUp,
    Missing,
    OpenStreams,
    Remark,
    Tell,
    TellAgent,
    WakeAt,
    Write,
)
from ffmesh_client.core.events import (
    Answered,
    ChunkCame,
    Connected,
    CoordinatorSeen,
    CoordinatorSpoke,
    CoordinatorWord,
    Disconnected,
    Event,
    ReaderGone,
    Reborn,
    Signalled,
    Woken,
    Written,
)
from ffmesh_client.core.phases import LEAVE_PATIENCE, OUTPUT_SILENCE, WAIT_REMARK, Phase
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.limits import WINDOW_BYTES
from ffmesh_protocol.messages.answers import (
    Accepted,
    Assigned,
    Assignment,
    Attended,
    End,
    Ended,
    JobNews,
    Refusal,
)
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import StreamLengths
from ffmesh_protocol.messages.requests import Attending, Cancel, StreamCredit, Submit
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.streams import Chunk
from ffmesh_protocol.times import ATTENDING, REQUEST_PATIENCE, REQUEST_REPEAT

LIFE, NEXT_LIFE = LIVES[0], LIVES[1]


class Story:
    """Says events to a machine and gives back what it asks for. The numbers of words count by themselves."""

    def __init__(self) -> None:
        self.machine = Attached(submit(), 0.0)
        self.number = 0

    def on(self, event: Event, at: float = 0.0) -> list[Effect]:
        """What is asked for, alarms aside."""
        return [effect for effect in self.machine.handle(event, at) if not isinstance(effect, WakeAt)]

    def word(
        self, word: CoordinatorWord, at: float = 0.0, *, life: str = LIFE, number: int | None = None
    ) -> list[Effect]:
        self.number += 1
        return self.on(CoordinatorSpoke(life=life, number=number or self.number, word=word), at)

    def news(self, at: float = 0.0, *, known: bool = True, end: End | None = None) -> list[Effect]:
        news = JobNews(job=JOB, known=known, state=None, assignment=None, end=end)
        return self.word(Attended(jobs=(news,)), at)

    def waits(self, reason: str | None, at: float, state: JobState = JobState.QUEUED) -> list[Effect]:
        news = JobNews(job=JOB, known=True, state=state, assignment=None, end=None, reason=reason)
        return self.word(Attended(jobs=(news,)), at)

    def chunk(self, offset: int, content: bytes, at: float = 0.0, *, stream: str = "stdout") -> list[Effect]:
        return self.on(ChunkCame(stream=stream, chunk=Chunk(attempt=ATTEMPT, offset=offset, content=content)), at)

    def connected(self) -> "Story":
        self.on(Connected())
        self.on(online(LIFE))
        return self

    def accepted(self) -> "Story":
        self.connected()
        self.on(Answered(correlation=JOB.encode(), answer=Accepted(job=JOB)))
        return self

    def assigned(self) -> "Story":
        self.accepted()
        self.word(Assigned(job=JOB, assignment=ASSIGNMENT))
        return self


def told(effects: Sequence[Effect]) -> list[type]:
    return [type(effect.message) if isinstance(effect, Tell) else type(effect) for effect in effects]


def credit_in(effects: Sequence[Effect]) -> list[StreamCredit]:
    return [effect.credit for effect in effects if isinstance(effect, TellAgent)]


def remarks(effects: Sequence[Effect]) -> list[str]:
    return [effect.sentence for effect in effects if isinstance(effect, Remark)]


# --- being accepted


def test_the_submit_goes_out_when_broker_and_coordinator_are_there_and_not_before() -> None:
    story = Story()
    assert story.on(Connected()) == []
    assert story.on(online(LIFE)) == [Tell(message=submit(), correlation=JOB.encode())]


def test_the_submit_is_said_again_each_second_until_it_is_accepted() -> None:
    story = Story().connected()
    assert story.on(Woken(), 0.5) == []
    assert told(story.on(Woken(), REQUEST_REPEAT)) == [Submit]
    assert story.on(Answered(correlation=JOB.encode(), answer=Accepted(job=JOB)), 1.5) == []
    assert told(story.on(Woken(), 2.5)) == []


def test_a_refused_submit_ends_with_the_code_and_the_sentence_of_the_coordinator() -> None:
    story = Story().connected()
    refusal = Refusal(code=RefusalCode.PROGRAM_NOT_LISTED, sentence="no agent knows “cat”")
    assert story.on(Answered(correlation=JOB.encode(), answer=refusal)) == [
        Finish(exit_code=77, sentence="no agent knows “cat”")
    ]


def test_an_answer_to_another_request_changes_nothing() -> None:
    story = Story().connected()
    refusal = Refusal(code=RefusalCode.NOT_ALLOWED, sentence="no")
    assert story.on(Answered(correlation=b"another", answer=refusal)) == []


@pytest.mark.parametrize(
    ("events", "missing"),
    [
        ([], Missing.BROKER),
        ([Connected()], Missing.COORDINATOR),
        ([Connected(), online(LIFE)], Missing.ANSWER),
        ([Connected(), online(LIFE), Disconnected()], Missing.BROKER),
    ],
)
def test_who_was_never_accepted_gives_up_after_ten_seconds_and_says_what_was_missing(
    events: list[Event], missing: Missing
) -> None:
    story = Story()
    for event in events:
        story.on(event)
    assert GiveUp not in told(story.on(Woken(), REQUEST_PATIENCE - 0.1))
    assert GiveUp(correlation=JOB.encode(), missing=missing) in story.on(Woken(), REQUEST_PATIENCE)


def test_a_job_that_is_known_to_be_accepted_is_waited_for_without_end() -> None:
    story = Story().accepted()
    story.on(Disconnected(), 1.0)
    assert story.on(Woken(), 100_000.0) == []
    assert story.machine.phase is Phase.ATTENDING


def test_an_assignment_says_that_the_job_was_accepted() -> None:
    story = Story().connected()
    assert told(story.word(Assigned(job=JOB, assignment=ASSIGNMENT))) == [OpenStreams, TellAgent]
    assert story.machine.phase is Phase.ATTENDING


# --- attending


def test_an_attached_client_says_so_every_three_seconds() -> None:
    story = Story().accepted()
    assert told(story.on(Woken(), ATTENDING)) == [Attending]
    assert told(story.on(Woken(), ATTENDING + 1)) == []
    assert told(story.on(Woken(), 2 * ATTENDING)) == [Attending]


def test_after_a_reconnect_everything_is_said_again_at_once() -> None:
    story = Story().assigned()
    story.on(Disconnected(), 1.0)
    assert told(story.on(Connected(), 1.5)) == [Attending, TellAgent]


def test_a_new_life_of_the_coordinator_is_told_the_submit_at_once() -> None:
    story = Story().connected()
    assert told(story.on(online(NEXT_LIFE), 0.2)) == [Submit]


def test_a_new_life_of_the_coordinator_is_told_that_we_attend_at_once() -> None:
    story = Story().accepted()
    assert told(story.on(online(NEXT_LIFE), 0.2)) == [Attending]


def test_the_numbers_of_a_new_life_of_the_coordinator_count_from_one() -> None:
    story = Story().accepted()
    story.news()
    story.on(online(NEXT_LIFE))
    assert OpenStreams in told(story.word(Assigned(job=JOB, assignment=ASSIGNMENT), life=NEXT_LIFE, number=1))


def test_a_word_of_an_earlier_life_of_the_coordinator_changes_nothing() -> None:
    story = Story().accepted()
    story.on(online(NEXT_LIFE))
    assert story.word(Assigned(job=JOB, assignment=ASSIGNMENT), life=LIFE, number=99) == []


def test_a_coordinator_that_goes_offline_changes_nothing() -> None:
    story = Story().accepted()
    offline = CoordinatorStatus(state=CoordinatorState.OFFLINE, life=LIFE, connection=1, version="0")
    assert story.on(CoordinatorSeen(status=offline)) == []


def test_a_lost_end_is_found_by_attending() -> None:
    assert Story().accepted().news(end=succeeded()) == [Finish(exit_code=0)]


def test_a_coordinator_that_forgot_the_job_ends_it_with_a_sentence() -> None:
    effects = Story().accepted().news(known=False)
    assert effects == [Finish(exit_code=1, sentence=f"the coordinator no longer knows job {JOB}")]


def test_a_word_about_another_job_changes_nothing() -> None:
    story = Story().accepted()
    assert story.word(Ended(job="01J0000000000000000000000X", end=succeeded())) == []
    assert story.word(Assigned(job="01J0000000000000000000000X", assignment=ASSIGNMENT)) == []


def test_who_waits_for_an_agent_is_told_why_after_a_while_and_again_when_the_reason_is_another() -> None:
    story = Story().accepted()
    assert remarks(story.waits("nobody is there", at=3.0)) == []
    assert remarks(story.on(Woken(), WAIT_REMARK - 0.1)) == []
    assert remarks(story.on(Woken(), WAIT_REMARK)) == ["waiting: nobody is there"]
    assert remarks(story.on(Woken(), 2 * WAIT_REMARK)) == []
    story.waits("all are busy", at=2 * WAIT_REMARK + 1)
    assert remarks(story.on(Woken(), 3 * WAIT_REMARK)) == ["waiting: all are busy"]
    story.waits("nobody is there", at=3 * WAIT_REMARK + 1)
    assert remarks(story.on(Woken(), 4 * WAIT_REMARK)) == []


def test_a_job_that_found_its_agent_waits_no_more() -> None:
    story = Story().accepted()
    story.waits("all are busy", at=3.0)
    story.word(Assigned(job=JOB, assignment=ASSIGNMENT), 4.0)
    assert remarks(story.on(Woken(), WAIT_REMARK)) == []


def test_who_waits_for_other_jobs_is_told_so_too() -> None:
    story = Story().accepted()
    story.waits("it waits for another one", at=3.0, state=JobState.WAITING)
    assert remarks(story.on(Woken(), WAIT_REMARK)) == ["waiting: it waits for another one"]


def test_a_job_that_did_not_start_and_waits_again_says_why_after_as_long_a_while() -> None:
    story = Story().accepted()
    story.word(Assigned(job=JOB, assignment=ASSIGNMENT), 1.0)
    story.waits("it is tried again soon", at=20.0)
    assert remarks(story.on(Woken(), 20.0 + WAIT_REMARK - 0.1)) == []
    assert remarks(story.on(Woken(), 20.0 + WAIT_REMARK)) == ["waiting: it is tried again soon"]


def test_nobody_is_told_why_a_job_waits_that_is_offered_or_whose_coordinator_is_away_or_that_is_to_end() -> None:
    offered = JobNews(job=JOB, known=True, state=JobState.OFFERED, assignment=None, end=None)
    for otherwise in (
        CoordinatorSpoke(life=LIFE, number=99, word=Attended(jobs=(offered,))),
        Disconnected(),
        Signalled(signal=2),
    ):
        story = Story().accepted()
        story.waits("all are busy", at=3.0)
        story.on(otherwise, WAIT_REMARK - 1)
        assert remarks(story.on(Woken(), WAIT_REMARK)) == [], otherwise


# --- streams


def test_the_first_credit_goes_out_at_once_with_the_assignment() -> None:
    effects = Story().accepted().word(Assigned(job=JOB, assignment=ASSIGNMENT))
    assert effects[0] == OpenStreams(job=JOB, assignment=ASSIGNMENT)
    window = {"stdout": WINDOW_BYTES, "stderr": WINDOW_BYTES}
    assert credit_in(effects) == [
        StreamCredit(attempt=ATTEMPT, received={"stdout": 0, "stderr": 0}, allowed=window),
    ]


def test_the_first_credit_is_said_again_soon_until_the_agent_gives_a_sign() -> None:
    story = Story().assigned()
    moments = [n / 1000 for n in range(1, 3000) if credit_in(story.on(Woken(), n / 1000))]
    assert moments == pytest.approx([0.02, 0.06, 0.14, 0.3, 0.62, 1.26, 2.54], abs=0.005)
    story = Story().assigned()
    story.chunk(0, b"abc", 0.01)
    assert [n / 1000 for n in range(1, 3000) if credit_in(story.on(Woken(), n / 1000))] == []


def test_a_repeated_assignment_does_not_open_the_streams_again() -> None:
    story = Story().assigned()
    assert story.word(Assigned(job=JOB, assignment=ASSIGNMENT)) == []


def test_an_older_assignment_that_was_overtaken_is_not_followed() -> None:
    story = Story().accepted()
    older = Assignment(attempt=OTHER_ATTEMPT, agent="agent-2", life=AGENT_LIFE)
    story.word(Assigned(job=JOB, assignment=ASSIGNMENT), number=9)
    assert story.word(Assigned(job=JOB, assignment=older), number=5) == []


def test_a_newer_assignment_is_followed_as_long_as_nothing_has_come() -> None:
    story = Story().assigned()
    newer = Assignment(attempt=OTHER_ATTEMPT, agent="agent-2", life=AGENT_LIFE)
    assert told(story.word(Assigned(job=JOB, assignment=newer))) == [OpenStreams, TellAgent]
    assert story.chunk(0, b"of the attempt before") == []


def test_the_output_of_one_attempt_is_never_continued_by_another() -> None:
    story = Story().assigned()
    story.chunk(0, b"abc")
    newer = Assignment(attempt=OTHER_ATTEMPT, agent="agent-2", life=AGENT_LIFE)
    assert story.word(Assigned(job=JOB, assignment=newer)) == []


def test_bytes_are_written_in_order_and_once() -> None:
    story = Story().assigned()
    assert story.chunk(3, b"def") == []
    assert story.chunk(0, b"abc") == [Write(stream="stdout", content=b"abc")]
    assert story.chunk(0, b"abc") == []
    assert story.chunk(0, b"abcde") == [Write(stream="stdout", content=b"de")]


def test_credit_is_given_only_for_what_our_reader_has_taken() -> None:
    story = Story().assigned()
    story.chunk(0, b"abc")
    (before,) = credit_in(story.on(Woken(), ATTENDING))
    assert (before.received["stdout"], before.allowed["stdout"]) == (3, WINDOW_BYTES)
    story.on(Written(stream="stdout", count=3), ATTENDING)
    (after,) = credit_in(story.on(Woken(), 2 * ATTENDING))
    assert (after.received["stdout"], after.allowed["stdout"]) == (3, 3 + WINDOW_BYTES)


def test_half_a_window_that_was_taken_is_told_at_once() -> None:
    story = Story().assigned()
    half = b"x" * (WINDOW_BYTES // 2)
    story.chunk(0, half)
    assert credit_in(story.on(Written(stream="stdout", count=len(half) - 1), 0.1)) == []
    assert len(credit_in(story.on(Written(stream="stdout", count=1), 0.1))) == 1


def test_the_last_credit_tells_the_agent_that_it_need_keep_nothing() -> None:
    story = Story().assigned()
    story.chunk(0, b"abc")
    story.word(Ended(job=JOB, end=succeeded(stdout=3)))
    effects = story.on(Written(stream="stdout", count=3))
    assert [credit.received["stdout"] for credit in credit_in(effects)] == [3]
    assert effects[-1] == Finish(exit_code=0)


def test_the_end_waits_for_the_bytes_that_it_promises() -> None:
    story = Story().assigned()
    assert story.word(Ended(job=JOB, end=succeeded(stdout=3, stderr=1))) == []
    assert story.chunk(0, b"abc") == [Write(stream="stdout", content=b"abc")]
    assert story.on(Written(stream="stdout", count=3)) == []
    story.chunk(0, b"!", stream="stderr")
    assert Finish in told(story.on(Written(stream="stderr", count=1)))


def test_bytes_that_never_come_are_not_waited_for() -> None:
    story = Story().assigned()
    lost = msgspec.structs.replace(succeeded(stdout=9), streams_lost=True)
    (*_, finish) = story.word(Ended(job=JOB, end=lost))
    assert isinstance(finish, Finish)
    assert finish.exit_code == 1
    assert "lost on the way" in (finish.sentence or "")


def test_bytes_turn_out_to_be_lost_after_the_end() -> None:
    story = Story().assigned()
    story.word(Ended(job=JOB, end=succeeded(stdout=9)))
    lost = msgspec.structs.replace(succeeded(stdout=9), streams_lost=True)
    assert Finish in told(story.news(end=lost))


def test_what_our_reader_has_not_taken_is_not_dropped_when_streams_are_lost() -> None:
    story = Story().assigned()
    story.chunk(0, b"abc")
    lost = msgspec.structs.replace(succeeded(stdout=9), streams_lost=True)
    assert Finish not in told(story.word(Ended(job=JOB, end=lost)))
    assert Finish in told(story.on(Written(stream="stdout", count=3)))


def test_output_that_stays_away_is_given_up_some_time_after_the_end() -> None:
    story = Story().assigned()
    story.word(Ended(job=JOB, end=succeeded(stdout=9)), 5.0)
    assert Finish not in told(story.on(Woken(), 5.0 + OUTPUT_SILENCE - 0.1))
    assert Finish in told(story.on(Woken(), 5.0 + OUTPUT_SILENCE))


def test_the_time_without_a_connection_does_not_count_against_the_output() -> None:
    story = Story().assigned()
    story.word(Ended(job=JOB, end=succeeded(stdout=9)), 5.0)
    story.on(Disconnected(), 6.0)
    assert Finish not in told(story.on(Woken(), 500.0))
    story.on(Connected(), 500.0)
    assert Finish not in told(story.on(Woken(), 500.0 + OUTPUT_SILENCE - 0.1))


def test_a_reader_that_stands_still_is_waited_for_without_end() -> None:
    story = Story().assigned()
    story.chunk(0, b"abc")
    story.word(Ended(job=JOB, end=succeeded(stdout=3)))
    for moment in range(0, 600, 10):
        assert Finish not in told(story.on(Woken(), float(moment)))
    assert Finish in told(story.on(Written(stream="stdout", count=3), 600.0))


# --- ends


@pytest.mark.parametrize(
    ("end", "exit_code", "speaks"),
    [
        (succeeded(), 0, False),
        (failed(ReasonCode.EXITED, exit_code=3), 3, False),
        (failed(ReasonCode.EXITED, exit_code=130), 130, False),
        (failed(ReasonCode.KILLED, signal=9), 137, False),
        (failed(ReasonCode.TIMED_OUT, exit_code=255), 124, True),
        (failed(ReasonCode.LOST), 1, True),
        (failed(ReasonCode.NOT_STARTED), 1, True),
        (failed(ReasonCode.REFUSED_BY_AGENT), 1, True),
        (cancelled(), 130, True),
    ],
)
def test_a_job_ends_with_its_programs_code_and_only_other_ends_are_spoken_of(
    end: End, exit_code: int, speaks: bool
) -> None:
    (finish,) = Story().accepted().word(Ended(job=JOB, end=end))
    assert isinstance(finish, Finish)
    assert (finish.exit_code, finish.sentence is not None) == (exit_code, speaks)


def test_after_its_end_a_machine_asks_for_nothing_more() -> None:
    story = Story().accepted()
    story.word(Ended(job=JOB, end=succeeded()))
    assert story.on(online(NEXT_LIFE), 9.0) == []
    assert story.on(Woken(), 99.0) == []
    assert story.word(Ended(job=JOB, end=failed(ReasonCode.LOST))) == []


@pytest.mark.parametrize(("signal", "exit_code"), [(2, 130), (15, 143), (1, 129)])
def test_a_signal_cancels_the_job_and_the_end_is_as_the_signal_says(signal: int, exit_code: int) -> None:
    story = Story().accepted()
    assert told(story.on(Signalled(signal=signal), 1.0)) == [Cancel]
    assert story.word(Ended(job=JOB, end=cancelled()), 1.1) == [Finish(exit_code=exit_code)]


def test_a_cancel_is_said_again_until_the_job_has_ended() -> None:
    story = Story().accepted()
    story.on(Signalled(signal=2), 1.0)
    assert told(story.on(Woken(), 1.0 + REQUEST_REPEAT)) == [Cancel]


def test_a_second_signal_ends_at_once() -> None:
    story = Story().accepted()
    story.on(Signalled(signal=2), 1.0)
    assert story.on(Signalled(signal=2), 1.1)[-1] == Finish(exit_code=130)


def test_a_signal_before_the_job_was_accepted_ends_at_once() -> None:
    assert Story().connected().on(Signalled(signal=15)) == [Finish(exit_code=143)]


def test_a_signal_is_obeyed_also_when_nobody_answers_the_cancel() -> None:
    story = Story().accepted()
    story.on(Disconnected(), 0.5)
    story.on(Signalled(signal=15), 1.0)
    assert story.on(Woken(), 1.0 + LEAVE_PATIENCE) == [Finish(exit_code=143)]


def test_a_closed_pipe_is_told_to_the_agent_and_the_end_is_the_programs_own() -> None:
    story = Story().assigned()
    story.chunk(0, b"abc")
    (credit,) = credit_in(story.on(ReaderGone(stream="stdout", sentence=None), 1.0))
    assert (credit.closed, credit.allowed["stdout"]) == (("stdout",), 3 + WINDOW_BYTES)
    assert story.chunk(3, b"def", 1.0) == []
    end = msgspec.structs.replace(failed(ReasonCode.KILLED, signal=13), lengths=StreamLengths(stdout=99, stderr=0))
    assert story.word(Ended(job=JOB, end=end), 1.1)[-1] == Finish(exit_code=141, signal=13)


def test_that_a_pipe_is_closed_is_said_again_and_again() -> None:
    story = Story().assigned()
    story.on(ReaderGone(stream="stdout", sentence=None), 1.0)
    assert [credit.closed for credit in credit_in(story.on(Woken(), 1.0 + ATTENDING))] == [("stdout",)]


def test_output_that_cannot_be_written_cancels_the_job_and_says_why() -> None:
    story = Story().assigned()
    story.on(ReaderGone(stream="stdout", sentence="no space left"), 1.0)
    effects = story.word(Ended(job=JOB, end=cancelled()), 1.1)
    assert effects[-1] == Finish(exit_code=1, sentence="no space left")


def test_a_life_that_was_retired_ends_with_the_job_and_says_that_output_is_lost() -> None:
    story = Story().assigned()
    story.on(Reborn(), 1.0)
    story.on(Connected(), 1.1)
    (finish,) = story.word(Ended(job=JOB, end=succeeded(stdout=5)), number=1)
    assert isinstance(finish, Finish)
    assert finish.exit_code == 1


def test_a_life_that_was_retired_before_its_job_was_accepted_submits_it_again() -> None:
    story = Story().connected()
    story.on(Reborn(), 0.5)
    assert told(story.on(Connected(), 0.6)) == [Submit]


def test_an_end_is_known_by_its_state_when_the_program_was_told_to_stop() -> None:
    end = End(
        state=JobState.CANCELLED,
        exit_code=0,
        signal=None,
        reason_code=ReasonCode.CANCELLED,
        reason="by hand",
        lengths=None,
        streams_lost=False,
    )
    (finish,) = Story().accepted().word(Ended(job=JOB, end=end))
    assert finish == Finish(exit_code=130, sentence=f"job {JOB} was cancelled: by hand")
    (finish,) = Story().accepted().word(Ended(job=JOB, end=cancelled()))
    assert finish == Finish(exit_code=130, sentence=f"job {JOB} was cancelled")


# --- shaken

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_network_does_all_bytes_come_once_and_the_end_is_found(seed: int) -> None:
    world = World(seed, _output(seed), faults_until=20.0)
    _shaken(world)
    if isinstance(world.finish, GiveUp):
        assert (world.now, world.opened) == (REQUEST_PATIENCE, [])  # the faults were longer than its patience
        return
    assert world.finish == Finish(exit_code=0), _told_at_the_end(world)
    assert {name: bytes(seen) for name, seen in world.seen.items()} == world.mesh.output
    assert world.opened == [ATTEMPT]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_network_does_a_signal_ends_the_run_in_time(seed: int) -> None:
    world = World(seed, _output(seed), faults_until=20.0)
    moment = world.dice.random() * 15
    world.at(moment, lambda: world.tell(Signalled(signal=2)))
    _shaken(world)
    assert world.finish is not None, _told_at_the_end(world)
    if isinstance(world.finish, Finish) and world.finish.exit_code != 0:
        assert world.finish.exit_code == 130, _told_at_the_end(world)
    assert world.now <= 20.0 + LEAVE_PATIENCE, _told_at_the_end(world)
    for name, seen in world.seen.items():
        assert world.mesh.output[name].startswith(bytes(seen))


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_network_does_the_program_reads_what_was_typed(seed: int) -> None:
    typed = bytes(range(251)) * ((1, 4000, 2 * WINDOW_BYTES // 251 + 77)[seed % 3])
    world = World(seed, _output(seed), faults_until=20.0, typed=typed)
    _shaken(world)
    if isinstance(world.finish, GiveUp):
        assert world.taken == 0
        return
    assert world.finish == Finish(exit_code=0), _told_at_the_end(world)
    assert bytes(world.mesh.fed) == typed
    assert {name: bytes(seen) for name, seen in world.seen.items()} == world.mesh.output


def _output(seed: int) -> dict[str, bytes]:
    """A little, or more than a window, so that credit has to flow."""
    size = (0, 10, 700_000, 2 * WINDOW_BYTES + 12_345)[seed % 4]
    return {"stdout": bytes(range(256)) * (size // 256) + b"the tail", "stderr": b"frame=1\r" * (seed % 7)}


def _shaken(world: World) -> None:
    """The broker comes and goes, the coordinator is born again; then all is well."""
    world.at(0.0, world.connect)
    for _ in range(world.dice.randrange(4)):
        gone = 0.5 + world.dice.random() * 15
        world.at(gone, world.disconnect)
        world.at(gone + world.dice.random() * 4, world.connect)
    for _ in range(world.dice.randrange(3)):
        world.at(world.dice.random() * 18, world.restart_coordinator)
    world.at(20.0, world.connect)
    world.run(until=300.0)


def _told_at_the_end(world: World) -> str:
    return "\n".join(["", *world.story[-60:]])

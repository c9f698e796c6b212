"""An attached job, from the submit to the program's end: what `run` does, and later the shim.

It promises: the program's bytes go on in order and once; it ends with the job, or when the job can never be heard of
again, and says which; it never waits for ever on a word that was lost, because all that it says is said again until it
is answered. A broker or coordinator that is away is waited for once the job is known to be accepted.

It takes chunks of one attempt only. Not there yet: standard input, and signals that are handed on.
"""

from enum import StrEnum
from typing import Final

from ffmesh_client import exits
from ffmesh_client.core.effects import Effect, Finish, GiveUp, OpenStreams, Remark, Tell, TellAgent, WakeAt, Write
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
from ffmesh_client.core.reach import Reach
from ffmesh_client.exits import SIGNAL_BASE, Exit
from ffmesh_protocol.limits import WINDOW_BYTES
from ffmesh_protocol.messages.answers import (
    Accepted,
    Answer,
    Assigned,
    Assignment,
    Attended,
    End,
    Ended,
    JobNews,
    Refusal,
    Retired,
)
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.messages.requests import Attending, Cancel, StreamCredit, Submit
from ffmesh_protocol.reasons import SENTENCES, ReasonCode
from ffmesh_protocol.streams import IncomingStream
from ffmesh_protocol.times import ATTENDING, CLIENT_SILENCE, REQUEST_PATIENCE, REQUEST_REPEAT

STREAMS: Final = ("stdout", "stderr")

OUTPUT_SILENCE: Final = 2 * CLIENT_SILENCE
"""The job has ended and the rest of its output does not come: after this long, counted while we are connected and our
own reader is not to blame, it is lost. An agent whose network blinked has had time to connect again."""

FIRST_CREDIT_REPEAT: Final = 0.02
"""The first credit may overtake the grant on its way to the agent, which then cannot read it. Until the agent gives a
sign it is said again after this long, and then each time after twice as long, up to the usual beat."""

LEAVE_PATIENCE: Final = REQUEST_PATIENCE
"""Who was told to end waits this long for the end of its job, and then leaves; its farewell stops the job as well."""


WAIT_REMARK: Final = 10.0
"""Whose job has found no place for this long is told why, and after as long again if the reason is a new one."""


class Phase(StrEnum):
    SUBMITTING = "submitting"
    ATTENDING = "attending"
    ENDED = "ended"
    """The job has ended; some of its output may be on the way."""
    FINISHED = "finished"


class Timer(StrEnum):
    SUBMIT = "submit"
    ATTEND = "attend"
    CREDIT = "credit"
    CANCEL = "cancel"
    PATIENCE = "patience"
    LEAVE = "leave"
    OUTPUT = "output"
    WAIT = "wait"


#: What is said again and again in each phase, as long as somebody can hear it.
SAID: Final[dict[Phase, tuple[Timer, ...]]] = {
    Phase.SUBMITTING: (Timer.SUBMIT,),
    Phase.ATTENDING: (Timer.ATTEND, Timer.CREDIT, Timer.CANCEL),
    Phase.ENDED: (Timer.ATTEND, Timer.CREDIT),
    Phase.FINISHED: (),
}
#: What runs out in each phase.
RUNS_OUT: Final[dict[Phase, tuple[Timer, ...]]] = {
    Phase.SUBMITTING: (Timer.PATIENCE,),
    Phase.ATTENDING: (Timer.LEAVE, Timer.WAIT),
    Phase.ENDED: (Timer.LEAVE, Timer.OUTPUT),
    Phase.FINISHED: (),
}


class Attached:
    """Make it before anything else happens: `began` is when the patience with an absent mesh begins."""

    def __init__(self, submit: Submit, began: float) -> None:
        self.job = submit.job
        self.phase = Phase.SUBMITTING
        self._submit = submit
        self._reach = Reach()
        self._timers: dict[Timer, float] = {Timer.SUBMIT: began, Timer.PATIENCE: began + REQUEST_PATIENCE}
        self._wake_at: float | None = None
        self._effects: list[Effect] = []
        self._newest = 0
        self._assignment: Assignment | None = None
        self._attempts: set[str] = set()
        self._streams: dict[str, IncomingStream] = {name: IncomingStream() for name in STREAMS}
        self._credited: dict[str, int] = dict.fromkeys(STREAMS, 0)
        self._credit_pause = FIRST_CREDIT_REPEAT
        self._gone: set[str] = set()
        self._cut_off = False
        self._end: End | None = None
        self._leave_with: tuple[int, str | None] | None = None
        self._why_waiting: str | None = None
        self._remarked: set[str] = set()

    @property
    def correlation(self) -> bytes:
        """Of the submit, the only request here that has an answer of its own."""
        return self.job.encode()

    def handle(self, event: Event, now: float) -> list[Effect]:
        if self.phase is not Phase.FINISHED:
            self._take(event, now)
        if self.phase is not Phase.FINISHED:
            self._say_what_is_due(now)
            self._run_out(now)
        self._set_alarm(woken=isinstance(event, Woken))
        effects, self._effects = self._effects, []
        return effects

    def _take(self, event: Event, now: float) -> None:
        life = self._reach.coordinator_life
        say_again = self._reach.handle(event)
        if life != self._reach.coordinator_life:
            self._newest = 0  # numbers count from 1 for each pair of lives
        if say_again:
            for timer in SAID[self.phase]:
                self._due_again(timer, now)
        match event:
            case Answered(correlation=correlation, answer=answer) if correlation == self.correlation:
                self._answered(answer, now)
            case CoordinatorSpoke(life=life, number=number, word=word) if life == self._reach.coordinator_life:
                self._told(number, word, now)
            case ChunkCame():
                self._chunk(event, now)
            case Written(stream=stream, count=count):
                self._consumed(stream, count, now)
            case ReaderGone(stream=stream, sentence=sentence):
                self._reader_gone(stream, sentence, now)
            case Signalled(signal=signal):
                self._asked_to_leave(SIGNAL_BASE + signal, None, now)
            case Connected() | CoordinatorSeen():
                self._heed_output(now)
            case Disconnected():
                self._timers.pop(Timer.OUTPUT, None)
            case Reborn():
                self._newest = 0
                # Chunks come to the life that submitted. That life is over, and for the agent so is the job.
                self._cut_off = self._cut_off or self.phase is not Phase.SUBMITTING
                self._finish_if_complete()
            case _:
                pass

    # --- what the coordinator says

    def _answered(self, answer: Answer, now: float) -> None:
        match answer:
            case Accepted():
                self._accepted(now)
            case Refusal(code=code, sentence=sentence) if self.phase is Phase.SUBMITTING:
                self._finish(exits.OF_REFUSAL[code], sentence)
            case _:
                pass

    def _told(self, number: int, word: CoordinatorWord, now: float) -> None:
        match word:
            case Attended(jobs=jobs):
                for news in jobs:
                    if news.job == self.job:
                        self._news(number, news, now)
            case Assigned(job=job, assignment=assignment) if job == self.job:
                self._accepted(now)
                if self._is_newest(number):
                    self._assigned(assignment, now)
            case Ended(job=job, end=end) if job == self.job:
                self._accepted(now)
                self._ended(end, now)
            case Assigned() | Ended() | Retired():
                pass

    def _is_newest(self, number: int) -> bool:
        """Topics overtake each other: an older word about where the job runs changes nothing."""
        if number < self._newest:
            return False
        self._newest = number
        return True

    def _news(self, number: int, news: JobNews, now: float) -> None:
        newest = self._is_newest(number)
        if not news.known:
            if newest and self.phase is not Phase.SUBMITTING and self._end is None:
                self._finish(Exit.FAILED, f"the coordinator no longer knows job {self.job}")
            return
        self._accepted(now)
        if newest:
            self._waits(news, now)
        if news.assignment is not None and newest:
            self._assigned(news.assignment, now)
        if news.state is JobState.RUNNING and self._assignment is not None:
            self._credit_arrived(now)
        if news.end is not None:
            self._ended(news.end, now)

    def _waits(self, news: JobNews, now: float) -> None:
        """For an agent or for other jobs; perhaps again, when an attempt did not come to start its program."""
        is_waiting = news.state in (JobState.WAITING, JobState.QUEUED)
        self._why_waiting = news.reason if is_waiting else None
        if is_waiting:
            self._timers.setdefault(Timer.WAIT, now + WAIT_REMARK)

    def _accepted(self, now: float) -> None:
        if self.phase is not Phase.SUBMITTING:
            return
        self.phase = Phase.ATTENDING
        self._timers.pop(Timer.SUBMIT, None)
        self._timers.pop(Timer.PATIENCE, None)
        # The answer was a sign of its own; the first question comes with the usual beat.
        self._timers[Timer.ATTEND] = now + ATTENDING
        self._timers[Timer.WAIT] = now + WAIT_REMARK

    def _assigned(self, assignment: Assignment, now: float) -> None:
        if assignment.attempt in self._attempts or any(stream.received for stream in self._streams.values()):
            return  # the output of one try is never continued by that of another
        self._attempts.add(assignment.attempt)
        self._assignment = assignment
        self._streams = {name: IncomingStream() for name in STREAMS}
        self._effects.append(OpenStreams(job=self.job, assignment=assignment))
        self._timers[Timer.CREDIT] = now
        self._credit_pause = FIRST_CREDIT_REPEAT
        self._timers.pop(Timer.WAIT, None)

    def _ended(self, end: End, now: float) -> None:
        if self.phase is Phase.ENDED:
            if end.streams_lost and self._end is not None and not self._end.streams_lost:
                self._end = end  # the agent that still had them is gone as well
        else:
            self._end = end
            self.phase = Phase.ENDED
            self._timers.pop(Timer.CANCEL, None)
            self._heed_output(now)
        self._finish_if_complete()

    # --- the streams

    def _chunk(self, event: ChunkCame, now: float) -> None:
        stream = self._streams.get(event.stream)
        if stream is None or self._assignment is None or event.chunk.attempt != self._assignment.attempt:
            return
        self._credit_arrived(now)
        fresh = stream.take(event.chunk)
        if fresh:
            self._heed_output(now)
            if event.stream in self._gone:
                self._consumed(event.stream, len(fresh), now)
            else:
                self._effects.append(Write(stream=event.stream, content=fresh))
        self._finish_if_complete()

    def _credit_arrived(self, now: float) -> None:
        """The agent knows us: the next one has time."""
        if self._credit_pause < ATTENDING:
            self._credit_pause = ATTENDING
            self._timers[Timer.CREDIT] = now + ATTENDING

    def _consumed(self, name: str, count: int, now: float) -> None:
        stream = self._streams[name]
        stream.consume(count)
        self._heed_output(now)
        if stream.consumed - self._credited[name] >= WINDOW_BYTES // 2:
            self._due_again(Timer.CREDIT, now)
        self._finish_if_complete()

    def _reader_gone(self, name: str, sentence: str | None, now: float) -> None:
        if name in self._gone:
            return
        self._gone.add(name)
        stream = self._streams[name]
        stream.consume(stream.received - stream.consumed)
        self._asked_to_leave(Exit.PIPE if sentence is None else Exit.FAILED, sentence, now)

    def _heed_output(self, now: float) -> None:
        """Something moved: if the rest of the output is awaited, its time begins anew."""
        if self.phase is Phase.ENDED and self._reach.connected:
            self._timers[Timer.OUTPUT] = now + OUTPUT_SILENCE

    # --- ends

    def _asked_to_leave(self, exit_code: int, sentence: str | None, now: float) -> None:
        if self._leave_with is None:
            self._leave_with = (exit_code, sentence)
            if self.phase is Phase.ATTENDING:
                self._timers[Timer.CANCEL] = now
                self._timers[Timer.LEAVE] = now + LEAVE_PATIENCE
                return
        # Not accepted, ended, or asked twice: there is nothing to wait for. The farewell stops what may still run.
        self._finish(*self._leave_with)

    def _finish_if_complete(self) -> None:
        end = self._end
        if end is None or self.phase is not Phase.ENDED or self._unwritten:
            return
        if end.lengths is None or end.streams_lost or self._cut_off or self._arrived(end):
            self._finish_with(end, output_lost=end.lengths is not None and not self._arrived(end))

    @property
    def _unwritten(self) -> bool:
        """Our own reader has yet to take something."""
        return any(stream.received > stream.consumed for stream in self._streams.values())

    def _arrived(self, end: End) -> bool:
        lengths = end.lengths
        if lengths is None:
            return True
        return self._streams["stdout"].received >= lengths.stdout and self._streams["stderr"].received >= lengths.stderr

    def _finish_with(self, end: End, *, output_lost: bool) -> None:
        if self._leave_with is not None:
            self._finish(*self._leave_with)
            return
        code = exits.of_end(end.state, end.exit_code, end.signal, end.reason_code)
        if output_lost and code == Exit.DONE:
            self._finish(Exit.FAILED, f"job {self.job} succeeded, but some of its output was lost on the way")
        elif output_lost and end.reason_code in exits.PROGRAMS_OWN:
            self._finish(code, f"job {self.job} failed, and some of its output was lost on the way")
        elif end.reason_code in exits.PROGRAMS_OWN and end.state is not JobState.CANCELLED:
            self._finish(code, None)
        else:
            self._finish(code, f"job {self.job} {_how(end)}{_why(end)}")

    def _finish(self, exit_code: int, sentence: str | None) -> None:
        self._credit()  # so that the agent need not keep what has arrived
        self.phase = Phase.FINISHED
        self._timers.clear()
        self._effects.append(Finish(exit_code=exit_code, sentence=sentence))

    # --- what is said, and when

    def _due_again(self, timer: Timer, now: float) -> None:
        if timer in self._timers:
            self._timers[timer] = now

    def _say_what_is_due(self, now: float) -> None:
        if not self._reach.open:
            return
        for timer in SAID[self.phase]:
            if timer in self._timers and now >= self._timers[timer]:
                self._say(timer, now)

    def _say(self, timer: Timer, now: float) -> None:
        match timer:
            case Timer.SUBMIT:
                self._effects.append(Tell(message=self._submit, correlation=self.correlation))
                self._timers[timer] = now + REQUEST_REPEAT
            case Timer.ATTEND:
                self._effects.append(Tell(message=Attending(jobs=(self.job,))))
                self._timers[timer] = now + ATTENDING
            case Timer.CANCEL:
                self._effects.append(Tell(message=Cancel(job=self.job)))
                self._timers[timer] = now + REQUEST_REPEAT
            case Timer.CREDIT:
                self._credit()
                self._timers[timer] = now + self._credit_pause
                self._credit_pause = min(2 * self._credit_pause, ATTENDING)
            case Timer.PATIENCE | Timer.LEAVE | Timer.OUTPUT | Timer.WAIT:
                raise AssertionError(timer)

    def _credit(self) -> None:
        if self._assignment is None or not self._reach.connected or self._cut_off:
            return
        self._credited = {name: stream.consumed for name, stream in self._streams.items()}
        credit = StreamCredit(
            attempt=self._assignment.attempt,
            received={name: stream.received for name, stream in self._streams.items()},
            allowed={name: stream.allowed for name, stream in self._streams.items()},
        )
        self._effects.append(TellAgent(credit=credit))

    def _run_out(self, now: float) -> None:
        for timer in RUNS_OUT[self.phase]:
            if timer in self._timers and now >= self._timers[timer]:
                self._ran_out(timer, now)

    def _ran_out(self, timer: Timer, now: float) -> None:
        match timer:
            case Timer.PATIENCE:
                self.phase = Phase.FINISHED
                self._effects.append(GiveUp(correlation=self.correlation, missing=self._reach.missing))
            case Timer.LEAVE:
                assert self._leave_with is not None
                self._finish(*self._leave_with)
            case Timer.WAIT:
                self._remark_waiting()
                self._timers[timer] = now + WAIT_REMARK
            case Timer.OUTPUT:
                if self._unwritten:
                    self._heed_output(now)
                elif self._end is not None:
                    self._finish_with(self._end, output_lost=True)
            case _:
                raise AssertionError(timer)

    def _remark_waiting(self) -> None:
        why = self._why_waiting
        if why is not None and why not in self._remarked and self._reach.open and self._leave_with is None:
            self._remarked.add(why)
            self._effects.append(Remark(sentence=f"waiting: {why}"))

    def _set_alarm(self, *, woken: bool) -> None:
        counting = RUNS_OUT[self.phase] + (SAID[self.phase] if self._reach.open else ())
        wake_at = min((self._timers[timer] for timer in counting if timer in self._timers), default=None)
        if wake_at != self._wake_at or (woken and wake_at is not None):
            self._wake_at = wake_at
            self._effects.append(WakeAt(elapsed=wake_at))


def _how(end: End) -> str:
    if end.state is JobState.CANCELLED:
        return "was cancelled"
    match end.reason_code:
        case ReasonCode.LOST:
            return "was lost"
        case ReasonCode.TIMED_OUT:
            return "timed out"
        case _:
            return "failed"


def _why(end: End) -> str:
    if end.reason_code is ReasonCode.CANCELLED and end.reason == SENTENCES[ReasonCode.CANCELLED]:
        return ""  # it would say the same once more
    return f": {end.reason or 'no reason is known'}"

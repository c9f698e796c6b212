"""An attached job, from the submit to the program's end: what `run` does, and later the shim.

It promises: the program's bytes go on in order and once; it ends with the job, or when the job can never be heard of
again, and says which; it never waits for ever on a word that was lost, because all that it says is said again until it
is answered. A broker or coordinator that is away is waited for once the job is known to be accepted.

It takes chunks of one attempt only. Once its program may run, signals go to it, as our standard input does, and what it
makes of them is its own matter; before, a signal cancels the job.
"""

from signal import SIGTSTP
from typing import Final

from ffmesh_client import exits
from ffmesh_client.core.effects import (
    Effect,
    Finish,
    GiveUp,
    Missing,
    OpenStreams,
    Remark,
    SignalAgent,
    Suspend,
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
    CreditCame,
    Disconnected,
    Event,
    InputRead,
    ReaderGone,
    Reborn,
    Resumed,
    Signalled,
    Withdrawn,
    Woken,
    Written,
)
from ffmesh_client.core.feeding import STREAM, Feeding
from ffmesh_client.core.output import STREAMS, Output
from ffmesh_client.core.phases import (
    FIRST_CREDIT_REPEAT,
    LEAVE_PATIENCE,
    OUTPUT_SILENCE,
    RUNS_OUT,
    SAID,
    SIGNAL_PATIENCE,
    SUSPEND_PATIENCE,
    WAIT_REMARK,
    Phase,
    Timer,
)
from ffmesh_client.core.reach import Reach
from ffmesh_client.core.signalling import Signalling
from ffmesh_client.core.verdict import verdict
from ffmesh_client.exits import SIGNAL_BASE, Exit
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
from ffmesh_protocol.messages.requests import Attending, CallerSignal, Cancel, StreamCredit, Submit
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.times import ATTENDING, REQUEST_PATIENCE, REQUEST_REPEAT

SOON: Final = 0.2
"""Most jobs have an agent by then."""

NEVER_STARTED: Final = frozenset({ReasonCode.NOT_STARTED, ReasonCode.REFUSED_BY_AGENT})
"""An agent says so itself."""


class Attached:
    """Make it before anything else happens: `began` is when the patience with an absent mesh begins.

    `has_input`: there is a standard input that the program may read. `has_another_way`: whoever waits would rather go
    that way than wait for an agent that is not there.
    """

    def __init__(self, submit: Submit, began: float, *, has_input: bool = False, has_another_way: bool = False) -> None:
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
        self._output = Output()
        self._credit_pause = FIRST_CREDIT_REPEAT
        self._has_input = has_input
        self._has_another_way = has_another_way
        self._feeding: Feeding | None = None
        self._signalling: Signalling | None = None
        self._is_waiting = True
        self._has_waited_enough = False
        self._last_signal = 0
        self._suspended_at: float | None = None
        self._has_paused_it = False
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
            case CreditCame(credit=credit):
                self._credit_came(credit, now)
            case InputRead(content=content):
                if self._feeding is not None and self.phase is Phase.ATTENDING:
                    self._effects += self._feeding.read(content)
            case Signalled(signal=signal):
                self._signalled(signal, now)
            case Withdrawn():
                self._has_waited_enough = True
                self._withdraw()
            case Resumed():
                self._resumed(now)
            case Connected():
                self._heed_output(now)
                if self._feeding is not None and self.phase is Phase.ATTENDING:
                    self._effects += self._feeding.send_again()
            case CoordinatorSeen():
                self._heed_output(now)
            case Disconnected():
                self._timers.pop(Timer.OUTPUT, None)
            case Reborn():
                self._newest = 0
                # Chunks come to the life that submitted. That life is over, and for the agent so is the job.
                self._cut_off = self._cut_off or self.phase is not Phase.SUBMITTING
                self._feed_no_more()
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
        if self.phase is Phase.FINISHED:
            return
        if news.assignment is not None and newest:
            self._assigned(news.assignment, now)
        if news.state is JobState.RUNNING and self._assignment is not None:
            self._credit_arrived(now)
        if news.end is not None:
            self._ended(news.end, now)

    def _waits(self, news: JobNews, now: float) -> None:
        """For an agent or for other jobs; perhaps again, when an attempt did not come to start its program."""
        is_waiting = self._is_waiting = news.state in (JobState.WAITING, JobState.QUEUED)
        self._why_waiting = news.reason if is_waiting else None
        nobody_can = self._has_another_way and news.reason_code is ReasonCode.WAITING_FOR_AGENT
        if is_waiting and (nobody_can or self._has_waited_enough):
            self._withdraw()
        if is_waiting and self.phase is not Phase.FINISHED:
            self._timers.setdefault(Timer.WAIT, now + WAIT_REMARK)
            ending = self._signalling.ending if self._signalling is not None else None
            if ending is not None:  # there is no program that could hear it
                self._asked_to_leave(SIGNAL_BASE + ending, None, now)

    def _accepted(self, now: float) -> None:
        if self.phase is not Phase.SUBMITTING:
            return
        self.phase = Phase.ATTENDING
        self._timers.pop(Timer.SUBMIT, None)
        self._timers.pop(Timer.PATIENCE, None)
        # The answer was a sign of its own; the first question comes with the usual beat.
        self._timers[Timer.ATTEND] = now + (SOON if self._has_another_way else ATTENDING)
        self._timers[Timer.WAIT] = now + WAIT_REMARK

    def _assigned(self, assignment: Assignment, now: float) -> None:
        if assignment.attempt in self._attempts or self._has_streamed:
            return  # the output of one try is never continued by that of another
        self._attempts.add(assignment.attempt)
        self._assignment = assignment
        self._is_waiting = False
        self._feeding = Feeding(assignment.attempt) if self._has_input else None
        self._signalling = Signalling(assignment.attempt)
        self._output = Output()
        self._effects.append(OpenStreams(job=self.job, assignment=assignment))
        self._timers[Timer.CREDIT] = now
        self._credit_pause = FIRST_CREDIT_REPEAT
        self._timers.pop(Timer.WAIT, None)

    @property
    def _has_streamed(self) -> bool:
        """In either direction."""
        return self._output.has_begun or (self._feeding is not None and self._feeding.has_begun)

    def _ended(self, end: End, now: float) -> None:
        if self.phase is Phase.ENDED:
            if end.streams_lost and self._end is not None and not self._end.streams_lost:
                self._end = end  # the agent that still had them is gone as well
        else:
            self._end = end
            self.phase = Phase.ENDED
            self._feed_no_more()
            self._timers.pop(Timer.CANCEL, None)
            if self._leave_with is None:
                self._timers.pop(Timer.LEAVE, None)
            self._heed_output(now)
        self._finish_if_complete()

    # --- the streams

    def _chunk(self, event: ChunkCame, now: float) -> None:
        if event.stream not in STREAMS or not self._is_ours(event.chunk.attempt):
            return
        self._credit_arrived(now)
        fresh = self._output.take(event)
        if fresh:
            self._heed_output(now)
            self._effects.append(Write(stream=event.stream, content=fresh))
        self._finish_if_complete()

    def _is_ours(self, attempt: str) -> bool:
        return self._assignment is not None and attempt == self._assignment.attempt

    def _credit_arrived(self, now: float) -> None:
        """The agent knows us: the next one has time."""
        if self._credit_pause < ATTENDING:
            self._credit_pause = ATTENDING
            self._timers[Timer.CREDIT] = now + ATTENDING

    def _credit_came(self, credit: StreamCredit, now: float) -> None:
        if not self._is_ours(credit.attempt):
            return
        self._credit_arrived(now)
        if self._signalling is not None:
            self._signalling.passed(credit.signals)
            self._heed_signals(now)
        if self._feeding is not None and self.phase is Phase.ATTENDING:
            self._timers.setdefault(Timer.FEED, now + ATTENDING)
            self._effects += self._feeding.credited(credit)

    def _feed_no_more(self) -> None:
        if self._feeding is not None:
            self._effects += self._feeding.over()
        self._timers.pop(Timer.FEED, None)

    def _consumed(self, name: str, count: int, now: float) -> None:
        self._heed_output(now)
        if self._output.consumed(name, count):
            self._due_again(Timer.CREDIT, now)
        self._finish_if_complete()

    def _reader_gone(self, name: str, sentence: str | None, now: float) -> None:
        if not self._output.reader_gone(name):
            return
        if sentence is not None:
            self._asked_to_leave(Exit.FAILED, sentence, now)
            return
        self._due_again(Timer.CREDIT, now)  # which tells it, and the program finds its pipe closed, as it would here
        self._finish_if_complete()

    def _heed_output(self, now: float) -> None:
        """Something moved: if the rest of the output is awaited, its time begins anew."""
        if self.phase is Phase.ENDED and self._reach.connected:
            self._timers[Timer.OUTPUT] = now + OUTPUT_SILENCE

    # --- signals

    def _signalled(self, number: int, now: float) -> None:
        if number == SIGTSTP:
            self._asked_to_pause(now)
        elif self._signalling is None or self._is_waiting or self.phase is not Phase.ATTENDING:
            self._asked_to_leave(SIGNAL_BASE + number, None, now)
        elif self._leave_with is not None or self._is_unheard(self._signalling, now):
            self._finish(SIGNAL_BASE + number, None)
        else:
            self._last_signal = number
            self._signalling.ask_to_end(number, now)
            self._timers[Timer.SIGNAL] = now
            self._timers.setdefault(Timer.LEAVE, now + LEAVE_PATIENCE)

    def _is_unheard(self, signalling: Signalling, now: float) -> bool:
        """An earlier one; or whatever the program makes of it, nobody could tell us."""
        return signalling.ending_for(now) >= SIGNAL_PATIENCE or (
            Timer.LEAVE in self._timers and self._reach.missing is not Missing.ANSWER
        )

    def _heed_signals(self, now: float) -> None:
        """The program has had some."""
        if self._signalling is None or self._signalling.waits:
            return
        self._timers.pop(Timer.SIGNAL, None)
        if self._leave_with is None and self._reach.missing is Missing.ANSWER:
            self._timers.pop(Timer.LEAVE, None)
        if Timer.SUSPEND in self._timers:
            self._pause(now)

    def _asked_to_pause(self, now: float) -> None:
        """The program first, if it may run."""
        if self._suspended_at is not None or Timer.SUSPEND in self._timers:
            return
        if self._signalling is None or self._is_waiting or self.phase is not Phase.ATTENDING:
            self._pause(now)
        else:
            self._signalling.add(CallerSignal.STOP)
            self._timers[Timer.SIGNAL] = now
            self._timers[Timer.SUSPEND] = now + SUSPEND_PATIENCE

    def _pause(self, now: float) -> None:
        self._has_paused_it = self._timers.pop(Timer.SUSPEND, None) is not None
        self._suspended_at = now
        self._effects.append(Suspend(attending=Attending(jobs=(self.job,)), credit=self._credit_now()))

    def _resumed(self, now: float) -> None:
        """What runs out has stood still with us. Where somebody else has stopped us, the program ran on."""
        if self._suspended_at is None:
            return
        for timer in RUNS_OUT[self.phase]:
            if timer in self._timers:
                self._timers[timer] += now - self._suspended_at
        self._suspended_at = None
        if self._has_paused_it and self._signalling is not None and self.phase is Phase.ATTENDING:
            self._signalling.add(CallerSignal.CONT)
            self._timers[Timer.SIGNAL] = now

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

    def _withdraw(self) -> None:
        """An agent begins when it has our first credit. As long as we gave none to anybody, nothing can have begun; nor
        has it when the job waits again, which it does if the agent said that it started nothing. What comes after that
        has none of ours yet."""
        if self.phase not in (Phase.SUBMITTING, Phase.ATTENDING):
            return
        if self._attempts and (self._has_streamed or not self._is_waiting):
            return
        self._assignment = None
        self._effects.append(Tell(message=Cancel(job=self.job)))
        self._finish(Exit.UNREACHABLE, f"no agent took the job{_why_not(self._why_waiting)}", never_started=True)

    def _finish_if_complete(self) -> None:
        end = self._end
        if end is None or self.phase is not Phase.ENDED or self._output.is_unwritten:
            return
        if end.lengths is None or end.streams_lost or self._cut_off or self._arrived(end):
            self._finish_with(end, output_lost=end.lengths is not None and not self._arrived(end))

    def _arrived(self, end: End) -> bool:
        return end.lengths is None or self._output.has_arrived(end.lengths)

    def _finish_with(self, end: End, *, output_lost: bool) -> None:
        if self._leave_with is not None:
            self._finish(*self._leave_with)
            return
        finish = verdict(self.job, end, output_lost=output_lost)
        self._finish(finish.exit_code, finish.sentence)

    def _finish(self, exit_code: int, sentence: str | None, *, never_started: bool = False) -> None:
        self._credit()  # so that the agent need not keep what has arrived
        self._feed_no_more()
        self.phase = Phase.FINISHED
        self._timers.clear()
        end = self._end if self._leave_with is None else None
        never_started = never_started or (end is not None and end.reason_code in NEVER_STARTED)
        signal = end.signal if end is not None and exit_code == SIGNAL_BASE + (end.signal or 0) else None
        self._effects.append(Finish(exit_code=exit_code, sentence=sentence, never_started=never_started, signal=signal))

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
            case Timer.SIGNAL:
                assert self._signalling is not None
                self._effects.append(SignalAgent(signals=self._signalling.due()))
                self._timers[timer] = now + REQUEST_REPEAT
            case _:
                raise AssertionError(timer)

    def _credit(self) -> None:
        credit = self._credit_now()
        if credit is not None:
            self._effects.append(TellAgent(credit=credit))

    def _credit_now(self) -> StreamCredit | None:
        if self._assignment is None or not self._reach.connected or self._cut_off:
            return None
        return self._output.credit(self._assignment.attempt, sends=(STREAM,) if self._has_input else ())

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
                self._finish(*(self._leave_with or (SIGNAL_BASE + self._last_signal, None)))
            case Timer.SUSPEND:
                self._pause(now)
            case Timer.FEED:
                assert self._feeding is not None
                self._effects += self._feeding.beat()
                self._timers[timer] = now + ATTENDING
            case Timer.WAIT:
                self._remark_waiting()
                self._timers[timer] = now + WAIT_REMARK
            case Timer.OUTPUT:
                if self._output.is_unwritten:
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


def _why_not(reason: str | None) -> str:
    return f": {reason}" if reason else ""

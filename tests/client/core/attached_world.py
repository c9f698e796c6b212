"""A small mesh in a bottle: the real `Attached`, and a coordinator, an agent and a network that a dice rules.

Virtual time only. The network loses, repeats and delays until it heals; the broker goes away; the coordinator takes
new lives. The truth (which bytes the program wrote, how the job ended) is kept outside of the machine under test.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ffmesh_client.core.attached import Attached
from ffmesh_client.core.effects import (
    Effect,
    Feed,
    Finish,
    GiveUp,
    OpenStreams,
    ReadInput,
    SignalAgent,
    StopInput,
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
    CreditCame,
    Disconnected,
    Event,
    InputRead,
    Woken,
    Written,
)
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.answers import Accepted, Assigned, Assignment, Attended, End, Ended, JobNews
from ffmesh_protocol.messages.jobs import JobKind, JobState
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import StreamLengths
from ffmesh_protocol.messages.requests import Attending, CallerSignals, Cancel, StreamCredit, Submit
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.streams import Chunk, IncomingStream, OutgoingStream

JOB = "01J0000000000000000000000J"
ATTEMPT = "01J0000000000000000000000A"
OTHER_ATTEMPT = "01J0000000000000000000000B"
AGENT_LIFE = "01J0000000000000000000000Z"
LIVES = [f"01J000000000000000000000{number:02d}" for number in range(40)]
ASSIGNMENT = Assignment(attempt=ATTEMPT, agent="agent-1", life=AGENT_LIFE)


def submit(job: str = JOB) -> Submit:
    return Submit(
        job=job,
        kind=JobKind.INTERACTIVE,
        program="ffmpeg",
        args=(),
        cwd=None,
        env={},
        umask=None,
        stdin_is_terminal=False,
        needs=Needs(program="ffmpeg"),
        priority=0,
        timeout_seconds=None,
        labels={},
    )


def succeeded(stdout: int = 0, stderr: int = 0) -> End:
    return End(
        state=JobState.SUCCEEDED,
        exit_code=0,
        signal=None,
        reason_code=None,
        reason=None,
        lengths=StreamLengths(stdout=stdout, stderr=stderr),
        streams_lost=False,
    )


def failed(reason_code: ReasonCode, *, exit_code: int | None = None, signal: int | None = None) -> End:
    return End(
        state=JobState.FAILED,
        exit_code=exit_code,
        signal=signal,
        reason_code=reason_code,
        reason="so it was",
        lengths=StreamLengths(stdout=0, stderr=0) if exit_code is not None or signal is not None else None,
        streams_lost=False,
    )


def cancelled() -> End:
    return End(
        state=JobState.CANCELLED,
        exit_code=None,
        signal=15,
        reason_code=ReasonCode.CANCELLED,
        reason="it was cancelled",
        lengths=StreamLengths(stdout=0, stderr=0),
        streams_lost=False,
    )


def online(life: str) -> CoordinatorSeen:
    status = CoordinatorStatus(state=CoordinatorState.ONLINE, life=life, connection=1, version="0")
    return CoordinatorSeen(status=status)


@dataclass
class FakeMesh:
    """Coordinator and agent in one, as simple as they can be: state in, words out, everything told again when asked."""

    output: dict[str, bytes]
    wants: int = 0
    """Bytes of standard input without which the program does not end."""
    fed: bytearray = field(default_factory=bytearray)
    incoming: IncomingStream = field(default_factory=IncomingStream)
    signals: int = 0
    accepted: bool = False
    cancelled: bool = False
    started: bool = False
    end: End | None = None
    streams: dict[str, OutgoingStream] = field(
        default_factory=lambda: {"stdout": OutgoingStream(), "stderr": OutgoingStream()}
    )
    written: dict[str, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})

    def news(self) -> JobNews:
        assigned = ASSIGNMENT if self.accepted else None
        return JobNews(job=JOB, known=self.accepted, state=JobState.RUNNING, assignment=assigned, end=self.end)

    def program_runs(self) -> None:
        """It writes as much as the stream takes, and ends when all is written, or when it is cancelled."""
        if not self.started or self.end is not None:
            return
        for name, stream in self.streams.items():
            part = self.output[name][self.written[name] : self.written[name] + stream.wants]
            stream.write(part)
            self.written[name] += len(part)
        complete = all(self.written[name] == len(self.output[name]) for name in self.streams)
        complete = complete and self.incoming.complete if self.wants else complete
        if complete or self.cancelled or self.signals:
            for stream in self.streams.values():
                stream.end()
            self.end = cancelled() if self.cancelled else failed(ReasonCode.KILLED, signal=2)
            self.end = succeeded() if complete else self.end
            lengths = StreamLengths(stdout=self.written["stdout"], stderr=self.written["stderr"])
            self.end = msgspec.structs.replace(self.end, lengths=lengths)

    def feed(self, chunk: Chunk) -> None:
        fresh = self.incoming.take(chunk)
        self.fed += fresh
        self.incoming.consume(len(fresh))
        self.program_runs()

    def signal(self, came: CallerSignals) -> None:
        if self.started:
            self.signals = max(self.signals, came.first - 1 + len(came.signals))
            self.program_runs()

    def own_credit(self) -> StreamCredit:
        is_over = self.incoming.complete or self.end is not None
        return StreamCredit(
            attempt=ATTEMPT,
            received={"stdin": self.incoming.received},
            allowed={"stdin": self.incoming.allowed},
            closed=("stdin",) if is_over else (),
            signals=self.signals,
        )

    def credit(self, credit: StreamCredit) -> None:
        self.started = True
        for name, stream in self.streams.items():
            stream.credit(credit.received[name], credit.allowed[name])
            if stream.stands_still():
                stream.send_again()
        self.program_runs()


class World:
    """One heap of what happens when."""

    def __init__(self, seed: int, output: dict[str, bytes], *, faults_until: float, typed: bytes = b"") -> None:
        """`typed` is what there is on standard input."""
        self.now = 0.0
        self.dice = random.Random(seed)
        self.mesh = FakeMesh(output, wants=len(typed))
        self.machine = Attached(submit(), self.now, has_input=bool(typed))
        self.typed = typed
        self.taken = 0
        self.may_take = True
        self.connected = False
        self.life = 0
        self.numbers = 0
        self.seen: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.finish: Finish | GiveUp | None = None
        self.opened: list[str] = []
        self.story: list[str] = []
        self._faults_until = faults_until
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._alarm = 0

    def at(self, when: float, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (when, self._order, action))

    def run(self, until: float) -> None:
        while self._heap and self.finish is None:
            when, _, action = heapq.heappop(self._heap)
            if when > until:
                return
            self.now = max(self.now, when)
            action()

    def tell(self, event: Event) -> None:
        if self.finish is not None:
            return
        self.story.append(f"{self.now:8.3f} {event!r:.150}")
        for effect in self.machine.handle(event, self.now):
            self._carry_out(effect)

    def connect(self) -> None:
        if not self.connected:
            self.connected = True
            self.tell(Connected())
            self._deliver_status()

    def disconnect(self) -> None:
        if self.connected:
            self.connected = False
            self.tell(Disconnected())

    def restart_coordinator(self) -> None:
        self.life += 1
        self.numbers = 0
        self._deliver_status()

    def _deliver_status(self) -> None:
        life = LIVES[self.life]
        self._travel(lambda: self.tell(online(life)) if self.life == LIVES.index(life) else None, lossy=False)

    def _travel(self, action: Callable[[], None], *, lossy: bool = True) -> None:
        """Both ways. What is under way when the connection ends is lost; status is retained and never lost."""
        if not self.connected:
            return
        faulty = self.now < self._faults_until
        if faulty and lossy and self.dice.random() < 0.15:
            return
        times = 2 if faulty and lossy and self.dice.random() < 0.1 else 1

        def arrive() -> None:
            if self.connected:
                action()

        for _ in range(times):
            self.at(self.now + (self.dice.random() * 2.0 if faulty else 0.002), arrive)

    def _carry_out(self, effect: Effect) -> None:
        self.story.append(f"{self.now:8.3f}     {effect!r:.150}")
        match effect:
            case Tell(message=message, correlation=correlation):
                life = self.life
                self._travel(lambda: self._coordinator_hears(life, message, correlation))
            case TellAgent(credit=credit):
                self._travel(lambda: self._agent_hears(credit))
            case OpenStreams(assignment=assignment):
                self.opened.append(assignment.attempt)
            case Write(stream=stream, content=content):
                self.seen[stream] += content
                later = self.now + self.dice.random() * 0.05
                self.at(later, lambda: self.tell(Written(stream=stream, count=len(content))))
            case SignalAgent(signals=signals):
                self._travel(lambda: self._agent_is_told(lambda: self.mesh.signal(signals)))
            case Feed(chunk=chunk):
                self._travel(lambda: self._agent_is_told(lambda: self.mesh.feed(chunk)))
            case ReadInput(at_most=at_most):
                self.at(self.now + self.dice.random() * 0.05, lambda: self._type(at_most))
            case StopInput():
                self.may_take = False
            case WakeAt(elapsed=elapsed):
                self._alarm += 1
                alarm = self._alarm
                if elapsed is not None:
                    self.at(elapsed, lambda: self.tell(Woken()) if alarm == self._alarm else None)
            case Finish() | GiveUp():
                self.finish = effect
            case _:
                raise AssertionError(effect)

    def _coordinator_hears(self, life: int, message: Any, correlation: bytes | None) -> None:
        if life != self.life:
            return  # it was meant for an earlier life
        match message:
            case Submit():
                self.mesh.accepted = True
                assert correlation is not None
                self._say(Answered(correlation=correlation, answer=Accepted(job=JOB)))
                self._speak(Assigned(job=JOB, assignment=ASSIGNMENT))
            case Attending():
                self._speak(Attended(jobs=(self.mesh.news(),)))
            case Cancel():
                self.mesh.cancelled = True
                if not self.mesh.started and self.mesh.end is None:
                    self.mesh.end = cancelled()
                self.mesh.program_runs()
                self._tell_end()
            case _:
                raise AssertionError(message)

    def _speak(self, word: Any) -> None:
        self.numbers += 1
        life, number = LIVES[self.life], self.numbers
        self._say(CoordinatorSpoke(life=life, number=number, word=word))

    def _say(self, event: Event) -> None:
        self._travel(lambda: self.tell(event))

    def _tell_end(self) -> None:
        if self.mesh.end is not None:
            self._speak(Ended(job=JOB, end=self.mesh.end))

    def _type(self, at_most: int) -> None:
        if self.may_take:
            content = self.typed[self.taken : self.taken + self.dice.randint(1, at_most)]
            self.taken += len(content)
            self.tell(InputRead(content=content))

    def _agent_is_told(self, what: Callable[[], None]) -> None:
        before = self.mesh.end
        what()
        self._say(CreditCame(credit=self.mesh.own_credit()))
        if self.mesh.end is not before:
            self._tell_end()

    def _agent_hears(self, credit: StreamCredit) -> None:
        before = self.mesh.end
        self.mesh.credit(credit)
        if credit.sends:
            self._say(CreditCame(credit=self.mesh.own_credit()))
        for name, stream in self.mesh.streams.items():
            for offset, content in stream.due():
                chunk = Chunk(attempt=ATTEMPT, offset=offset, content=content)
                self._say(ChunkCame(stream=name, chunk=chunk))
        if self.mesh.end is not before:
            self._tell_end()

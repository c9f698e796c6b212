"""Runs the client's cores: one inbox, one consumer, and what they ask for is done on the spot."""

import asyncio
import signal
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Protocol, TypeVar, assert_never

from ffmesh_client.config import ClientConfig
from ffmesh_client.core.attached import Attached
from ffmesh_client.core.effects import (
    Deliver,
    Effect,
    Feed,
    Finish,
    GiveUp,
    Missing,
    OpenStreams,
    ReadInput,
    Remark,
    SignalAgent,
    StopInput,
    Suspend,
    Tell,
    TellAgent,
    WakeAt,
    Write,
)
from ffmesh_client.core.events import (
    Asked,
    Connected,
    CoordinatorSeen,
    CoordinatorSpoke,
    Disconnected,
    Event,
    Forgotten,
    InputRead,
    JobSeen,
    OwnStatusSeen,
    ProgressSeen,
    ReaderGone,
    Reborn,
    Woken,
    Written,
)
from ffmesh_client.core.post import Identity, Post
from ffmesh_client.core.requests import Requests
from ffmesh_client.errors import CoordinatorUnreachable, NoAnswer
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.shell.caller import Caller
from ffmesh_client.shell.connection import Connection
from ffmesh_client.shell.intake import Intake
from ffmesh_client.shell.keeper import Keeper
from ffmesh_client.shell.outlet import Outlet
from ffmesh_client.shell.terminal import Terminal
from ffmesh_protocol import mqtt5
from ffmesh_protocol.errors import BrokerUnreachable, FfmeshError
from ffmesh_protocol.messages.answers import Answer, Retired
from ffmesh_protocol.messages.presence import ClientState, CoordinatorState
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.times import REQUEST_PATIENCE
from ffmesh_protocol.wire import Directed

R = TypeVar("R")

STDIN = "stdin"


class Machine(Protocol):
    def handle(self, event: Event, now: float) -> list[Effect]: ...


class Seat:
    """A core, and what the shell keeps for it."""

    def __init__(
        self,
        machine: Machine,
        *,
        result: "asyncio.Future[Finish] | None" = None,
        caller: Caller | None = None,
        remark: Callable[[str], None] | None = None,
    ) -> None:
        self.machine = machine
        self.result = result
        self.caller = caller
        self.remark = remark
        self.outlets: Mapping[str, Outlet] = {}
        self.intake: Intake | None = None
        self.terminal: Terminal | None = None
        self.alarm: asyncio.TimerHandle | None = None


class Runtime:
    """Make it inside of a running loop, and let `run` and `connection.run` run as long as it is used."""

    def __init__(self, config: ClientConfig, *, followed: Iterable[str] = ()) -> None:
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._identity = Identity(cluster=config.cluster, name=config.name, secret=config.secret, kid=config.kid)
        self._inbox: asyncio.Queue[tuple[Seat | None, Event | Packet]] = asyncio.Queue()
        self._post = Post(self._identity, fresh_ulid())
        self._requests = Seat(Requests())
        self._seats = [self._requests]
        self._answers: dict[bytes, asyncio.Future[Answer]] = {}
        self._asked = 0
        self._present: list[Event] = []
        """What a core that comes later must know: whether there is a connection, and the coordinator seen last."""
        self._broker = f"{config.broker.host}:{config.broker.port}"
        self.news: asyncio.Queue[JobSeen | ProgressSeen] = asyncio.Queue()
        """What was heard of the jobs that are followed."""
        self.connection = Connection(config, self._post, followed=followed, tell=self._hear)

    @property
    def is_connected(self) -> bool:
        return bool(self._present)

    @property
    def is_there(self) -> bool:
        seen = self._present[-1] if self._present else None
        return isinstance(seen, CoordinatorSeen) and seen.status.state is not CoordinatorState.OFFLINE

    @property
    def age(self) -> float:
        return self._loop.time() - self._began

    async def run(self) -> None:
        while True:
            seat, event = await self._inbox.get()
            if isinstance(event, Packet):
                heard = self._post.opened(event)
                if heard is None:
                    continue
                event = heard
            self._handle(seat, event)

    async def answer(self, request: Directed, *, patience: float | None = REQUEST_PATIENCE) -> Answer:
        """The answer, a refusal included; or `BrokerUnreachable`, `CoordinatorUnreachable`, `NoAnswer`."""
        self._asked += 1
        correlation = self._asked.to_bytes(8, "big")
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answers[correlation] = answer
        self._tell(self._requests, Asked(correlation=correlation, request=request, patience=patience))
        try:
            return await answer
        finally:
            del self._answers[correlation]
            self._tell(self._requests, Forgotten(correlation=correlation))

    async def attach(
        self,
        submit: Submit,
        descriptors: Mapping[str, int],
        caller: Caller,
        remark: Callable[[str], None] | None = None,
        *,
        terminal: bool = False,
    ) -> Finish:
        """Runs the job with its streams here, to its end.

        `terminal`: its stdin is one, and the program reads keys.
        """
        seat = self._seated(submit, descriptors, caller, remark, terminal=terminal)
        for event in (Woken(), *self._present):
            self._handle(seat, event)
        caller.attached(partial(self._tell, seat))
        if seat.terminal is not None:
            self._loop.add_signal_handler(signal.SIGCONT, seat.terminal.take_again)
        try:
            assert seat.result is not None
            return await seat.result
        finally:
            caller.left()
            if seat.intake is not None:
                seat.intake.stop()
            if seat.terminal is not None:
                self._loop.remove_signal_handler(signal.SIGCONT)
                seat.terminal.give_back()
            for outlet in seat.outlets.values():
                outlet.close()
            self._seats.remove(seat)
            self._set_alarm(seat, None)
            self._post.close_streams(submit.job)

    def _seated(
        self,
        submit: Submit,
        descriptors: Mapping[str, int],
        caller: Caller,
        remark: Callable[[str], None] | None,
        *,
        terminal: bool,
    ) -> Seat:
        stdin = descriptors.get(STDIN)
        machine = Attached(
            submit, self._loop.time(), has_input=stdin is not None, has_another_way=caller.has_another_way
        )
        seat = Seat(machine, result=self._loop.create_future(), caller=caller, remark=remark)

        def from_thread(event: Written | ReaderGone | InputRead) -> None:
            with suppress(RuntimeError):  # the loop has been closed: nobody wants to know any more
                self._loop.call_soon_threadsafe(self._tell, seat, event)

        seat.outlets = {
            stream: Outlet(stream, number, from_thread) for stream, number in descriptors.items() if stream != STDIN
        }
        if stdin is not None:
            seat.terminal = Terminal(stdin) if terminal else None
            seat.intake = Intake(stdin, from_thread, seat.terminal)
        self._seats.append(seat)
        self._tell(seat, Woken())  # its patience counts from now, also when nothing else ever happens
        return seat

    def _suspend(self, seat: Seat, wanted: Suspend) -> None:
        if seat.terminal is not None:
            seat.terminal.give_back()
        if seat.caller is not None:
            seat.caller.suspend(self._kept(wanted))
        if seat.terminal is not None:
            seat.terminal.may_take()  # by the thread that reads there, if it is in our hands again

    @contextmanager
    def _kept(self, wanted: Suspend) -> Generator[None, None, None]:
        """While we cannot, somebody else says what must be said regularly."""
        keeper = self._keeper(wanted)
        yield
        if keeper is not None:
            for _ in range(keeper.over()):
                self._words(wanted)  # their numbers have been used

    def _keeper(self, wanted: Suspend) -> Keeper | None:
        connection = self.connection.descriptor()
        if connection is None:
            return None
        try:
            return Keeper(connection, partial(self._words, wanted))
        except OSError:
            return None  # no further process, or no memory: then the job ends like that of somebody who is gone

    def _words(self, wanted: Suspend) -> bytes:
        attending = self._post.to_coordinator(wanted.attending)
        credit = self._post.to_agent(wanted.credit) if wanted.credit is not None else None
        return b"".join(mqtt5.encoded_unacknowledged(each) for each in (attending, credit) if each is not None)

    def _hear(self, event: Event | Packet) -> None:
        self._inbox.put_nowait((None, event))

    def _tell(self, seat: Seat, event: Event) -> None:
        self._inbox.put_nowait((seat, event))

    def _handle(self, seat: Seat | None, event: Event) -> None:
        match event:
            case JobSeen() | ProgressSeen():
                self.news.put_nowait(event)
                return
            case Connected():
                self._present = [event]
            case Disconnected():
                self._present = []
            case CoordinatorSeen():
                self._present = [*self._present[:1], event]
            case OwnStatusSeen(status=status):
                if status.state is ClientState.OFFLINE and status.life == self._post.life:
                    self.connection.say_online()
                return
            case CoordinatorSpoke(word=Retired()):
                self._take_a_new_life()
                event = Reborn()
            case _:
                pass
        for each in [seat] if seat is not None else [*self._seats]:
            for effect in each.machine.handle(event, self._loop.time()):
                self._carry_out(each, effect)

    def _carry_out(self, seat: Seat, effect: Effect) -> None:
        match effect:
            case Tell(message=message, correlation=correlation):
                self.connection.say(self._post.to_coordinator(message, correlation))
            case TellAgent(credit=said) | SignalAgent(signals=said) | Feed(chunk=said):
                self.connection.say(self._post.to_agent(said))
            case ReadInput(at_most=at_most):
                if seat.intake is not None:
                    seat.intake.read(at_most)
            case StopInput():
                if seat.intake is not None:
                    seat.intake.stop()
            case Suspend():
                self._suspend(seat, effect)
            case OpenStreams(job=job, assignment=assignment):
                self._post.open_streams(job, assignment)
                if seat.caller is not None:
                    seat.caller.begun()
            case Write(stream=stream, content=content):
                seat.outlets[stream].write(content)
            case Deliver(correlation=correlation, answer=answer):
                _settle(self._answers.get(correlation), answer)
            case GiveUp(correlation=correlation, missing=missing):
                _fail(seat.result or self._answers.get(correlation), self._unreachable(missing))
            case Finish():
                _settle(seat.result, effect)
            case Remark(sentence=sentence):
                if seat.remark is not None:
                    seat.remark(sentence)
            case WakeAt(elapsed=elapsed):
                self._set_alarm(seat, elapsed)
            case _:
                assert_never(effect)

    def _set_alarm(self, seat: Seat, elapsed: float | None) -> None:
        if seat.alarm is not None:
            seat.alarm.cancel()
        seat.alarm = self._loop.call_at(elapsed, self._tell, seat, Woken()) if elapsed is not None else None

    def _take_a_new_life(self) -> None:
        self._post = Post(self._identity, fresh_ulid())
        self.connection.post = self._post
        self.connection.again()

    def _unreachable(self, missing: Missing) -> FfmeshError:
        match missing:
            case Missing.BROKER:
                complaint = self.connection.complaint or f"no connection to the broker at {self._broker}"
                return BrokerUnreachable(f"{complaint}; is it running? `ffmesh up` starts a whole mesh")
            case Missing.COORDINATOR:
                return CoordinatorUnreachable(
                    f"the broker at {self._broker} is there, but no coordinator; start it and try again"
                )
            case Missing.ANSWER:
                return NoAnswer(
                    f"the coordinator did not answer for {REQUEST_PATIENCE:.0f} s; look at its log and try again"
                )


def _settle(waiting: "asyncio.Future[R] | None", result: R) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(result)


def _fail(waiting: "asyncio.Future[Finish] | asyncio.Future[Answer] | None", error: FfmeshError) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_exception(error)

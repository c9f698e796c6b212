"""The coordinator as a process: one inbox, one consumer, and what is promised to others is on the disk first.

The consumer takes what has arrived, a few hundred at a time, gives it to the core, and carries out what the core asks
for: one transaction, then the network, then the rest; only offers, which promise nothing, do not wait for the disk.
Whoever finds something out (the broker, the timer, the disk, the door) puts it into the inbox, and nobody else changes
the core.

While there is no broker, what the core decides is saved and what it says is dropped. While the disk takes nothing, what
it says waits until the disk has what it decided; it is told, and accepts nothing new meanwhile.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, assert_never

from ulid import ULID

from ffmesh_coordinator.config import Config
from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.effects import (
    Effect,
    ForgetAgent,
    Note,
    NoteLevel,
    Publish,
    Recall,
    Reply,
    SaveAgent,
    SaveJob,
    Tell,
    WakeAt,
    said_beforehand,
)
from ffmesh_coordinator.core.events import (
    Connected,
    Disconnected,
    DiskCleared,
    DiskFilled,
    Event,
    PrincipalRemoved,
    PrincipalRotated,
    Pruned,
    Recalled,
    Thawed,
    Woken,
)
from ffmesh_coordinator.core.keyring import Keyring
from ffmesh_coordinator.core.post import Asked
from ffmesh_coordinator.shell import clock, door
from ffmesh_coordinator.shell.alone import is_alone
from ffmesh_coordinator.shell.backlog import Backlog
from ffmesh_coordinator.shell.connection import CoordinatorSpeaker
from ffmesh_coordinator.shell.enrolment import Enrolment
from ffmesh_coordinator.shell.errands import Answer, Errand, IsReady, Ready, Rotations, Standing, Status
from ffmesh_coordinator.shell.errors import StoreDamaged, StoreFailed
from ffmesh_coordinator.shell.home import Home
from ffmesh_coordinator.shell.library import Library
from ffmesh_coordinator.shell.own_broker import OwnBroker
from ffmesh_coordinator.shell.store import PRUNED_AT_ONCE, Store
from ffmesh_coordinator.shell.timer import Timer
from ffmesh_protocol import VERSION
from ffmesh_protocol.bus import BrokerAddress
from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.keys import NONCE_BYTES, broker_password, client_id_tag
from ffmesh_protocol.line import Line
from ffmesh_protocol.messages.answers import JobList, Refusal
from ffmesh_protocol.names import COORDINATOR, Principal, agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.times import DEAF
from ffmesh_protocol.topics import Topics
from ffmesh_warden.readiness import SILENT, Readiness

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

TOGETHER: Final = 300
"""How much of the inbox becomes one transaction at most: many share the cost of a commit, none waits long for it."""

PRUNE_EVERY: Final = 300.0
"""Seconds between two looks for ended jobs that need no longer be kept."""

TRY_AGAIN: Final = 1.0
"""Seconds between two attempts to write on a disk that was full."""

DAY: Final = 86_400.0

COMMANDS_PATIENCE: Final = 5.0
"""Seconds that a command on this machine may have the home while we start."""

log = logging.getLogger(__name__)


class _StopAsked:
    """Ends the consumer, when what came before has been carried out."""


class _PruneDue:
    """It is time to forget what has ended long ago."""


class _TryAgain:
    """The disk may have room by now."""


class _Sign:
    """Of life: goes through the inbox, so that it is seen only while the consumer does its work."""


@dataclass(frozen=True, slots=True, repr=False)
class _NewKey:
    """Of a principal that has had another until now."""

    principal: Principal
    kid: int
    secret: bytes


Arrival: TypeAlias = Event | Packet | _StopAsked | _PruneDue | _TryAgain | _Sign | _NewKey
Question: TypeAlias = Asked | Recall


class _Turns:
    """Lets visitors wait until something may have changed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def pass_on(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    async def next(self) -> None:
        await self._next.wait()


class _Keys:
    """Where the enrolment puts keys. One that goes, or gives way to another, leaves the ring when the core hears of it,
    not a moment earlier: until then the core may still need it for what it decides."""

    def __init__(self, keyring: Keyring, inbox: asyncio.Queue[Arrival]) -> None:
        self._keyring = keyring
        self._inbox = inbox

    def add(self, principal: Principal, kid: int, secret: bytes) -> None:
        if self._keyring.knows(principal):  # or was removed, and the core has yet to hear of that
            self._inbox.put_nowait(_NewKey(principal, kid, secret))
        else:
            self._keyring.add(principal, kid, secret)

    def remove(self, principal: Principal) -> None:
        self._inbox.put_nowait(PrincipalRemoved(principal=principal))


async def serve(folder: Path, config: Config, readiness: Readiness = SILENT) -> None:
    """Runs until SIGTERM or SIGINT."""
    home = Home(folder)
    async with home.locked_by_service(patience=COMMANDS_PATIENCE):
        try:
            await _serve_in(home, config, readiness)
        except StoreDamaged as error:  # at the start; later it ends a group of tasks, and the next start finds it
            aside = home.set_aside_database("damaged")
            raise StoreDamaged(home.database, error.how, set_aside=aside) from error


async def _serve_in(home: Home, config: Config, readiness: Readiness) -> None:
    async with Store.opened(home.database, may_make=not home.master_key.exists()) as store:
        keyring = Keyring(config.cluster, lambda: os.urandom(NONCE_BYTES))
        inbox: asyncio.Queue[Arrival] = asyncio.Queue()
        broker = OwnBroker(home, config) if config.broker.run else None
        enrolment = await Enrolment.opened(
            home, config, store, _Keys(keyring, inbox), broker.told if broker is not None else None
        )
        warning = await enrolment.come_into_force()
        if warning is not None:
            log.warning("%s", warning)
        runtime = Runtime(
            home=home,
            config=config,
            store=store,
            keyring=keyring,
            enrolment=enrolment,
            inbox=inbox,
            life=str(ULID()),
            readiness=readiness,
        )
        async with broker.kept() if broker is not None else nullcontext():
            await runtime.run()


class Runtime:
    def __init__(
        self,
        *,
        home: Home,
        config: Config,
        store: Store,
        keyring: Keyring,
        enrolment: Enrolment,
        inbox: asyncio.Queue[Arrival],
        life: str,
        readiness: Readiness = SILENT,
    ) -> None:
        self._home = home
        self._readiness = readiness
        self._config = config
        self._life = life
        self._store = store
        self._keyring = keyring
        self._enrolment = enrolment
        self._core = Coordinator(
            cluster=config.cluster,
            life=life,
            keyring=keyring,
            ids=lambda: str(ULID()),
            public_details=config.public_details,
        )
        self._library = Library(self._core, store)
        self._inbox = inbox
        self._questions: asyncio.Queue[Question] = asyncio.Queue()
        self._timer = Timer()
        self._turns = _Turns()
        self._backlog: Backlog | None = None
        """While the disk takes nothing."""
        client_id = _client_id(config, enrolment.own_secret, life)
        speaker = CoordinatorSpeaker(client_id=client_id, core=self._core, tell=inbox.put_nowait)
        self._handled_at = clock.now().elapsed
        self._address = _address(config, enrolment.own_secret)
        self._client_id = client_id
        self._line = Line(self._address, speaker)

    async def run(self) -> None:
        log.info("life %s of the coordinator of %s begins in %s", self._life, self._config.cluster, self._home.folder)
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._inbox.put_nowait, _StopAsked())
        try:
            await self._restore()
            with door.listening(self._home.made_run()) as sock:
                await self._work(sock)
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
        log.info("life %s of the coordinator has ended", self._life)

    async def _restore(self) -> None:
        """What the disk holds; and who of those that it speaks of was removed while there was no coordinator."""
        restored = await self._store.restored()
        gc.freeze()  # it stays as long as we do; to look through it for garbage takes seconds when the queue is long
        self._inbox.put_nowait(restored)
        owners = {client(job.owner.client) for job in restored.jobs}
        workers = {agent(job.attempt.agent) for job in restored.jobs if job.attempt is not None}
        known = {agent(each.name) for each in restored.agents}
        for principal in sorted((owners | workers | known) - self._keyring.principals(), key=lambda each: each.login):
            self._inbox.put_nowait(PrincipalRemoved(principal=principal))

    async def _work(self, sock: socket.socket) -> None:
        async with asyncio.TaskGroup() as tasks:
            others = [
                tasks.create_task(self._answer_questions(), name="questions"),
                tasks.create_task(self._ring(), name="timer"),
                tasks.create_task(self._tidy(), name="pruning"),
                *self._signs_of_life(tasks),
                tasks.create_task(door.receive_visitors(sock, self._errand_done), name="door"),
            ]
            line = tasks.create_task(self._stay_connected(), name="line")
            await self._consume()
            self._line.post([self._core.farewell()])
            if self._line.leave():
                await line
            line.cancel()
            for task in others:
                task.cancel()

    # What happens

    async def _stay_connected(self) -> None:
        await is_alone(self._address, self._client_id, Topics(self._config.cluster), self._life)
        await self._line.run()

    async def _ring(self) -> None:
        while True:
            await self._timer.rings()
            self._inbox.put_nowait(Woken())

    def _signs_of_life(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Of somebody who waits for them."""
        every = self._readiness.every
        return [tasks.create_task(self._show_life(every), name="signs of life")] if every is not None else []

    async def _show_life(self, every: float) -> None:
        while True:
            self._inbox.put_nowait(_Sign())
            await asyncio.sleep(every)

    async def _tidy(self) -> None:
        while True:
            self._inbox.put_nowait(_PruneDue())
            await asyncio.sleep(PRUNE_EVERY)

    async def _answer_questions(self) -> None:
        """One after the other, beside the consumer: a list of thousands must not hold up a grant."""
        while True:
            question = await self._questions.get()
            match question:
                case Asked(asker=asker):
                    answer = await self._answer(question)
                    self._line.post(self._core.packets([Reply(asker=asker, answer=answer)]))
                case Recall():
                    try:
                        self._inbox.put_nowait(await self._recalled(question))
                    except StoreFailed as error:
                        log.error("%s", error)
                case _:
                    assert_never(question)

    async def _answer(self, asked: Asked) -> JobList | Refusal:
        try:
            return await self._library.answer(asked)
        except StoreFailed as error:
            log.error("%s", error)
            return Refusal(code=RefusalCode.FULL, sentence=str(error))

    async def _recalled(self, recall: Recall) -> Recalled:
        found = await self._store.job(recall.job)
        followers = await self._store.followers(recall.job) if recall.with_followers else ()
        return Recalled(job=recall.job, spoken=recall.spoken, found=found, followers=followers)

    async def _errand_done(self, errand: Errand) -> Answer:
        match errand:
            case Ready(agents=agents):
                while not self._core.ready(agents):
                    await self._turns.next()
                return IsReady()
            case Rotations(kids=kids):
                return await self._enrolment.rotations(kids)
            case Status():
                return Standing(
                    cluster=self._config.cluster,
                    life=self._life,
                    pid=os.getpid(),
                    version=VERSION,
                    connected=self._core.connected,
                )
            case _:
                return await self._enrolment.carried_out(errand)

    def _event(self, arrival: Event | Packet | _NewKey) -> Event | Asked | None:
        if isinstance(arrival, _NewKey):
            self._keyring.add(arrival.principal, arrival.kid, arrival.secret)
            return PrincipalRotated(principal=arrival.principal)
        return self._core.opened(arrival) if isinstance(arrival, Packet) else arrival

    # What is done about it

    async def _consume(self) -> None:
        while True:
            arrivals = [await self._inbox.get()]
            while not self._inbox.empty() and len(arrivals) < TOGETHER:
                arrivals.append(self._inbox.get_nowait())
            await self._carry_out([effect for arrival in arrivals for effect in self._handled(arrival)])
            kinds = {type(arrival) for arrival in arrivals}
            self._tell_who_keeps_us(kinds)
            if _PruneDue in kinds:
                await self._prune()
            if self._backlog is not None and not kinds.isdisjoint({_TryAgain, _StopAsked}):
                await self._try_again(self._backlog)
            self._turns.pass_on()
            if _StopAsked in kinds:
                return

    def _tell_who_keeps_us(self, came: Collection[type]) -> None:
        if Connected in came:
            self._readiness.ready("connected to the broker")
        elif Disconnected in came:
            self._readiness.status("the broker is away; trying again")
        if _Sign in came:
            self._readiness.lives()
        if _StopAsked in came:
            self._readiness.stopping()

    def _handled(self, arrival: Arrival) -> Sequence[Effect]:
        if isinstance(arrival, _StopAsked | _PruneDue | _TryAgain | _Sign):
            return ()
        event = self._event(arrival)
        if event is None:
            return ()
        if isinstance(event, PrincipalRemoved):
            self._keyring.remove(event.principal)
        if isinstance(event, Asked):
            self._questions.put_nowait(event)
            return ()
        now = clock.now()
        thawed = now.elapsed - self._handled_at > DEAF
        self._handled_at = now.elapsed
        before = self._core.handle(Thawed(), now) if thawed else []
        return [*before, *self._core.handle(event, now)]

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
        """The disk first, but for offers. If it takes nothing, what depends on it is held back."""
        if self._backlog is None:
            offers, effects = said_beforehand(effects)
            self._line.post(self._core.packets(offers))
            try:
                await self._store.save(e for e in effects if isinstance(e, SaveJob | SaveAgent | ForgetAgent))
            except StoreFailed as error:
                log.error("%s; nothing new is accepted, and all that was is kept, until there is room", error)
                self._backlog = Backlog()
                self._try_again_soon()
                effects = [*effects, *self._core.handle(DiskFilled(), clock.now())]
        self._do(effects if self._backlog is None else self._backlog.taken(effects))

    def _try_again_soon(self) -> None:
        asyncio.get_running_loop().call_later(TRY_AGAIN, self._inbox.put_nowait, _TryAgain())

    async def _try_again(self, backlog: Backlog) -> None:
        try:
            await self._store.save(backlog.savings)
        except StoreFailed:
            self._try_again_soon()
            return
        log.info("the disk takes again what is written, and has all that had waited")
        self._backlog = None
        await self._carry_out([*backlog.words, *self._core.handle(DiskCleared(), clock.now())])
        if backlog.overflowed:
            self._line.again()

    def _do(self, effects: Sequence[Effect]) -> None:
        """What needs no disk any more."""
        self._line.post(self._core.packets(effects))
        for effect in effects:
            match effect:
                case SaveJob() | SaveAgent() | ForgetAgent() | Tell() | Reply() | Publish():
                    pass  # it was saved, or sent above
                case WakeAt(elapsed=elapsed):
                    self._timer.set(elapsed)
                case Recall():
                    self._questions.put_nowait(effect)
                case Note(level=level, text=text):
                    log.log(logging.WARNING if level is NoteLevel.WARNING else logging.INFO, "%s", text)
                case _:
                    assert_never(effect)

    async def _prune(self) -> None:
        """A part at a time, between two batches: so nobody comes after a job while it is being forgotten."""
        now, config = clock.now(), self._config
        if self._backlog is not None:
            return
        try:
            pruned = await self._store.prune(
                before_utc=now.utc - config.keep_finished_days * DAY,
                keep=config.keep_finished_jobs,
                spare=self._core.spared(),
            )
        except StoreFailed as error:
            log.warning("jobs that ended long ago could not be forgotten: %s", error)
            return
        if pruned:
            log.info("%d jobs that ended long ago were forgotten", len(pruned))
            await self._carry_out(self._core.handle(Pruned(jobs=tuple(pruned)), now))
        if len(pruned) == PRUNED_AT_ONCE:
            self._inbox.put_nowait(_PruneDue())


def _address(config: Config, secret: bytes) -> BrokerAddress:
    return BrokerAddress(
        host=config.broker.host,
        port=config.broker.port,
        username=COORDINATOR.login,
        password=broker_password(secret, config.cluster, COORDINATOR),
    )


def _client_id(config: Config, secret: bytes, life: str) -> str:
    return f"{COORDINATOR.login}/{life}-{client_id_tag(secret, config.cluster, COORDINATOR, life)}"

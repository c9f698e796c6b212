"""The agent at work: one inbox, one consumer, and tasks that carry out what takes time.

The consumer gives what has come to the core and carries its effects out: messages are posted, and what takes longer
becomes a task that returns its outcome as an event. The first event is what earlier lives left. Packets are opened by
the consumer too, in the order in which they came: a client's first credit may follow so closely on the grant that both
are read at once, and until the core has seen the grant it must take that credit for a stranger's. Nothing else changes
the core. SIGTERM asks the core to drain: it leaves when all is done. SIGINT, or any signal after that, asks it to stop,
which ends what runs and says so before it leaves; the next one leaves at once, and the warden ends what runs.
"""

import asyncio
import logging
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol, assert_never

from ffmesh_agent.config import AgentConfig
from ffmesh_agent.core.effects import (
    CloseStreams,
    CommitOutput,
    DropOutput,
    DropResult,
    Effect,
    HoldUntil,
    KeepResult,
    Kill,
    Launch,
    Leave,
    LookAtRoots,
    Note,
    NoteLevel,
    OpenStreams,
    PassOn,
    Pause,
    Publish,
    Quit,
    ReadTail,
    Resume,
    SealOutput,
    Tell,
    Terminate,
    WakeAt,
)
from ffmesh_agent.core.events import (
    ConditionsSeen,
    Connected,
    CreditCame,
    Disconnected,
    DrainAsked,
    Event,
    InputCame,
    LoadSampled,
    Restored,
    ResultKept,
    RootsLookedAt,
    StopAsked,
    TailRead,
    Thawed,
    Woken,
)
from ffmesh_agent.shell.beforehand import Beforehand
from ffmesh_agent.shell.blame import Blame
from ffmesh_agent.shell.capability import Capability
from ffmesh_agent.shell.capture import Asker
from ffmesh_agent.shell.checks import Checks
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.connection import AgentSpeaker, Voice
from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.environment import environment, of_this_machine
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.in_force import UNFENCED, InForce
from ffmesh_agent.shell.journal import Journal
from ffmesh_agent.shell.limits import NO_LIMITS, KeptLimits
from ffmesh_agent.shell.outputs import Outputs
from ffmesh_agent.shell.programs import Programs
from ffmesh_agent.shell.scratch import Scratch
from ffmesh_agent.shell.sensing import Sensing
from ffmesh_agent.shell.sensors import Sensors
from ffmesh_agent.shell.sleeping import Sleeping
from ffmesh_agent.shell.slowing import Slowing
from ffmesh_agent.shell.spool import Spool
from ffmesh_agent.shell.streaming import Streaming
from ffmesh_agent.shell.summary import Summary
from ffmesh_agent.shell.tails import Tails
from ffmesh_protocol.bus import BrokerAddress
from ffmesh_protocol.keys import broker_password, client_id_tag
from ffmesh_protocol.line import Line
from ffmesh_protocol.messages.reports import Claim, Result, Started
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.times import DEAF, HOLDING
from ffmesh_protocol.topics import Verb
from ffmesh_warden.handle import Warden
from ffmesh_warden.readiness import SILENT, Readiness

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
WARDEN_DIED: Final = 1

EVENTS_AT_ONCE: Final = 256
"""Handled before their messages are posted: what is ready together may share one."""

STARTED_WAITS: Final = 0.01
"""Seconds that the word of a start waits for others to go with: of a short program the end is among them, and then the
coordinator has one transaction for both."""

log = logging.getLogger(__name__)


class Core(Voice, Protocol):
    """What the runtime needs of the core; the real one is `core.agent.Agent`."""

    def handle(self, event: Event, now: float) -> list[Effect]: ...
    def opened(self, packet: Packet) -> Event | None: ...
    def packets(self, effects: Iterable[Effect]) -> list[Packet]: ...
    def chunk(self, attempt: str, verb: Verb, offset: int, content: bytes) -> Packet | None: ...
    def credit(self, credit: StreamCredit) -> Packet | None: ...


class _Left(Exception):
    """Ends all tasks."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class _Sign:
    """Of life: goes through the inbox, so that it is seen only while the consumer does its work."""


class Runtime:
    def __init__(
        self,
        *,
        config: AgentConfig,
        home: Path,
        life: str,
        core: Core,
        warden: Warden,
        spool: Spool,
        restored: tuple[Result, ...],
        journal: Journal,
        disk: Disk,
        force: InForce = UNFENCED,
        limits: KeptLimits = NO_LIMITS,
        spool_id: str | None = None,
        readiness: Readiness = SILENT,
    ) -> None:
        self._config = config
        self._core = core
        self._warden = warden
        self._spool = spool
        self._readiness = readiness
        self._inbox: asyncio.Queue[Event | Packet | _Sign] = asyncio.Queue()
        self._restored = restored
        self._journal = journal
        self._limits = limits
        self._scratch = Scratch(home / "scratch", disk, spool_id)
        self._private_folders = [home, *([Path(config.scratch)] if config.scratch else [])]
        self._tails = Tails(home / "logs", disk)
        self._streaming = Streaming(core.chunk, core.credit)
        self._sensors = Sensors()
        self._asker = Asker(warden, environment(of_this_machine(), {}, home), home)
        self._slowing = Slowing(config.manners.slow_cpus, limits.nice)
        self._sensing = Sensing(config.manners.minded, self._asker, self._tell)
        self._sleeping = Sleeping(config.name, self._sensing.also, inhibits=config.manners.inhibit_sleep)
        self._fencing = Fencing(config, force, of_this_machine()["PATH"])
        self._capability = Capability(config, life, home, self._asker, self._fencing, limits.unkept)
        speaker = AgentSpeaker(
            client_id=_client_id(config, life), voice=core, streaming=self._streaming, tell=self._tell
        )
        self._handled_at = boottime()
        self._line = Line(_address(config), speaker)
        self._timer: asyncio.TimerHandle | None = None
        self._signals: asyncio.Queue[int] = asyncio.Queue()
        self._exit_code = 0
        self._goodbye: Leave | None = None
        self._words: list[Effect] = []
        """Not posted yet: starts, which wait a moment for others."""
        self._saying: asyncio.TimerHandle | None = None

    async def run(self) -> int:
        """The exit code."""
        with_signals = asyncio.get_running_loop()
        for number in SIGNALS:
            with_signals.add_signal_handler(number, self._signals.put_nowait, number)
        try:
            await self._work()
        except* _Left as left:
            self._exit_code = next(each.exit_code for each in left.exceptions if isinstance(each, _Left))
        finally:
            for number in SIGNALS:
                with_signals.remove_signal_handler(number)
        return self._exit_code

    async def _work(self) -> None:
        left_over = self._scratch.left()
        await self._tails.prepare()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._blame = Blame(self._capability, tasks, self._tell)
            self._outputs = Outputs(
                self._journal,
                self._config.root_paths,
                tasks,
                self._blame.tell,
                places=self._config.root_places,
                scratch=self._config.scratch,
            )
            self._tell(Restored(results=self._restored, staged=await self._outputs.restored()))
            self._programs = Programs(
                warden=self._warden,
                tasks=tasks,
                programs=self._config.programs,
                roots=self._config.root_paths,
                scratch=self._scratch,
                tails=self._tails,
                streaming=self._streaming,
                outputs=self._outputs,
                beforehand=Beforehand(self._config.root_places),
                summary=Summary(self._config.root_paths, self._private_folders),
                tell=self._blame.tell,
                checks=Checks.of(self._config),
                fencing=self._fencing,
                limits=self._limits,
                places=self._config.root_places,
                slowing=self._slowing,
            )
            tasks.create_task(self._consume(), name="inbox")
            tasks.create_task(self._heed_signals(), name="signals")
            tasks.create_task(self._fear_for_warden(), name="warden")
            tasks.create_task(self._spool.run(self._kept), name="spool")
            tasks.create_task(self._capability.run(self._tell), name="capability")
            tasks.create_task(self._sensing.run(), name="sensors")
            tasks.create_task(self._sleeping.run(), name="sleep")
            tasks.create_task(self._streaming.run(), name="streams")
            tasks.create_task(self._beat(), name="beat")
            if self._readiness.every is not None:
                tasks.create_task(self._show_life(self._readiness.every), name="signs of life")
            tasks.create_task(self._scratch.sweep(left_over), name="sweep")
            tasks.create_task(self._stay_connected(), name="connection")

    # What happens

    def _tell(self, event: Event | Packet) -> None:
        self._inbox.put_nowait(event)

    def _kept(self, attempt: str) -> None:
        self._tell(ResultKept(attempt=attempt))

    async def _heed_signals(self) -> None:
        if await self._signals.get() == signal.SIGTERM:
            self._tell(DrainAsked())
            await self._signals.get()
        self._tell(StopAsked())
        raise _Left(128 + await self._signals.get())

    async def _fear_for_warden(self) -> None:
        await self._warden.died()
        log.error("the warden died, and every program with it; a new agent starts with a new one")
        raise _Left(WARDEN_DIED)

    async def _beat(self) -> None:
        while True:
            self._tell(LoadSampled(load=self._sensors.load()))
            self._streaming.beat()
            await self._tails.beat()
            await asyncio.sleep(HOLDING)

    async def _show_life(self, every: float) -> None:
        while True:
            self._inbox.put_nowait(_Sign())
            await asyncio.sleep(every)

    async def _stay_connected(self) -> None:
        await self._line.run()
        raise _Left(self._exit_code)

    async def _look_at_roots(self, wanted: LookAtRoots) -> None:
        await self._capability.look(wanted.roots)
        self._tell(RootsLookedAt(attempt=wanted.attempt))

    async def _read_tail(self, wanted: ReadTail) -> None:
        part = await self._tails.read(wanted.attempt, after=wanted.after)
        lines, more = (part.lines, part.more) if part is not None else (None, False)
        self._tell(TailRead(attempt=wanted.attempt, request=wanted.request, lines=lines, more=more))

    # What is done about it

    async def _consume(self) -> None:
        while True:
            events = [await self._inbox.get()]
            while not self._inbox.empty() and len(events) < EVENTS_AT_ONCE:
                events.append(self._inbox.get_nowait())
            self._post([effect for event in events for effect in self._handled(event)])
            if self._goodbye is not None:
                self._leave(self._goodbye)
                return

    def _handled(self, came: Event | Packet | _Sign) -> list[Effect]:
        if isinstance(came, _Sign):
            self._readiness.lives()
            return []
        event = self._core.opened(came) if isinstance(came, Packet) else came
        if event is None:
            return []
        match event:
            case CreditCame(credit=credit):
                self._streaming.credit(credit)
            case InputCame(chunk=chunk):
                self._streaming.take(chunk)
            case ConditionsSeen(conditions=conditions):
                self._slowing.heed(conditions)
            case Connected():
                self._readiness.ready("connected to the broker")
            case Disconnected():
                self._readiness.status("the broker is away; trying again")
            case DrainAsked():
                self._readiness.stopping("draining: what runs may be finished")
            case StopAsked():
                self._readiness.stopping()
            case _:
                pass
        now = boottime()
        thawed = now - self._handled_at > DEAF
        self._handled_at = now
        before = self._core.handle(Thawed(), now) if thawed else []
        effects = [*before, *self._core.handle(event, now)]
        for effect in effects:
            self._carry_out(effect)
        return effects

    def _post(self, effects: list[Effect]) -> None:
        words = [effect for effect in effects if isinstance(effect, Tell | Publish)]
        self._words += words
        if not all(isinstance(word, Tell) and isinstance(word.message, Started) for word in words):
            self._say()
        elif words and self._saying is None:
            self._saying = asyncio.get_running_loop().call_later(STARTED_WAITS, self._say)
        if any(isinstance(word, Tell) and isinstance(word.message, Claim) for word in words):
            self._fencing.expect()  # while the grants are under way

    def _say(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None
        words, self._words = self._words, []
        if self._line.is_open:
            self._line.post(self._core.packets(words))

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Tell() | Publish():
                pass  # posted with what else is ready, or there is nobody to hear it
            case OpenStreams(attempt=attempt):
                self._streaming.open(attempt)
            case CloseStreams(attempt=attempt):
                self._streaming.close(attempt)
            case LookAtRoots():
                self._tasks.create_task(self._look_at_roots(effect), name=f"roots of {effect.attempt}")
            case Launch(grant=grant, kill_at=kill_at):
                self._blame.launched(grant)
                self._capability.trying.job_began(grant)
                self._sleeping.job_began(grant.attempt)
                self._programs.launch(grant, kill_at)
            case HoldUntil(attempt=attempt, kill_at=kill_at):
                self._programs.hold_until(attempt, kill_at)
            case SealOutput() | CommitOutput() | DropOutput():
                self._outputs.carry_out(effect)
            case Quit(attempt=attempt):
                self._programs.quit(attempt)
            case Terminate(attempt=attempt):
                self._programs.terminate(attempt)
            case Kill(attempt=attempt):
                self._programs.kill(attempt)
            case Pause(attempt=attempt):
                self._programs.pause(attempt)
            case Resume(attempt=attempt):
                self._programs.resume(attempt)
            case PassOn(attempt=attempt, signals=signals, passed=passed):
                self._programs.pass_on(attempt, signals)
                self._streaming.signalled(attempt, passed)
            case KeepResult(result=result):
                self._blame.over(result.attempt)
                self._capability.trying.job_over(result)
                self._sleeping.job_over(result.attempt)
                self._spool.keep(result)
            case DropResult(attempt=attempt):
                self._sleeping.job_settled(attempt)
                self._spool.drop(attempt)
            case ReadTail():
                self._tasks.create_task(self._read_tail(effect), name=f"tail of {effect.attempt}")
            case WakeAt(elapsed=elapsed):
                self._wake_at(elapsed)
            case Note(level=level, text=text):
                log.log(logging.WARNING if level is NoteLevel.WARNING else logging.INFO, "%s", text)
            case Leave():
                self._goodbye = effect  # when what stands before it has been posted
            case _:
                assert_never(effect)

    def _wake_at(self, elapsed: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if elapsed is not None:
            seconds = max(0.0, elapsed - boottime())
            self._timer = asyncio.get_running_loop().call_later(seconds, self._tell, Woken())

    def _leave(self, goodbye: Leave) -> None:
        log.log(logging.ERROR if goodbye.exit_code else logging.INFO, "leaving: %s", goodbye.sentence)
        self._exit_code = goodbye.exit_code
        self._readiness.stopping(goodbye.sentence)
        if not self._line.leave():
            raise _Left(goodbye.exit_code)


def _address(config: AgentConfig) -> BrokerAddress:
    return BrokerAddress(
        host=config.broker.host,
        port=config.broker.port,
        username=config.principal.login,
        password=broker_password(config.secret, config.cluster, config.principal),
    )


def _client_id(config: AgentConfig, life: str) -> str:
    tag = client_id_tag(config.secret, config.cluster, config.principal, life)
    return f"{config.principal.login}/{life}-{tag}"

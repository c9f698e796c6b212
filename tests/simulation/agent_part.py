"""An agent in the bottle, with its warden, its machine and its disk. The core is real; the rest are values."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ffmesh_agent.core import effects, events
from ffmesh_agent.core.agent import FEATURES, Agent
from ffmesh_coordinator.core.keyring import FIRST_KID
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Host, Load, RootState, SlotCount
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.messages.reports import FailureKind, Result, StreamLengths
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.streams import OutgoingStream
from ffmesh_protocol.topics import Verb
from simulation.part import Part
from simulation.truth import Broken, Run

if TYPE_CHECKING:
    from simulation.world import World

KEY, SIGTERM, SIGKILL = 0, 15, 9
SUPERSEDED = 78
SYNC_SECONDS = [0.01, 0.2, 5.0]
"""A memory card, or a share, may take its time."""

RENAME_SECONDS = [*SYNC_SECONDS, 90.0]
"""A share may be away for longer than a lease."""

KEEP_AWAY = 1.0
"""Seconds before a service manager starts an agent again."""


@dataclass
class Program:
    attempt: str
    job: str
    kind: JobKind
    stream: OutgoingStream | None = None
    running: bool = False
    stop_asked: bool = False
    kill_at: float = float("inf")
    paused: bool = False
    left: float = 0.0
    """How many seconds it would still run; counted from `went_on_at`."""
    exit_code: int = 0
    went_on_at: float = 0.0


@dataclass
class Note:
    """What the journal says of an output that is written aside. `aside`: it has not been renamed."""

    job: str
    result: Result | None = None
    committing: bool = False
    aside: bool = True


@dataclass
class AgentDisk:
    results: dict[str, Result] = field(default_factory=dict[str, Result])
    notes: dict[str, Note] = field(default_factory=dict[str, Note])


class AgentPart(Part):
    """Its disk survives it; its programs do not: the warden sees to that, and holds their deadlines, frozen or not."""

    def __init__(self, world: "World", name: str, secret: bytes, slots: int, machine: str | None = None) -> None:
        super().__init__(world, machine or name)
        self.agent = name
        self._secret = secret
        self.slots = slots
        self.disk = AgentDisk()
        self.programs: dict[str, Program] = {}
        self.asleep = False
        self.conditions: tuple[Condition, ...] = ()
        self.offset = world.clock_error()
        self._missed: list[Callable[[], None]] = []
        self.core = self._new_core()

    def clone(self, number: int) -> "AgentPart":
        """Another machine with a copy of the disk: the same name, the same folder, another boot."""
        other = AgentPart(self.world, self.agent, self._secret, self.slots, machine=f"{self.agent}-clone-{number}")
        other.disk = copy.deepcopy(self.disk)
        return other

    def _new_core(self) -> Agent:
        return Agent(
            name=self.agent,
            cluster="home",
            life=self.life or self.world.ulid(),
            secret=self._secret,
            kid=FIRST_KID,
            boot=f"boot of {self.name}",
            spool=f"spool of {self.agent}",
        )

    def begin(self) -> None:
        self.core = self._new_core()
        self.programs = {}
        self._missed = []
        self.asleep = False
        self.feed(
            events.Restored(
                results=tuple(self.disk.results[name] for name in sorted(self.disk.results)), staged=self._left_aside()
            )
        )
        advert = Advert(
            life=self.life,
            version="0",
            features=FEATURES,
            host=Host(arch="x", cores=1, memory_bytes=1, model="bottle"),
            programs={"ffmpeg": "5"},
            hwaccels=(),
            roots={"Movies": RootState(mounted=True)},
            slots={"cpu": SlotCount(total=self.slots)},
            fence="none",
            tried=False,
        )
        lists = AdvertPrograms(life=self.life, encoders=(), decoders=(), filters=(), unavailable={}, tried=False)
        self.feed(events.CapabilitySeen(advert=advert, programs=lists))
        self.feed(events.ConditionsSeen(conditions=self.conditions))
        self._beat()

    def mind(self, manner: Manner | None) -> None:
        """Its machine is hot; null: it is not any more."""
        self.conditions = (
            *(Condition(name="heat", manner=each, in_force=each is manner, reason="it is hot") for each in Manner),
        )
        self.do(lambda: self.feed(events.ConditionsSeen(conditions=self.conditions)))

    def _left_aside(self) -> tuple[events.StagedOutput, ...]:
        """As the sweep at the start finds it: what was not sealed goes."""
        for attempt in [name for name, note in self.disk.notes.items() if note.result is None]:
            del self.disk.notes[attempt]
        return tuple(
            events.StagedOutput(result=note.result, committed=not note.aside)
            for _, note in sorted(self.disk.notes.items())
            if note.result is not None
        )

    def _beat(self) -> None:
        load = Load(cpu_percent=1.0, memory_percent=1.0, temperature_c=None)
        for program in list(self.programs.values()):
            if program.stream is not None and program.stream.stands_still():
                program.stream.send_again()
                self._pump(program)
        self.feed(events.LoadSampled(load=load))
        self.later(2.0, "beats", self._beat)

    def kill(self) -> None:
        super().kill()
        self._end_all_programs()

    def _end_all_programs(self) -> None:
        for run in self.world.truth.running_on(self.name):
            run.ended_at, run.signal, run.stopped = self.world.now, SIGKILL, True
        self.programs = {}
        self._missed = []
        self.asleep = False

    # --- the machine --------------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """The lid is closed: nothing runs, not even the programs. Clocks count it."""
        if self.alive and not self.frozen:
            self.asleep = True
            self.freeze(seconds)

    def thaw(self) -> None:
        """The warden runs first, because it needs nobody; then the programs; then the agent."""
        self.asleep = False
        for program in list(self.programs.values()):
            self._keep_deadline(program)
        missed, self._missed = self._missed, []
        for action in missed:
            action()
        super().thaw()

    def _on_machine(self, seconds: float, what: str, action: Callable[[], None]) -> None:
        """Something that a program or the warden does: it does not care whether the agent is stopped."""
        life = self.life

        def act() -> None:
            if self.life != life or not self.alive:
                return
            if self.asleep:
                self._missed.append(act)
            else:
                action()

        self.world.after(seconds, f"{self.name}: {what}", act)

    # --- the broker ---------------------------------------------------------------------------------------------------

    def subscriptions(self) -> list[str]:
        return [topic for topic, _ in self.core.subscriptions()]

    def will(self) -> Packet:
        return self.core.will(self.connection)

    def connected(self) -> None:
        self.feed(events.Connected(connection=self.connection))
        for program in list(self.programs.values()):
            if program.stream is not None:
                program.stream.send_again()
                self._pump(program)

    def disconnected(self) -> None:
        self.feed(events.Disconnected())

    def woken(self) -> None:
        self.feed(events.Woken())

    def hear(self, packet: Packet) -> None:
        event = self.core.opened(packet)
        if event is None:
            return
        if isinstance(event, events.CreditCame):
            program = self.programs.get(event.credit.attempt)
            if program is not None and program.stream is not None:
                program.stream.credit(event.credit.received["stdout"], event.credit.allowed["stdout"])
                self._pump(program)
        self.feed(event)

    # --- the shell ----------------------------------------------------------------------------------------------------

    def feed(self, event: events.Event) -> None:
        now = self.now
        done = [*(self.core.handle(events.Thawed(), now) if self.was_deaf() else []), *self.core.handle(event, now)]
        self.send(self.core.packets(done))
        for effect in done:
            if self.alive:
                self._carry_out(effect)
        if any(isinstance(effect, effects.Resume) for effect in done):
            self.world.truth.fit(self.name, self.slots)

    def _carry_out(self, effect: effects.Effect) -> None:
        dice = self.world.dice
        match effect:
            case effects.WakeAt(elapsed=at):
                self.wake_at(at)
            case effects.OpenStreams(attempt=attempt):
                self.programs[attempt] = Program(attempt, "", JobKind.INTERACTIVE, stream=OutgoingStream())
            case effects.CloseStreams(attempt=attempt):
                if attempt in self.programs:
                    self.programs[attempt].stream = None
            case effects.LookAtRoots(attempt=attempt):
                looked = events.RootsLookedAt(attempt=attempt)
                self.later(dice.uniform(0.0, 0.05), "looks at roots", lambda: self.feed(looked))
            case effects.Launch(grant=grant, kill_at=kill_at):
                program = self.programs.setdefault(grant.attempt, Program(grant.attempt, grant.job, grant.kind))
                program.job, program.kill_at = grant.job, kill_at
                if grant.kind is JobKind.STAGED:
                    self.disk.notes[grant.attempt] = Note(job=grant.job)
                self.later(dice.uniform(0.0, 0.3), "launch", lambda: self._launch(program))
            case effects.HoldUntil(attempt=attempt, kill_at=kill_at):
                if attempt in self.programs:
                    self.programs[attempt].kill_at = kill_at
                    self._watch(self.programs[attempt])
            case effects.Pause(attempt=attempt):
                self._pause(attempt)
            case effects.Resume(attempt=attempt):
                self._resume(attempt)
            case effects.Quit(attempt=attempt):
                self._stop(attempt, KEY, dice.choice([0.1, 0.5, 99.0]))
            case effects.Terminate(attempt=attempt):
                self._stop(attempt, SIGTERM, dice.choice([0.1, 0.5, 99.0]))
            case effects.Kill(attempt=attempt):
                self._stop(attempt, SIGKILL, 0.01)
            case effects.SealOutput(result=result):
                self.later(dice.uniform(0.0, 0.3), "seals", lambda: self._seal(result))
            case effects.CommitOutput(attempt=attempt, until=until):
                self.later(dice.choice(SYNC_SECONDS), "journals the commit", lambda: self._begin_commit(attempt, until))
            case effects.DropOutput(attempt=attempt):
                self.disk.notes.pop(attempt, None)
            case effects.KeepResult(result=result):
                self.later(dice.uniform(0.0, 0.2), "fsync", lambda: self._keep(result))
            case effects.DropResult(attempt=attempt):
                self.disk.results.pop(attempt, None)
            case effects.Leave(exit_code=code):
                self._leave(code)
            case _:
                pass

    def drain(self) -> None:
        """SIGTERM: it finishes what it has, and is started again."""
        self.do(lambda: self.feed(events.DrainAsked()))

    def _leave(self, exit_code: int) -> None:
        if exit_code == 0 and self.world.truth.running_on(self.name):
            raise Broken(f"{self.name} was to finish what it has, and leaves while it runs")
        self.world.say(f"{self.name} leaves with {exit_code}")
        line, self.line = self.line, None
        self.alive = False
        self._end_all_programs()
        if line is not None:
            self.world.broker.cut(line, will=False)
        if exit_code != SUPERSEDED:
            self.world.after(KEEP_AWAY, f"{self.name} is started again", self.start)

    def _keep(self, result: Result) -> None:
        self.disk.results[result.attempt] = result
        self.world.truth.kept_at[result.attempt] = self.world.now
        self.feed(events.ResultKept(attempt=result.attempt))

    def works_long(self) -> bool:
        """Whether it runs, or is about to rename, what another may begin anew when its lease is over."""
        return any(note.committing and note.aside for note in self.disk.notes.values()) or any(
            each.running and each.kind is not JobKind.INTERACTIVE for each in self.programs.values()
        )

    # --- programs -----------------------------------------------------------------------------------------------------

    def _launch(self, program: Program) -> None:
        world, attempt = self.world, program.attempt
        if self.now >= program.kill_at:  # the shell hands the deadline to the warden, which kills it before it begins
            world.say(f"{self.name}: {attempt} is past its deadline and is not begun")
            self._tell_end(program, None, SIGKILL, by_deadline=True, length=0)
            return
        output = world.dice.randbytes(world.dice.choice([0, 100, 300_000]))
        grant_is_on_disk = any(
            attempt in [each.id for each in job.attempts] for job in [world.coordinator.jobs.get(program.job)] if job
        )
        asleep = {each.name for each in world.agents if each.asleep}
        run = Run(program.job, attempt, self.name, program.kind, output, world.now, paused=program.paused)
        world.truth.started(run, slots=self.slots, granted=grant_is_on_disk, asleep=asleep)
        program.running = True
        program.exit_code = world.dice.choice([0, 0, 0, 0, 1])
        program.left = world.dice.choice([0.05, 1.0, 5.0, 30.0, 150.0, 150.0])
        if not program.paused:
            self._go_on(program)
        self._watch(program)
        self.feed(events.ProgramStarted(attempt=attempt, reads_keys=world.dice.choice([True, False])))
        if program.stream is not None:
            program.stream.write(output)
            self._pump(program)

    def _go_on(self, program: Program) -> None:
        """To its end, unless it is stopped before that."""
        now = program.went_on_at = self.world.now

        def end() -> None:
            if not program.paused and program.went_on_at == now:
                self._end(program, program.exit_code, None)

        self._on_machine(program.left, "program ends", end)

    def _pause(self, attempt: str) -> None:
        program = self.programs.get(attempt)
        if program is None or program.paused:
            return
        self.world.say(f"{self.name}: {attempt} stands still")
        program.paused = True
        if program.running:
            self.world.truth.runs[attempt].paused = True
            program.left -= self.world.now - program.went_on_at

    def _resume(self, attempt: str) -> None:
        program = self.programs.get(attempt)
        if program is None or not program.paused:
            return
        self.world.say(f"{self.name}: {attempt} goes on")
        program.paused = False
        if program.running:
            self.world.truth.runs[attempt].paused = False
            self._go_on(program)

    def _watch(self, program: Program) -> None:
        """The warden's deadline."""
        wait = max(0.0, program.kill_at - self.now)
        self._on_machine(wait, "the warden looks", lambda: self._keep_deadline(program))

    def _keep_deadline(self, program: Program) -> None:
        if program.running and self.now >= program.kill_at:
            program.stop_asked = True
            self._end(program, None, SIGKILL, by_deadline=True)

    def _stop(self, attempt: str, signal: int, after: float) -> None:
        program = self.programs.get(attempt)
        if program is not None and program.running:
            program.stop_asked = True
            self.world.truth.runs[attempt].must_end = True
            # Asked politely, ffmpeg may finish its file and say 0; by a key it always does.
            polite = signal == KEY or (signal == SIGTERM and self.world.dice.random() < 0.5)
            code, by = (0, None) if polite else (None, signal)
            self._on_machine(after, f"signal {signal}", lambda: self._obey(program, code, by))

    def _obey(self, program: Program, exit_code: int | None, signal: int | None) -> None:
        """What stands still hears nothing but SIGKILL."""
        if not program.paused or signal == SIGKILL:
            self._end(program, exit_code, signal)

    def _end(self, program: Program, exit_code: int | None, signal: int | None, *, by_deadline: bool = False) -> None:
        if not program.running:
            return
        program.running = False
        run = self.world.truth.runs[program.attempt]
        run.ended_at, run.exit_code, run.signal = self.world.now, exit_code, signal
        run.stopped = program.stop_asked
        length = len(run.output)
        self.do(lambda: self._tell_end(program, exit_code, signal, by_deadline=by_deadline, length=length))

    def _tell_end(
        self, program: Program, exit_code: int | None, signal: int | None, *, by_deadline: bool, length: int
    ) -> None:
        if program.stream is not None:
            program.stream.end()
            self._pump(program)
        failure = None if exit_code == 0 else self.world.dice.choice(list(FailureKind))
        self.feed(
            events.ProgramEnded(
                attempt=program.attempt,
                exit_code=exit_code,
                signal=signal,
                seconds=1.0,
                lengths=StreamLengths(stdout=length, stderr=0),
                by_deadline=by_deadline,
                failure=failure,
            )
        )

    def _pump(self, program: Program) -> None:
        if program.stream is None or self.line is None:
            return
        for offset, content in program.stream.due():
            packet = self.core.chunk(program.attempt, Verb.STDOUT, offset, content)
            if packet is not None:
                self.send([packet])
        ended = self.core.chunk(program.attempt, Verb.STDERR, 0, b"") if program.stream.ended else None
        if ended is not None:
            self.send([ended])

    # --- outputs ------------------------------------------------------------------------------------------------------

    def _seal(self, result: Result) -> None:
        if self.world.dice.random() < 0.05:
            note = "the disk is full"
            said = events.OutputNotSealed(attempt=result.attempt, sentence=note, failure=FailureKind.NODE)
            self.feed(said)
            return
        self.disk.notes[result.attempt].result = result
        self.feed(events.OutputSealed(attempt=result.attempt))

    def _begin_commit(self, attempt: str, until: float) -> None:
        self.disk.notes[attempt].committing = True
        self.later(self.world.dice.choice(RENAME_SECONDS), "renames", lambda: self._rename(attempt, until))

    def _rename(self, attempt: str, until: float) -> None:
        note = self.disk.notes[attempt]
        if self.now >= until:
            note.committing = False
            self.feed(
                events.OutputNotCommitted(attempt=attempt, sentence="too late", failure=FailureKind.NODE, too_late=True)
            )
            return
        self.world.truth.renamed(note.job, attempt, self.world.coordinator.jobs.get(note.job), self.world.now)
        note.aside = False
        self.later(self.world.dice.uniform(0.0, 0.2), "syncs", lambda: self._tell_committed(attempt))

    def _tell_committed(self, attempt: str) -> None:
        self.feed(events.OutputCommitted(attempt=attempt))

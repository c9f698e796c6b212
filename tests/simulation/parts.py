"""The parts of a mesh in a bottle: real cores in shells that are dumber still, whose disks and programs are values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ffmesh_agent.core import effects as agent_effects
from ffmesh_agent.core import events as agent_events
from ffmesh_agent.core.agent import Agent
from ffmesh_client.core import effects as client_effects
from ffmesh_client.core import events as client_events
from ffmesh_client.core.attached import Attached, Phase
from ffmesh_client.core.post import Identity
from ffmesh_client.core.post import Post as ClientPost
from ffmesh_coordinator.core import effects, events
from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.keyring import FIRST_KID, Keyring
from ffmesh_coordinator.core.moment import Now
from ffmesh_coordinator.core.post import Asked
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Host, Load, RootState, SlotCount
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.presence import ClientState
from ffmesh_protocol.messages.reports import Result, StreamLengths
from ffmesh_protocol.messages.requests import Bye, Cancel, Submit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.names import client as client_principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.streams import OutgoingStream
from ffmesh_protocol.topics import Verb
from simulation.network import Line
from simulation.truth import Broken, Run

if TYPE_CHECKING:
    from simulation.world import World

BEGINNING_OF_TIME = 1_700_000_000.0
SIGTERM = 15


class Part:
    """Something that lives, dies, connects and loses its connection."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.alive = False
        self.life = ""
        self.line: Line | None = None
        self.connection = 0
        self._wake: float | None = None

    # What each kind of part fills in.
    def begin(self) -> None: ...
    def subscriptions(self) -> list[str]: ...  # type: ignore[empty-body]
    def will(self) -> Packet: ...  # type: ignore[empty-body]
    def connected(self) -> None: ...
    def disconnected(self) -> None: ...
    def hear(self, packet: Packet) -> None: ...
    def woken(self) -> None: ...

    def start(self) -> None:
        if self.alive:
            return
        self.alive = True
        self.life = self.world.ulid()
        self.connection = 0
        self._wake = None
        self.begin()
        self.reconnect()

    def kill(self) -> None:
        if not self.alive:
            return
        self.alive = False
        if self.line is not None:
            self.world.broker.cut(self.line, will=True)
            self.line = None

    def reconnect(self) -> None:
        if not self.alive or (self.line is not None and self.line.alive):
            return
        self.connection += 1
        life = self.life
        line = Line(
            owner=self.name,
            subscriptions=self.subscriptions(),
            will=self.will(),
            deliver=lambda packet: self.hear(packet) if self.life == life and self.alive else None,
            lost=lambda: self.cut_off() if self.life == life else None,
        )
        if self.world.broker.connect(line):
            self.line = line
            self.connected()
        else:
            self.retry()

    def cut_off(self) -> None:
        if self.alive and self.line is not None:
            self.world.broker.cut(self.line, will=True)
            self.line = None
            self.disconnected()
            self.retry()

    def retry(self) -> None:
        life = self.life
        self.world.after(
            self.world.dice.uniform(0.0, 1.5),
            f"{self.name} reconnects",
            lambda: self.reconnect() if self.life == life else None,
        )

    def send(self, packets: list[Packet]) -> None:
        for packet in packets:
            if self.line is not None:
                self.world.broker.publish(self.line, packet)

    def wake_at(self, at: float | None) -> None:
        self._wake = at
        if at is None:
            return
        life = self.life

        def wake() -> None:
            if self.alive and self.life == life and self._wake == at:
                self._wake = None
                self.woken()

        self.world.after(max(0.0, at - self.world.now), f"{self.name} wakes", wake)


class CoordinatorPart(Part):
    """Its disk survives it. Between the commit and the sending it may die."""

    def __init__(self, world: "World", secrets: dict[str, bytes], agents: list[str], clients: list[str]) -> None:
        super().__init__(world, "coordinator")
        self._secrets = secrets
        self._agents = agents
        self._clients = clients
        self.jobs: dict[str, Job] = {}
        self.known: dict[str, events.KnownAgent] = {}
        self.core = self._new_core()

    def _new_core(self) -> Coordinator:
        keyring = Keyring("home", self.world.nonce)
        for name in self._agents:
            keyring.add(agent_principal(name), FIRST_KID, self._secrets[name])
        for name in self._clients:
            keyring.add(client_principal(name), FIRST_KID, self._secrets[name])
        return Coordinator(cluster="home", life=self.life or self.world.ulid(), keyring=keyring, ids=self.world.ulid)

    def begin(self) -> None:
        self.core = self._new_core()
        self.feed(
            events.Restored(
                jobs=tuple(
                    job for job in sorted(self.jobs.values(), key=lambda job: job.sequence) if not job.has_ended
                ),
                ended=frozenset(job.id for job in self.jobs.values() if job.has_ended),
                agents=tuple(self.known[name] for name in sorted(self.known)),
                sequence=max((job.sequence for job in self.jobs.values()), default=0),
            )
        )

    def subscriptions(self) -> list[str]:
        return [topic for topic, _ in self.core.subscriptions()]

    def will(self) -> Packet:
        return self.core.will(self.connection)

    def connected(self) -> None:
        self.feed(events.Connected(connection=self.connection))

    def disconnected(self) -> None:
        self.feed(events.Disconnected())

    def woken(self) -> None:
        self.feed(events.Woken())

    def hear(self, packet: Packet) -> None:
        event = self.core.opened(packet)
        if event is not None and not isinstance(event, Asked):
            self.feed(event)

    def feed(self, event: events.Event) -> None:
        now = Now(elapsed=self.world.now, utc=BEGINNING_OF_TIME + self.world.now)
        done = self.core.handle(event, now)
        for effect in done:
            match effect:
                case effects.SaveJob(job=job):
                    self._save(job)
                case effects.SaveAgent(agent=agent):
                    self.known[agent.name] = agent
                case _:
                    pass
        if self.world.faulty and self.world.dice.random() < self.world.die_after_commit:
            self.world.say(f"coordinator dies after its commit, before it says a word of {type(event).__name__}")
            self.world.crash(self)
            return
        self.send(self.core.packets(done))
        for effect in done:
            match effect:
                case effects.WakeAt(elapsed=at):
                    self.wake_at(at)
                case effects.Recall(job=job_id, spoken=spoken):
                    self.feed(events.Recalled(job=job_id, found=self.jobs.get(job_id), spoken=spoken))
                case _:
                    pass

    def _save(self, job: Job) -> None:
        before = self.jobs.get(job.id)
        if before is not None and before.has_ended and before != job:
            raise Broken(f"job {job.id} had ended as {before.phase} and was changed to {job.phase}")
        self.jobs[job.id] = job


@dataclass
class Program:
    attempt: str
    job: str
    stream: OutgoingStream | None = None
    running: bool = False
    stop_asked: bool = False


@dataclass
class AgentDisk:
    results: dict[str, Result] = field(default_factory=dict[str, Result])


class AgentPart(Part):
    """Its spool survives it; its programs do not: the warden sees to that."""

    def __init__(self, world: "World", name: str, secret: bytes, slots: int) -> None:
        super().__init__(world, name)
        self._secret = secret
        self.slots = slots
        self.disk = AgentDisk()
        self.programs: dict[str, Program] = {}
        self.core = self._new_core()

    def _new_core(self) -> Agent:
        return Agent(
            name=self.name,
            cluster="home",
            life=self.life or self.world.ulid(),
            secret=self._secret,
            kid=FIRST_KID,
            boot="boot",
            spool=f"spool of {self.name}",
        )

    def begin(self) -> None:
        self.core = self._new_core()
        self.programs = {}
        self.feed(agent_events.Restored(results=tuple(self.disk.results[name] for name in sorted(self.disk.results))))
        advert = Advert(
            life=self.life,
            version="0",
            features=(),
            host=Host(arch="x", cores=1, memory_bytes=1, model="bottle"),
            programs={"ffmpeg": "5"},
            hwaccels=(),
            roots={"Movies": RootState(mounted=True)},
            slots={"cpu": SlotCount(total=self.slots)},
            fence="none",
            tried=False,
        )
        lists = AdvertPrograms(life=self.life, encoders=(), decoders=(), filters=(), unavailable={}, tried=False)
        self.feed(agent_events.CapabilitySeen(advert=advert, programs=lists))
        self._beat()

    def _beat(self) -> None:
        life = self.life
        load = Load(cpu_percent=1.0, memory_percent=1.0, temperature_c=None)
        for program in list(self.programs.values()):
            if program.stream is not None and program.stream.stands_still():
                program.stream.send_again()
                self._pump(program)
        self.feed(agent_events.LoadSampled(load=load))
        self.world.after(2.0, f"{self.name} beats", lambda: self._beat() if self.life == life and self.alive else None)

    def kill(self) -> None:
        super().kill()
        for run in self.world.truth.running_on(self.name):
            run.ended_at, run.signal, run.stopped = self.world.now, 9, True
        self.programs = {}

    def subscriptions(self) -> list[str]:
        return [topic for topic, _ in self.core.subscriptions()]

    def will(self) -> Packet:
        return self.core.will(self.connection)

    def connected(self) -> None:
        self.feed(agent_events.Connected(connection=self.connection))
        for program in list(self.programs.values()):
            if program.stream is not None:
                program.stream.send_again()
                self._pump(program)

    def disconnected(self) -> None:
        self.feed(agent_events.Disconnected())

    def woken(self) -> None:
        self.feed(agent_events.Woken())

    def hear(self, packet: Packet) -> None:
        event = self.core.opened(packet)
        if event is None:
            return
        if isinstance(event, agent_events.CreditCame):
            program = self.programs.get(event.credit.attempt)
            if program is not None and program.stream is not None:
                program.stream.credit(event.credit.received["stdout"], event.credit.allowed["stdout"])
                self._pump(program)
        self.feed(event)

    def feed(self, event: agent_events.Event) -> None:
        done = self.core.handle(event, self.world.now)
        self.send(self.core.packets(done))
        for effect in done:
            self._carry_out(effect)

    def _carry_out(self, effect: agent_effects.Effect) -> None:
        match effect:
            case agent_effects.WakeAt(elapsed=at):
                self.wake_at(at)
            case agent_effects.OpenStreams(attempt=attempt):
                self.programs[attempt] = Program(attempt=attempt, job="", stream=OutgoingStream())
            case agent_effects.CloseStreams(attempt=attempt):
                if attempt in self.programs:
                    self.programs[attempt].stream = None
            case agent_effects.Launch(grant=grant):
                program = self.programs.setdefault(grant.attempt, Program(attempt=grant.attempt, job=grant.job))
                program.job = grant.job
                self._later(self.world.dice.uniform(0.0, 0.3), "launch", lambda: self._launch(program))
            case agent_effects.Terminate(attempt=attempt):
                self._stop(attempt, 15, self.world.dice.choice([0.1, 0.5, 99.0]))
            case agent_effects.Kill(attempt=attempt):
                self._stop(attempt, 9, 0.01)
            case agent_effects.KeepResult(result=result):
                self._later(self.world.dice.uniform(0.0, 0.2), "fsync", lambda: self._keep(result))
            case agent_effects.DropResult(attempt=attempt):
                self.disk.results.pop(attempt, None)
            case _:
                pass

    def _later(self, seconds: float, what: str, action: Callable[[], None]) -> None:
        life = self.life
        self.world.after(
            seconds, f"{self.name}: {what}", lambda: action() if self.life == life and self.alive else None
        )

    def _keep(self, result: Result) -> None:
        self.disk.results[result.attempt] = result
        self.world.truth.kept_at[result.attempt] = self.world.now
        self.feed(agent_events.ResultKept(attempt=result.attempt))

    def _launch(self, program: Program) -> None:
        world = self.world
        running = len(world.truth.running_on(self.name))
        if running >= self.slots:
            raise Broken(f"{self.name} runs {running + 1} programs on {self.slots} slots")
        on_disk = world.coordinator.jobs.get(program.job)
        if on_disk is None or program.attempt not in [attempt.id for attempt in on_disk.attempts]:
            raise Broken(f"attempt {program.attempt} was started and its grant is on no disk")
        output = world.dice.randbytes(world.dice.choice([0, 100, 300_000]))
        world.truth.started(Run(program.job, program.attempt, self.name, output, world.now))
        program.running = True
        self.feed(agent_events.ProgramStarted(attempt=program.attempt))
        if program.stream is not None:
            program.stream.write(output)
            self._pump(program)
        code = world.dice.choice([0, 0, 0, 1])
        self._later(world.dice.choice([0.05, 1.0, 5.0, 30.0]), "program ends", lambda: self._end(program, code, None))

    def _stop(self, attempt: str, signal: int, after: float) -> None:
        program = self.programs.get(attempt)
        if program is not None and program.running:
            program.stop_asked = True
            # Asked politely, ffmpeg may finish its file and say 0.
            polite = signal == SIGTERM and self.world.dice.random() < 0.5
            code, by = (0, None) if polite else (None, signal)
            self._later(after, f"signal {signal}", lambda: self._end(program, code, by))

    def _end(self, program: Program, exit_code: int | None, signal: int | None) -> None:
        if not program.running:
            return
        program.running = False
        run = self.world.truth.runs[program.attempt]
        run.ended_at, run.exit_code, run.signal = self.world.now, exit_code, signal
        run.stopped = program.stop_asked
        if program.stream is not None:
            program.stream.end()
            self._pump(program)
        lengths = StreamLengths(stdout=len(run.output), stderr=0)
        self.feed(
            agent_events.ProgramEnded(
                attempt=program.attempt, exit_code=exit_code, signal=signal, seconds=1.0, lengths=lengths
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


class RunPart(Part):
    """`ffmesh run`: one interactive job, attached until its end."""

    def __init__(self, world: "World", name: str, identity: Identity, submit: Submit) -> None:
        super().__init__(world, name)
        self._identity = identity
        self.submit = submit
        self.core = Attached(submit, 0.0)
        self.post = ClientPost(identity, world.ulid())
        self.finished: int | None = None

    def begin(self) -> None:
        self.core = Attached(self.submit, self.world.now)
        self.post = ClientPost(self._identity, self.life)

    def subscriptions(self) -> list[str]:
        return list(self.post.subscriptions())

    def will(self) -> Packet:
        return self.post.status(ClientState.OFFLINE, self.connection)

    def connected(self) -> None:
        self.send([self.post.status(ClientState.ONLINE, self.connection)])
        self.feed(client_events.Connected())

    def disconnected(self) -> None:
        self.feed(client_events.Disconnected())

    def woken(self) -> None:
        self.feed(client_events.Woken())

    def hear(self, packet: Packet) -> None:
        heard = self.post.opened(packet)
        if heard is not None:
            self.feed(heard)

    def feed(self, event: client_events.Event) -> None:
        for effect in self.core.handle(event, self.world.now):
            if self.alive:
                self._carry_out(effect)
        if self.core.phase in (Phase.ATTENDING, Phase.ENDED):
            self.world.truth.accepted.add(self.submit.job)

    def _carry_out(self, effect: client_effects.Effect) -> None:
        match effect:
            case client_effects.Tell(message=message, correlation=correlation):
                packet = self.post.to_coordinator(message, correlation)
                self.send([packet] if packet is not None else [])
            case client_effects.TellAgent(credit=credit):
                packet = self.post.to_agent(credit)
                self.send([packet] if packet is not None else [])
            case client_effects.OpenStreams(job=job, assignment=assignment):
                self.post.open_streams(job, assignment)
            case client_effects.Write(stream=stream, content=content):
                if stream == "stdout":
                    self.world.truth.heard[self.submit.job] += content
                self.feed(client_events.Written(stream=stream, count=len(content)))
            case client_effects.WakeAt(elapsed=at):
                self.wake_at(at)
            case client_effects.Finish(exit_code=code):
                self._finish(code)
            case client_effects.GiveUp():
                self._finish(69)
            case client_effects.Deliver() | client_effects.Remark():
                pass

    def _finish(self, code: int) -> None:
        self.finished = code
        self.world.truth.client_ends[self.submit.job].append(code)
        bye = self.post.to_coordinator(Bye())
        self.send([self.post.status(ClientState.OFFLINE, self.connection), *([bye] if bye else [])])
        self.alive = False
        if self.line is not None:
            line, self.line = self.line, None
            self.world.after(5.0, f"{self.name} disconnects", lambda: self.world.broker.cut(line, will=False))


class SubmitPart(Part):
    """`ffmesh submit`, and perhaps `cancel`: repeats itself until the coordinator has said that it is so."""

    def __init__(
        self, world: "World", name: str, identity: Identity, submit: Submit, cancel_after: float | None
    ) -> None:
        super().__init__(world, name)
        self._identity = identity
        self.submit = submit
        self.cancel_after = cancel_after
        self.post = ClientPost(identity, world.ulid())
        self._accepted = False
        self._cancelled = cancel_after is None
        self._cancelling = False

    def begin(self) -> None:
        self.post = ClientPost(self._identity, self.life)

    def subscriptions(self) -> list[str]:
        return list(self.post.subscriptions())

    def will(self) -> Packet:
        return self.post.status(ClientState.OFFLINE, self.connection)

    def connected(self) -> None:
        self._ask()

    def hear(self, packet: Packet) -> None:
        heard = self.post.opened(packet)
        if not isinstance(heard, client_events.Answered):
            return
        if heard.correlation == b"submit" and not self._accepted:
            self._accepted = True
            self.world.truth.accepted.add(self.submit.job)
            if self.cancel_after is not None:
                self.world.after(self.cancel_after, f"{self.name} cancels", self._cancel)
        if heard.correlation == b"cancel":
            self._cancelled = True

    def _cancel(self) -> None:
        self._cancelling = True

    def _ask(self) -> None:
        life = self.life
        if not self._accepted:
            packet = self.post.to_coordinator(self.submit, b"submit")
            self.send([packet] if packet is not None else [])
        elif self._cancelling and not self._cancelled:
            packet = self.post.to_coordinator(Cancel(job=self.submit.job), b"cancel")
            self.send([packet] if packet is not None else [])
        elif self._cancelled:
            return
        self.world.after(1.0, f"{self.name} asks", lambda: self._ask() if self.life == life and self.alive else None)


def is_interactive(submit: Submit) -> bool:
    return submit.kind is JobKind.INTERACTIVE

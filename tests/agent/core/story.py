"""An agent's core that is connected and welcome, and what may happen to it."""

import base64

from ffmesh_agent.core.agent import Agent
from ffmesh_agent.core.effects import Effect, Launch, Publish, Tell
from ffmesh_agent.core.events import (
    CapabilitySeen,
    ClientStatusSeen,
    Connected,
    CoordinatorSeen,
    CoordinatorSpoke,
    CoordinatorWord,
    CreditCame,
    Event,
    HeartbeatReturned,
    LoadSampled,
    OutputSealed,
    ProgramEnded,
    ProgramStarted,
    Restored,
    ResultKept,
    StagedOutput,
    Woken,
)
from ffmesh_protocol import keys, times
from ffmesh_protocol.keys import Label, SealedFor
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.capability import Heartbeat, Load
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import (
    Audience,
    Cancels,
    Commit,
    Grant,
    Grants,
    Leased,
    Offer,
    Offers,
    Stop,
    Welcome,
)
from ffmesh_protocol.messages.presence import ClientState, ClientStatus, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import FailureKind, HeldPhase, Holding, Result, StreamLengths
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.topics import Family
from support.coordinating import JOB, PI_LIFE, TV_LIFE, D, advert
from support.playbook import Playbook

SECRET = bytes(range(32))
BOSS = "0C" + "1" * 24
OTHER_BOSS = "0C" + "2" * 24
ATTEMPT = "0A" + "1" * 24
OTHER = "0A" + "2" * 24
LENGTHS = StreamLengths(stdout=1, stderr=2)


class Story(Playbook[Event, Effect, float]):
    """Begins with a connected, welcomed agent with one slot, and with what earlier lives left."""

    def __init__(
        self, results: tuple[Result, ...] = (), staged: tuple[StagedOutput, ...] = (), unfit: str | None = None
    ) -> None:
        self.core = new_core(unfit)
        super().__init__(self.core.handle, float)
        self._number = 0
        self.at_once = self.on(Restored(results=results, staged=staged)).effects
        """What was asked for before anybody was heard."""
        self.on(CapabilitySeen(advert=advert(PI_LIFE), programs=None))
        self.on(Connected(connection=1))
        self.on(CoordinatorSeen(status=coordinator(BOSS)))
        self.hears(Welcome(draining=False))

    # --- what happens -------------------------------------------------------------------------------------------------

    def hears(self, word: CoordinatorWord, *, number: int | None = None, after: float = 0.0) -> "Story":
        self._number = number if number is not None else self._number + 1
        self.on(CoordinatorSpoke(life=BOSS, number=self._number, word=word), after=after)
        return self

    def passes(self, seconds: float) -> "Story":
        self.on(Woken(), after=seconds)
        return self

    def sees(self, state: CoordinatorState, *, life: str = BOSS, connection: int = 1) -> "Story":
        self.on(CoordinatorSeen(status=coordinator(life, state, connection)))
        return self

    def leased(self, beat: int, attempt: str = ATTEMPT, *, after: float = 0.0) -> "Story":
        return self.hears(Leased(beat=beat, attempts=(attempt,)), after=after)

    def permitted(self, attempt: str = ATTEMPT) -> "Story":
        return self.hears(Commit(attempts=(attempt,)))

    def stops(self, why: Stopped = Stopped.CANCEL, attempt: str = ATTEMPT) -> "Story":
        return self.hears(Cancels(stops=(Stop(attempt=attempt, job=JOB, why=why),)))

    # --- what it says -------------------------------------------------------------------------------------------------

    def says(self, kind: type[D]) -> list[D]:
        return [tell.message for tell in self.all(Tell) if isinstance(tell.message, kind)]

    def phases(self) -> list[HeldPhase]:
        """As the next `holding` tells them."""
        self.on(Woken(), after=times.HOLDING)
        return [held.phase for held in self.says(Holding)[0].held]

    def holds(self, *, after: float = times.HOLDING) -> int:
        """The beat of a `holding` that goes out then."""
        self.on(Woken(), after=after)
        return self.says(Holding)[0].beat

    def heartbeat(self, *, after: float = 0.0) -> int:
        """The number of a heartbeat that goes out then."""
        load = Load(cpu_percent=None, memory_percent=None, temperature_c=None)
        self.on(LoadSampled(load=load), after=after)
        heartbeat = self.one(Publish, family=Family.HEARTBEAT).message
        assert isinstance(heartbeat, Heartbeat)
        return heartbeat.beat

    def heartbeat_returns(self, beat: int, *, after: float = 0.0) -> "Story":
        self.on(HeartbeatReturned(beat=beat), after=after)
        return self

    # --- whole chapters -----------------------------------------------------------------------------------------------

    def claims(self, kind: JobKind = JobKind.DIRECT) -> "Story":
        return self.hears(Offers(offers=(offer(kind=kind),)))

    def is_granted(
        self, kind: JobKind = JobKind.DIRECT, *, timeout: float | None = None, after: float = 0.0
    ) -> "Story":
        return self.hears(Grants(grants=(grant(kind=kind, timeout=timeout),)), after=after)

    def runs(
        self, kind: JobKind = JobKind.DIRECT, *, timeout: float | None = None, reads_keys: bool = False
    ) -> "Story":
        self.claims(kind).is_granted(kind, timeout=timeout)
        if kind is JobKind.INTERACTIVE:
            self.on(credit())
        self.one(Launch)
        self.on(ProgramStarted(attempt=ATTEMPT, reads_keys=reads_keys))
        return self

    def ends(
        self,
        exit_code: int | None = 0,
        signal: int | None = None,
        *,
        failure: FailureKind | None = None,
        by_deadline: bool = False,
        half_written: bool = False,
    ) -> "Story":
        self.on(
            ProgramEnded(
                attempt=ATTEMPT,
                exit_code=exit_code,
                signal=signal,
                seconds=1.0,
                lengths=LENGTHS,
                by_deadline=by_deadline,
                failure=failure,
                half_written=half_written,
            )
        )
        return self

    def is_kept(self) -> "Story":
        self.on(ResultKept(attempt=ATTEMPT))
        return self

    def stages(self) -> "Story":
        """A program that ended well and whose output is aside."""
        self.runs(JobKind.STAGED).ends()
        self.on(OutputSealed(attempt=ATTEMPT))
        return self


def new_core(unfit: str | None = None) -> Agent:
    return Agent(name="pi", cluster="home", life=PI_LIFE, secret=SECRET, kid=1, boot="boot", spool="spool", unfit=unfit)


def coordinator(life: str, state: CoordinatorState = CoordinatorState.ONLINE, connection: int = 1) -> CoordinatorStatus:
    return CoordinatorStatus(state=state, life=life, connection=connection, version="0")


def offer(
    attempt: str = ATTEMPT, program: str = "ffmpeg", roots: tuple[str, ...] = (), kind: JobKind = JobKind.DIRECT
) -> Offer:
    return Offer(attempt=attempt, job=JOB, kind=kind, needs=Needs(program=program, roots=roots))


def grant(attempt: str = ATTEMPT, kind: JobKind = JobKind.DIRECT, timeout: float | None = None) -> Grant:
    return Grant(
        attempt=attempt,
        job=JOB,
        number=1,
        kind=kind,
        program="ffmpeg",
        args=(),
        cwd=None,
        env={},
        umask=None,
        needs=Needs(program="ffmpeg"),
        timeout_seconds=timeout,
        audience=audience(attempt) if kind is JobKind.INTERACTIVE else None,
        outputs=(RootPath(root="Movies", path="small.mkv"),) if kind is JobKind.STAGED else (),
    )


def audience(attempt: str, bound_to_life: str = PI_LIFE) -> Audience:
    seal = keys.derived(SECRET, "home", agent_principal("pi"), Label.SEAL)
    bound_to = SealedFor(job=JOB, attempt=attempt, agent="pi", life=bound_to_life)
    box = keys.sealed(keys.stream_keys(SECRET, "home", JOB, attempt), seal, bound_to, bytes(12))
    return Audience(client="tv", life=TV_LIFE, kid=1, sealed_keys=base64.b64encode(box).decode())


def credit() -> CreditCame:
    streams = {"stdout": 0, "stderr": 0}
    return CreditCame(credit=StreamCredit(attempt=ATTEMPT, received=streams, allowed=streams))


def client_status(state: ClientState, connection: int) -> ClientStatusSeen:
    return ClientStatusSeen(client="tv", status=ClientStatus(state=state, life=TV_LIFE, connection=connection))

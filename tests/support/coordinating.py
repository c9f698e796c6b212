"""A coordinator's core with an agent and a client, for stories about it."""

from collections.abc import Iterator
from itertools import count
from typing import Any, TypeVar

from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.effects import Effect, Reply, SaveJob, Tell
from ffmesh_coordinator.core.events import (
    AdvertSeen,
    AgentSpoke,
    AgentWord,
    Asker,
    ClientSpoke,
    ClientWord,
    Connected,
    Event,
    Restored,
)
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.keyring import FIRST_KID, Keyring
from ffmesh_coordinator.core.moment import Now
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.capability import Advert, Host, RootState, SlotCount
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Cancels, Grants, Offers, Settled
from ffmesh_protocol.messages.reports import Claim, Held, HeldPhase, Hello, Holding, Result, Started, StreamLengths
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import Principal, agent, client
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.wire import Directed
from support.playbook import Playbook

D = TypeVar("D", bound=Directed)

PI, NAS, TV, RADIO = agent("pi"), agent("nas"), client("tv"), client("radio")
PI_LIFE, TV_LIFE = "0P" + "1" * 24, "0T" + "1" * 24
JOB = "0J" + "1" * 24


def ulids(letter: str) -> Iterator[str]:
    return (f"0{letter}{number:024d}" for number in count(1))


class Story(Playbook[Event, Effect, Now]):
    """Begins with a connected coordinator that knows nobody but by their keys."""

    def __init__(self, *, public_details: bool = False) -> None:
        keyring = Keyring("home", lambda: bytes(12))
        for principal in (PI, NAS, TV, RADIO):
            keyring.add(principal, FIRST_KID, principal.login.encode().ljust(32))
        self._ids = ulids("A")
        self.core = Coordinator(
            cluster="home",
            life="0C" + "1" * 24,
            keyring=keyring,
            ids=lambda: next(self._ids),
            public_details=public_details,
        )
        super().__init__(self.core.handle, lambda seconds: Now(elapsed=seconds, utc=1e9 + seconds))
        self.on(Restored(jobs=(), ended=frozenset(), agents=(), sequence=0))
        self.on(Connected(connection=1))

    # --- what parts say -----------------------------------------------------------------------------------------------

    def agent_says(self, word: AgentWord, *, who: Principal = PI, life: str = PI_LIFE, after: float = 0.0) -> "Story":
        self.on(AgentSpoke(agent=who.name, life=life, word=word), after=after)
        return self

    def client_says(self, word: ClientWord, *, who: Principal = TV, life: str = TV_LIFE, after: float = 0.0) -> "Story":
        asker = Asker(principal=who, life=life, topic="answer", correlation=b"1")
        self.on(ClientSpoke(client=who.name, life=life, word=word, asker=asker), after=after)
        return self

    def agent_comes(
        self, who: Principal = PI, life: str = PI_LIFE, slots: int = 1, holds: tuple[Held, ...] = ()
    ) -> "Story":
        self.on(AdvertSeen(agent=who.name, advert=advert(life, slots)))
        return self.agent_says(hello(*holds), who=who, life=life)

    # --- what was asked for -------------------------------------------------------------------------------------------

    def messages(self, kind: type[D]) -> list[D]:
        return [tell.message for tell in self.all(Tell) if isinstance(tell.message, kind)]

    def answer(self, kind: type[D]) -> D:
        """The one answer that was given, which is of that kind."""
        answers = [reply.answer for reply in self.all(Reply)]
        assert len(answers) == 1, self.told(f"expected one answer, and there are {len(answers)}")
        assert isinstance(answers[0], kind), self.told(f"expected {kind.__name__}")
        return answers[0]

    def offered(self) -> list[str]:
        return [offer.attempt for message in self.messages(Offers) for offer in message.offers]

    def granted(self) -> list[str]:
        """The attempts; as in a shell, the grants are sent, and so get their numbers."""
        self.core.packets(self.effects)
        return [grant.attempt for message in self.messages(Grants) for grant in message.grants]

    def stopped(self) -> list[str]:
        return [stop.attempt for message in self.messages(Cancels) for stop in message.stops]

    def settled(self) -> list[str]:
        return [attempt for message in self.messages(Settled) for attempt in message.attempts]

    def saved(self) -> Job:
        """The job as it was last saved by the last event."""
        jobs = self.all(SaveJob)
        assert jobs, self.told("expected a job to be saved")
        return jobs[-1].job

    # --- whole chapters -----------------------------------------------------------------------------------------------

    def runs(self, kind: JobKind = JobKind.DIRECT) -> str:
        """A job that an agent runs; its attempt."""
        self.agent_comes()
        self.client_says(submit(kind=kind))
        (attempt,) = self.offered()
        self.agent_says(Claim(attempts=(attempt,)))
        self.core.packets(self.effects)
        self.agent_says(Started(attempts=(attempt,)))
        return attempt


def submit(job: str = JOB, *, kind: JobKind = JobKind.DIRECT, priority: int = 0, **needs: Any) -> Submit:
    return Submit(
        job=job,
        kind=kind,
        program="ffmpeg",
        args=(("-i",), (RootPath(root="Movies", path="a film.mkv"),)),
        cwd=None,
        env={},
        umask=None,
        stdin_is_terminal=False,
        needs=Needs(program="ffmpeg", **needs),
        priority=priority,
        timeout_seconds=None,
        labels={"title": "A film", "show": "secret"},
    )


def result(attempt: str, *, job: str = JOB, exit_code: int | None = 0, stopped: Stopped | None = None) -> Result:
    return Result(
        attempt=attempt,
        job=job,
        started=True,
        exit_code=exit_code,
        signal=None if exit_code is not None else 9,
        stopped=stopped,
        reason_code=None,
        reason=None,
        seconds=1.0,
        lengths=StreamLengths(stdout=1, stderr=2),
    )


def hello(*held: Held) -> Hello:
    return Hello(boot="boot", spool="spool", version="0", features=(), heard=0, held=held)


def holding(*held: Held, heard: int = 0) -> Holding:
    return Holding(heard=heard, draining=False, held=held)


def held(attempt: str, phase: HeldPhase, job: str = JOB) -> Held:
    return Held(attempt=attempt, job=job, phase=phase)


def advert(life: str, slots: int = 1) -> Advert:
    return Advert(
        life=life,
        version="0",
        features=(),
        host=Host(arch="x", cores=1, memory_bytes=1, model="bottle"),
        programs={"ffmpeg": "5"},
        hwaccels=(),
        roots={"Movies": RootState(mounted=True)},
        slots={"cpu": SlotCount(total=slots)},
        fence="none",
        tried=False,
    )

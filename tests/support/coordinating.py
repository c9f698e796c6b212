"""A coordinator's core with an agent and a client, for stories about it."""

from collections.abc import Iterator
from itertools import count
from typing import Any, TypeVar

import msgspec

from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.effects import Effect, Recall, Reply, SaveAgent, SaveJob, Tell
from ffmesh_coordinator.core.events import (
    AdvertSeen,
    AgentSpoke,
    AgentStatusSeen,
    AgentWord,
    Asker,
    ClientSpoke,
    ClientWord,
    Connected,
    Event,
    KnownAgent,
    Recalled,
    Restored,
    Woken,
)
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.keyring import FIRST_KID, Keyring
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.moment import Now
from ffmesh_protocol import times
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.capability import Advert, Host, RootState, SlotCount
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Cancels, Commit, Grants, Leased, Offers, Settled
from ffmesh_protocol.messages.presence import AgentState, AgentStatus
from ffmesh_protocol.messages.reports import (
    Claim,
    Held,
    HeldPhase,
    Hello,
    Holding,
    Result,
    Results,
    Started,
    StreamLengths,
)
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import Principal, agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.wire import Directed
from support.playbook import Playbook

D = TypeVar("D", bound=Directed)

PI, NAS, TV, RADIO = agent("pi"), agent("nas"), client("tv"), client("radio")
PI_LIFE, NAS_LIFE, TV_LIFE = "0P" + "1" * 24, "0N" + "1" * 24, "0T" + "1" * 24
LATER_LIFE = "0P" + "2" * 24
"""Of the agent whose first life is `PI_LIFE`."""

JOB = "0J" + "1" * 24
OUTPUT = RootPath(root="Movies", path="made.mkv")


def ulids(letter: str) -> Iterator[str]:
    return (f"0{letter}{number:024d}" for number in count(1))


class Story(Playbook[Event, Effect, Now]):
    """Begins with a coordinator that knows nobody but by their keys, or what `before` left on its disk."""

    def __init__(self, *, public_details: bool = False, before: "Story | None" = None, connected: bool = True) -> None:
        self.keyring = Keyring("home", lambda: bytes(12))
        for principal in (PI, NAS, TV, RADIO):
            self.gets_a_key(principal)
        self._ids: Iterator[str] = before._ids if before else ulids("A")
        self._lives: Iterator[str] = before._lives if before else ulids("C")
        self.life = next(self._lives)
        self.core = Coordinator(
            cluster="home",
            life=self.life,
            keyring=self.keyring,
            ids=lambda: next(self._ids),
            public_details=public_details,
        )
        self.disk: dict[str, Job] = dict(before.disk) if before else {}
        """As far as it was asked for."""
        self._agents: dict[str, KnownAgent] = dict(before._agents) if before else {}
        super().__init__(self.core.handle, lambda seconds: Now(elapsed=seconds, utc=1e9 + seconds))
        self.now = before.now if before else 0.0
        jobs = sorted(self.disk.values(), key=lambda job: job.sequence)
        self.on(
            Restored(
                jobs=tuple(job for job in jobs if not job.has_ended),
                ended={job.id: job.phase for job in jobs if job.has_ended},
                agents=tuple(self._agents.values()),
                sequence=max((job.sequence for job in jobs), default=0),
            )
        )
        if connected:
            self.on(Connected(connection=1))

    def gets_a_key(self, principal: Principal) -> None:
        self.keyring.add(principal, FIRST_KID, principal.login.encode().ljust(32))

    def on(self, event: Event, *, after: float = 0.0) -> "Story":
        super().on(event, after=after)
        for effect in self.effects:
            if isinstance(effect, SaveJob):
                self.disk[effect.job.id] = effect.job
            elif isinstance(effect, SaveAgent):
                self._agents[effect.agent.name] = effect.agent
        return self

    def passes(self, seconds: float) -> "Story":
        return self.on(Woken(), after=seconds)

    def restarted(self, *, connected: bool = True) -> "Story":
        """The coordinator is killed, and another one finds what was on disk."""
        return Story(before=self, connected=connected)

    # --- what parts say -----------------------------------------------------------------------------------------------

    def agent_says(self, word: AgentWord, *, who: Principal = PI, life: str = PI_LIFE, after: float = 0.0) -> "Story":
        return self.on(AgentSpoke(agent=who.name, life=life, word=word), after=after)

    def client_says(self, word: ClientWord, *, who: Principal = TV, life: str = TV_LIFE, after: float = 0.0) -> "Story":
        asker = Asker(principal=who, life=life, topic="answer", correlation=b"1")
        return self.on(ClientSpoke(client=who.name, life=life, word=word, asker=asker), after=after)

    def agent_comes(
        self,
        who: Principal = PI,
        life: str = PI_LIFE,
        slots: int | dict[str, SlotCount] = 1,
        holds: tuple[Held, ...] = (),
        **able: Any,
    ) -> "Story":
        """All lives of all agents are on one machine here, unless a story has them say otherwise."""
        if not self.keyring.knows(who):
            self.gets_a_key(who)
        self.on(AdvertSeen(agent=who.name, advert=advert(life, slots, **able)))
        return self.agent_says(hello(*holds), who=who, life=life)

    def agent_is_gone(self, who: Principal = PI, life: str = PI_LIFE) -> "Story":
        """The broker says so, and nobody denies it."""
        status = AgentStatus(state=AgentState.OFFLINE, life=life, connection=1)
        self.on(AgentStatusSeen(agent=who.name, status=status))
        return self.passes(times.WILL_GRACE)

    def disk_answers(self) -> "Story":
        """What the core has just asked it."""
        recall = self.one(Recall)
        followers: list[Job] = []
        for job in sorted(self.disk.values(), key=lambda job: job.sequence):
            fell = job.reason_code in (ReasonCode.PARENT_FAILED, ReasonCode.PARENT_CANCELLED)
            if fell and {recall.job, *(each.id for each in followers)} & set(job.asked.after):
                followers.append(job)
        with_it = tuple(followers) if recall.with_followers else ()
        found = self.disk.get(recall.job)
        return self.on(Recalled(job=recall.job, found=found, spoken=recall.spoken, followers=with_it))

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

    def stops(self) -> list[tuple[str, Stopped]]:
        return [(stop.attempt, stop.why) for message in self.messages(Cancels) for stop in message.stops]

    def stopped(self) -> list[str]:
        return [attempt for attempt, _ in self.stops()]

    def sent_to(self, life: str) -> list[Packet]:
        """What was asked for last, as packets with the next numbers: to be asked once for each event."""
        return [packet for packet in self.core.packets(self.effects) if f"/{life}/" in packet.topic]

    def renewed(self) -> list[str]:
        return [attempt for message in self.messages(Leased) for attempt in message.attempts]

    def permitted(self) -> list[str]:
        return [attempt for message in self.messages(Commit) for attempt in message.attempts]

    def settled(self) -> list[str]:
        return [attempt for message in self.messages(Settled) for attempt in message.attempts]

    def saved(self) -> Job:
        """The job as it was last saved by the last event."""
        jobs = self.all(SaveJob)
        assert jobs, self.told("expected a job to be saved")
        return jobs[-1].job

    def phase(self, job: str = JOB) -> Phase:
        """On disk."""
        return self.disk[job].phase

    # --- whole chapters -----------------------------------------------------------------------------------------------

    def runs(self, kind: JobKind = JobKind.DIRECT, **asked: Any) -> str:
        """A job that an agent runs; its attempt."""
        self.agent_comes()
        self.client_says(submit(kind=kind, **asked))
        return self.is_taken()

    def is_taken(self, *, who: Principal = PI, life: str = PI_LIFE) -> str:
        """The job that was just offered to that agent, and which it runs now; its attempt."""
        attempt = self.is_granted(who=who, life=life)
        self.agent_says(Started(attempts=(attempt,)), who=who, life=life)
        return attempt

    def is_granted(self, *, who: Principal = PI, life: str = PI_LIFE) -> str:
        """The same, of which it has not said yet that it runs."""
        (attempt,) = self.offered()
        self.agent_says(Claim(attempts=(attempt,)), who=who, life=life)
        assert self.granted() == [attempt], self.told("expected a grant")
        return attempt

    def ends(self, attempt: str, *, who: Principal = PI, life: str = PI_LIFE, **how: Any) -> "Story":
        return self.agent_says(Results(results=(result(attempt, **how),)), who=who, life=life)


def submit(
    job: str = JOB,
    *,
    kind: JobKind = JobKind.DIRECT,
    priority: int = 0,
    after: tuple[str, ...] = (),
    max_attempts: int = 1,
    **needs: Any,
) -> Submit:
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
        after=after,
        max_attempts=max_attempts,
        outputs=(OUTPUT,) if kind is JobKind.STAGED else (),
    )


def result(attempt: str, *, job: str = JOB, exit_code: int | None = 0, started: bool = True, **how: Any) -> Result:
    """Of a program that was ended by signal 9 if it has no exit code."""
    usual = Result(
        attempt=attempt,
        job=job,
        started=started,
        exit_code=exit_code if started else None,
        signal=9 if started and exit_code is None else None,
        stopped=None,
        reason_code=None,
        reason=None,
        seconds=1.0,
        lengths=StreamLengths(stdout=1, stderr=2),
    )
    return msgspec.structs.replace(usual, **how)


def hello(*held: Held, beat: int = 1, boot: str = "boot", spool: str = "spool") -> Hello:
    return Hello(beat=beat, boot=boot, spool=spool, version="0", features=(), heard=0, held=held)


def holding(*held: Held, heard: int = 0, beat: int = 1) -> Holding:
    return Holding(beat=beat, heard=heard, draining=False, held=held)


def held(attempt: str, phase: HeldPhase, job: str = JOB, slot: str = "cpu") -> Held:
    return Held(attempt=attempt, job=job, phase=phase, slot=slot)


def advert(life: str, slots: int | dict[str, SlotCount] = 1, **able: Any) -> Advert:
    """Of an agent that can do everything there is, but for what is said otherwise."""
    usual = Advert(
        life=life,
        version="0",
        features=tuple(JobKind),
        host=Host(arch="x", cores=1, memory_bytes=1, model="bottle"),
        programs={"ffmpeg": "5"},
        hwaccels=(),
        roots={"Movies": RootState(mounted=True)},
        slots={"cpu": SlotCount(total=slots)} if isinstance(slots, int) else slots,
        fence="none",
        tried=False,
    )
    return msgspec.structs.replace(usual, **able)

"""The coordinator in the bottle. Its disk survives it. Between its offers, the commit and the sending it may die."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ffmesh_coordinator.core import effects, events
from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.keyring import FIRST_KID, Keyring
from ffmesh_coordinator.core.lifecycle import LIFECYCLE, Step
from ffmesh_coordinator.core.moment import Now
from ffmesh_coordinator.core.post import Asked
from ffmesh_protocol.messages.answers import Refusal
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.messages.orders import Leased
from ffmesh_protocol.messages.requests import DrainAgent
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.names import client as client_principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.topics import Family
from simulation.part import Part
from simulation.truth import Broken

if TYPE_CHECKING:
    from simulation.world import World

BEGINNING_OF_TIME = 1_700_000_000.0
SOMEBODY = "0" * 26
PUBLIC_OF_OURS = (Family.COORDINATOR_STATUS, Family.SUMMARY)
FELL = (ReasonCode.PARENT_FAILED, ReasonCode.PARENT_CANCELLED)


class CoordinatorPart(Part):
    def __init__(self, world: "World", secrets: dict[str, bytes], agents: list[str], clients: list[str]) -> None:
        super().__init__(world, "coordinator")
        self._secrets = secrets
        self._agents = agents
        self._clients = clients
        self.jobs: dict[str, Job] = {}
        self.known: dict[str, events.KnownAgent] = {}
        self.full = False
        self._held_back: list[effects.Effect] = []
        self._utc_error = 0.0
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
        self._held_back = []
        self._utc_error = self.world.clock_error()
        by_age = sorted(self.jobs.values(), key=lambda job: job.sequence)
        self.feed(
            events.Restored(
                jobs=tuple(job for job in by_age if not job.has_ended),
                ended={job.id: job.phase for job in by_age if job.has_ended},
                agents=tuple(self.known[name] for name in sorted(self.known)),
                sequence=max((job.sequence for job in self.jobs.values()), default=0),
            )
        )
        if self.full:
            self.feed(events.DiskFilled())

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

    def tell(self, agent: str, manner: Manner | None) -> None:
        """Somebody has an agent drain, pause or stop; null: take work again."""
        word = DrainAgent(agent=agent, draining=manner is not None, manner=manner)
        spoken = events.ClientSpoke(client=self._clients[0], life=SOMEBODY, word=word, asker=None)
        self.do(lambda: self.feed(spoken))

    def fill_disk(self) -> None:
        self.full = True
        if self.alive:
            self.do(lambda: self.feed(events.DiskFilled()))

    def clear_disk(self) -> None:
        """What was held back is written, and then said."""
        self.full = False
        if self.alive:
            self.do(self._catch_up)

    def _catch_up(self) -> None:
        held_back, self._held_back = self._held_back, []
        self._carry_out(held_back)
        if self.alive:
            self.feed(events.DiskCleared())

    def feed(self, event: events.Event) -> None:
        now = Now(elapsed=self.now, utc=BEGINNING_OF_TIME + self.world.now + self._utc_error)
        done = [*(self.core.handle(events.Thawed(), now) if self.was_deaf() else []), *self.core.handle(event, now)]
        if self.full or self._held_back:  # what is held back is written before what comes after it
            self._held_back += [effect for effect in done if not _needs_no_disk(effect)]
            done = [effect for effect in done if _needs_no_disk(effect)]
        self._carry_out(done, why=type(event).__name__)

    def _carry_out(self, done: list[effects.Effect], why: str = "") -> None:
        fate = self.world.dice.random() if self.world.faulty else 1.0
        offers, done = effects.said_beforehand(done)
        self.send(self.core.packets(offers))
        if offers and fate < self.world.die_after_commit / 2:
            self.world.say("coordinator dies after its offers, before what it offers is on its disk")
            self.world.crash(self)
            return
        for effect in done:
            match effect:
                case effects.SaveJob(job=job):
                    self._save(job)
                case effects.SaveAgent(agent=agent):
                    self.known[agent.name] = agent
                case _:
                    pass
        if fate < self.world.die_after_commit:
            self.world.say(f"coordinator dies after its commit, before it says a word of {why}")
            self.world.crash(self)
            return
        self.send(self.core.packets(done))
        for effect in done:
            match effect:
                case effects.WakeAt(elapsed=at):
                    self.wake_at(at)
                case effects.Recall(job=job_id, spoken=spoken, with_followers=with_followers):
                    followers = tuple(self._followers(job_id)) if with_followers else ()
                    found = self.jobs.get(job_id)
                    self.feed(events.Recalled(job=job_id, found=found, spoken=spoken, followers=followers))
                case _:
                    pass

    def _followers(self, job_id: str) -> Iterable[Job]:
        fallen = [job for job in self.jobs.values() if job.reason_code in FELL]
        found = {job_id}
        for job in sorted(fallen, key=lambda each: each.sequence):
            if found.intersection(job.asked.after):
                found.add(job.id)
                yield job

    def _save(self, job: Job) -> None:
        before = self.jobs.get(job.id)
        if before is not None and before.has_ended and before != job:
            reopened = before.phase in (job.phase,) or Step.REOPEN not in LIFECYCLE[before.phase]
            if reopened or job.tried_before != len(before.attempts):
                raise Broken(f"job {job.id} had ended as {before.phase} and was changed to {job.phase}")
        if before is not None and job.attempts[: len(before.attempts) - 1] != before.attempts[:-1]:
            raise Broken(f"job {job.id} has another history than before")
        self._check_last_end(job)
        if job.has_ended:
            self.world.truth.ended_at[job.id] = self.world.now
        self.jobs[job.id] = job

    def _check_last_end(self, job: Job) -> None:
        """What is written of an attempt's end is what truly happened to it, and to no other."""
        last = job.attempts[-1] if job.attempts else None
        if last is None or last.ended_at is None or (last.exit_code is None and last.signal is None):
            return
        run = self.world.truth.runs.get(last.id)
        if run is None and last.signal is not None:
            return  # killed by its warden before it had begun
        if run is None or (run.exit_code, run.signal) != (last.exit_code, last.signal):
            raise Broken(f"attempt {last.id} of job {job.id} is said to have ended as another did")


def _needs_no_disk(effect: effects.Effect) -> bool:
    """What may be said although nothing that was decided is kept: it promises nothing that is not on the disk."""
    match effect:
        case effects.Tell(message=Leased()) | effects.Reply(answer=Refusal()) | effects.WakeAt() | effects.Note():
            return True
        case effects.Publish(family=family):
            return family in PUBLIC_OF_OURS
        case _:
            return False

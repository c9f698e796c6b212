"""The coordinator's core: every event goes in by `handle`, every effect comes out of it.

It has no clock, disk, socket or dice.

    effects = core.handle(event, now)

"""

from collections.abc import Callable, Collection, Iterable
from typing import assert_never

from ffmesh_coordinator.core import leases, views
from ffmesh_coordinator.core.agents import Agents
from ffmesh_coordinator.core.books import Books
from ffmesh_coordinator.core.chains import Chains
from ffmesh_coordinator.core.clients import Clients
from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.effects import Effect, ForgetAgent, SaveJob, WakeAt
from ffmesh_coordinator.core.events import (
    AdvertSeen,
    AgentSpoke,
    AgentStatusSeen,
    ClientSpoke,
    ClientStatusSeen,
    Connected,
    Disconnected,
    DiskCleared,
    DiskFilled,
    Event,
    HeartbeatSeen,
    OwnAgentSeen,
    OwnJobSeen,
    OwnStatusSeen,
    PrincipalRemoved,
    PrincipalRotated,
    ProgramsSeen,
    ProgressSeen,
    Pruned,
    Recalled,
    Restored,
    RetiredSpoke,
    Thawed,
    Woken,
)
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.jobs import Jobs
from ffmesh_coordinator.core.keyring import Keyring
from ffmesh_coordinator.core.moment import Now
from ffmesh_coordinator.core.offers import Offers
from ffmesh_coordinator.core.post import Asked, Letter, Post
from ffmesh_coordinator.core.public import Public
from ffmesh_coordinator.core.tails import Tails
from ffmesh_protocol import VERSION
from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.jobs import JobView
from ffmesh_protocol.messages.manners import wanted
from ffmesh_protocol.messages.orders import Grants
from ffmesh_protocol.messages.presence import CoordinatorState
from ffmesh_protocol.names import Role
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.sending import published
from ffmesh_protocol.topics import Family

NOT_WHILE_CUT_OFF = frozenset(
    {About.STATUS, About.WILL, About.SILENCE, About.LEASE, About.CLIENT_WILL, About.CLIENT_SILENCE, About.UNHEARD}
)
"""Silence that we could not have heard is nobody's fault; it is counted anew when we connect."""


CHANGES_NO_PLACE = (HeartbeatSeen, ProgressSeen, OwnStatusSeen, OwnJobSeen, OwnAgentSeen)
"""After these no job can be placed that could not be placed before."""


class Coordinator:
    def __init__(
        self,
        *,
        cluster: str,
        life: str,
        keyring: Keyring,
        ids: Callable[[], str],
        public_details: bool = False,
        version: str = VERSION,
    ) -> None:
        self._post = Post(cluster, life, keyring)
        self._desk = Desk(
            life=life,
            version=version,
            public_details=public_details,
            keyring=keyring,
            post=self._post,
            ids=ids,
        )
        self._public = Public(self._desk)
        books = Books(self._desk)
        self._books = books
        self._offers = Offers(self._desk, books)
        chains = Chains(self._desk, books)
        self._jobs = Jobs(self._desk, books, self._offers, chains)
        tails = Tails(self._desk)
        self._agents = Agents(self._desk, self._offers, self._jobs, self._public, tails)
        self._clients = Clients(self._desk, self._jobs, chains, self._agents, self._public, tails)
        self._woken_for: float | None = None

    # --- in and out ---------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Now) -> list[Effect]:
        """The only way to change anything."""
        desk = self._desk
        desk.now = now
        self._take(event)
        due = desk.deadlines.due(now.elapsed)
        for about, name in due:
            self._fall_due(about, name)
        if due or not isinstance(event, CHANGES_NO_PLACE):
            self._offers.assign()
        effects = desk.taken_effects()
        if self._count_ends(effects):
            self._public.summarise_soon()
        at = desk.deadlines.next()
        if at != self._woken_for:
            self._woken_for = at
            effects.append(WakeAt(elapsed=at))
        return effects

    def opened(self, packet: Packet) -> Event | Asked | None:
        """What a packet says, verified and decoded; what must not be acted on is counted and gone."""
        return self._post.opened(packet)

    def packets(self, effects: Iterable[Effect]) -> list[Packet]:
        """The messages among the effects of one batch: joined, numbered, signed. To be sent in this order."""
        ready: list[Packet] = []
        for letter in self._post.letters(effects):
            if not isinstance(letter, Letter):
                ready.append(letter)
                continue
            if isinstance(letter.message, Grants):
                self._note_grants(letter.message, letter.number)
            ready.append(letter.packet)
        return ready

    def _note_grants(self, grants: Grants, number: int) -> None:
        sent = self._desk.ledger.sent
        for grant in grants.grants:
            if grant.attempt in sent:
                sent[grant.attempt] = (number, sent[grant.attempt][1])

    def subscriptions(self) -> list[tuple[str, int]]:
        return self._post.subscriptions()

    def will(self, connection: int) -> Packet:
        return self._status(CoordinatorState.OFFLINE, connection)

    def farewell(self) -> Packet:
        """To be published last, before a clean disconnect."""
        return self._status(CoordinatorState.OFFLINE, self._desk.connection)

    def _status(self, state: CoordinatorState, connection: int) -> Packet:
        topic = self._desk.topics.coordinator_status()
        message = self._public.status(state, connection)
        return published(Family.COORDINATOR_STATUS, topic, message)

    # --- what the shell may ask ---------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._desk.connected

    def spared(self) -> frozenset[str]:
        """Ended jobs that must still be kept: open ones come after them."""
        return self._desk.ledger.parents_of_open_jobs()

    def live(self, job: Job) -> Job:
        """An open job as memory has it now, with progress and offers; any other as it is."""
        return self._desk.ledger.get(job.id) or job

    @property
    def looked_at(self) -> int:
        """Jobs, wishes and agents that decisions have touched, since the start: what their cost is made of."""
        desk = self._desk
        return desk.ledger.queue.looked_at + desk.matching.looked_at + desk.roster.looked_at

    def view(self, job: Job) -> JobView:
        """For lists and `job`: with the reason why it waits."""
        live = self.live(job)
        waiting = self._offers.why_waiting(live)
        view = views.job_view(live)
        return views.waiting_view(view, waiting) if waiting is not None else view

    def ready(self, agents: Collection[str]) -> bool:
        """Whether we are connected and every one of these agents can take work."""
        known = [self._desk.roster.get(name) for name in agents]
        return self.connected and all(
            agent is not None and agent.online and agent.current_advert is not None for agent in known
        )

    # --- events -------------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case Restored():
                self._restore(event)
            case Connected(connection=connection):
                self._connect(connection)
            case Disconnected():
                self._desk.connected = False
            case Thawed():
                self._count_silences()
            case Woken():
                self._woken_for = None
            case DiskFilled() | DiskCleared():
                self._desk.full = isinstance(event, DiskFilled)
                self._public.say_online()
            case Pruned(jobs=pruned):
                self._desk.ledger.forget_ended(pruned)
            case OwnStatusSeen():
                self._own_status(event)
            case OwnJobSeen(job=job_id):
                self._own_job(job_id)
            case OwnAgentSeen(agent=name):
                if name not in self._desk.roster:
                    self._public.agent_removed(name)
            case AgentStatusSeen():
                self._agents.status_seen(event)
            case AdvertSeen():
                self._agents.advert_seen(event)
            case ProgramsSeen():
                self._agents.programs_seen(event)
            case HeartbeatSeen():
                self._agents.heartbeat_seen(event)
            case ProgressSeen(agent=agent, job=job_id, progress=progress):
                job = self._desk.ledger.get(job_id)
                if job is not None and job.attempt is not None and job.attempt.agent == agent:
                    self._jobs.progressed(job, progress)
            case ClientStatusSeen():
                self._clients.status_seen(event)
            case AgentSpoke(agent=name, life=life, word=word):
                self._agents.spoke(name, life, word)
            case ClientSpoke():
                self._clients.spoke(event)
            case RetiredSpoke(principal=principal, life=life):
                if principal.role is Role.AGENTS:
                    self._agents.spoke_after_its_end(principal.name, life)
                else:
                    self._desk.tell(principal, life, Retired())
            case PrincipalRemoved():
                self._remove(event)
            case PrincipalRotated():
                self._cut_off(event)
            case Recalled():
                self._clients.recalled(event)
            case _:
                assert_never(event)

    def _fall_due(self, about: About, name: str) -> None:
        desk = self._desk
        if about in NOT_WHILE_CUT_OFF and not desk.connected:
            return
        agent = desk.roster.get(name)
        match about:
            case About.OFFER:
                self._offers.take_back(name)
            case About.LEASE:
                job = desk.ledger.of_attempt(name)
                if job is not None:
                    self._agents.lease_over(job)
            case About.RETRY:
                desk.ledger.rested(name)
            case About.CANCEL:
                job = desk.ledger.get(name)
                if job is not None and job.attempt is not None:
                    self._jobs.lose(job, "it was cancelled, and its agent did not answer")
            case About.CLIENT_WILL | About.CLIENT_SILENCE:
                self._clients.fell_silent(name)
            case About.UNHEARD:
                self._clients.unheard(name)
            case About.STATUS:
                self._public.say_online()
            case About.SUMMARY:
                self._public.summarise()
            case About.WILL | About.SILENCE | About.PATIENCE | About.PUBLIC_AGENT:
                if agent is not None:
                    self._agents.fell_due(about, agent)
            case _:
                assert_never(about)

    def _restore(self, restored: Restored) -> None:
        desk = self._desk
        desk.began_at = desk.now.elapsed
        desk.ledger.sequence = restored.sequence
        desk.ledger.ended.update(restored.ended)
        for known in restored.agents:
            agent = desk.roster.met(known.name)
            agent.told = wanted(draining=known.draining, manner=known.manner)
            agent.advert, agent.programs = known.advert, known.programs
            agent.seen_utc = known.last_seen_utc
            desk.matching.changed(agent)
        for job in restored.jobs:
            self._jobs.restore(job)
        self._jobs.restored()
        self._public.summarise_soon()

    def _connect(self, connection: int) -> None:
        """The broker may have lost everything: say again what should be retained, and count every silence anew."""
        desk = self._desk
        desk.connected = True
        desk.connection = connection
        self._public.say_online()
        self._count_silences()
        for agent in desk.roster:
            self._public.agent_changed(agent)
        for job in desk.ledger.held():
            if job.attempt is not None:
                self._books.publish(job)
        self._public.summarise_soon()

    def _count_silences(self) -> None:
        """Anew, of everyone: until now we could not have heard them."""
        for agent in self._desk.roster:
            self._agents.count_anew(agent)
        for job in self._desk.ledger.held():
            leases.begin(self._desk.deadlines, job, self._desk.now)
        self._clients.count_all_silences()

    def _own_status(self, seen: OwnStatusSeen) -> None:
        """A late will of ours, or of an earlier life, must not stand."""
        desk = self._desk
        is_false = desk.connected and seen.status != self._public.own_status()
        if is_false and not desk.deadlines.is_set(About.STATUS, ""):
            desk.deadlines.set(About.STATUS, "", self._public.may_correct_at())

    def _own_job(self, job_id: str) -> None:
        job = self._desk.ledger.get(job_id)
        if job is None or job.attempt is None:
            self._desk.publish(Family.JOB, self._desk.topics.job(job_id), None)

    def _remove(self, removed: PrincipalRemoved) -> None:
        principal = removed.principal
        if principal.role is Role.AGENTS:
            self._agents.removed(principal.name)
            self._desk.order(ForgetAgent(name=principal.name))
        elif principal.role is Role.CLIENTS:
            self._clients.removed(principal.name)

    def _cut_off(self, rotated: PrincipalRotated) -> None:
        """The lives that it had. It stays a member, with all that is known of it."""
        principal = rotated.principal
        if principal.role is Role.AGENTS:
            self._agents.cut_off(principal.name)
        elif principal.role is Role.CLIENTS:
            self._clients.removed(principal.name)

    def _count_ends(self, effects: Iterable[Effect]) -> bool:
        """Whether something changed that the summary tells."""
        saved = [effect.job for effect in effects if isinstance(effect, SaveJob)]
        for job in saved:
            if job.has_ended:
                self._public.ended(job.phase.value)
        return bool(saved)

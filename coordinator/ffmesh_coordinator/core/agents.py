"""What the coordinator does with what agents say: who is there, what each holds, and what that means for its jobs.

Level-triggered: every `holding` is compared with the books, so that no single lost message can strand a job, and its
answer renews the leases of what the agent rightly holds.
"""

from typing import assert_never

from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.events import AdvertSeen, AgentStatusSeen, AgentWord, HeartbeatSeen, ProgramsSeen
from ffmesh_coordinator.core.features import FEATURES
from ffmesh_coordinator.core.job import Attempt, Job
from ffmesh_coordinator.core.jobs import Jobs
from ffmesh_coordinator.core.lifecycle import Phase
from ffmesh_coordinator.core.offers import Offers
from ffmesh_coordinator.core.public import Public
from ffmesh_coordinator.core.roster import Agent
from ffmesh_coordinator.core.tails import Tails
from ffmesh_protocol import times
from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Condition, Manner, wanted
from ffmesh_protocol.messages.orders import Cancels, Drain, Leased, Resend, Stop, Superseded, Welcome, Withdrawn
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.messages.reports import (
    Claim,
    Decline,
    Held,
    HeldPhase,
    Hello,
    Holding,
    MayCommit,
    Results,
    Started,
    Tail,
)
from ffmesh_protocol.messages.requests import Bye
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.topics import Family

DECLINED_REST = 1.0
"""An agent that declined is not asked again for so long: it would only decline again."""

WHY_CHARS = 400
"""Of its reason, in the sentence why a job waits."""


class Agents:
    def __init__(self, desk: Desk, offers: Offers, jobs: Jobs, public: Public, tails: Tails) -> None:
        self._desk = desk
        self._offers = offers
        self._jobs = jobs
        self._public = public
        self._tails = tails

    # --- what is said in public ---------------------------------------------------------------------------------------

    def status_seen(self, seen: AgentStatusSeen) -> None:
        """`offline` counts for the current pair of life and connection only, and after a grace."""
        desk, status = self._desk, seen.status
        if not self._is_member(seen.agent):
            # The broker publishes its will when its login is taken away: after we have cleared all that it had.
            desk.publish(Family.AGENT_STATUS, desk.topics.agent_status(seen.agent), None)
            return
        agent = desk.roster.met(seen.agent)
        known = agent.status
        same_life = known is not None and known.life == status.life
        if status.state is AgentState.OFFLINE:
            stale = known is not None and (not same_life or status.connection < known.connection)
            if not stale and status.life == agent.life:
                desk.deadlines.set(About.WILL, agent.name, desk.after(times.WILL_GRACE))
            return
        if same_life and known is not None and status.connection < known.connection:
            return
        agent.status = status
        desk.deadlines.lift(About.WILL, agent.name)
        if status.life == agent.life:
            self._present(agent)

    def advert_seen(self, seen: AdvertSeen) -> None:
        if not self._is_member(seen.agent):
            self._desk.publish(Family.ADVERT, self._desk.topics.advert(seen.agent), None)
            return
        agent = self._desk.roster.met(seen.agent)
        if seen.advert != agent.advert:
            agent.advert = seen.advert
            self._desk.remember(agent)
            self._desk.matching.changed(agent)
            self._public.agent_changed(agent)

    def programs_seen(self, seen: ProgramsSeen) -> None:
        if not self._is_member(seen.agent):
            self._desk.publish(Family.PROGRAMS, self._desk.topics.programs(seen.agent), None)
            return
        agent = self._desk.roster.met(seen.agent)
        if seen.programs != agent.programs:
            agent.programs = seen.programs
            self._desk.remember(agent)
            self._desk.matching.changed(agent)

    def heartbeat_seen(self, seen: HeartbeatSeen) -> None:
        agent = self._desk.roster.get(seen.agent)
        if agent is not None and seen.heartbeat.life == agent.life:
            agent.load = seen.heartbeat.load
            before, agent.conditions = agent.conditions, seen.heartbeat.conditions
            if _in_force(before) != _in_force(agent.conditions):
                self._public.agent_changed(agent)
            else:
                self._public.agent_beat(agent)

    def _is_member(self, name: str) -> bool:
        """Whoever was removed may still be heard for a moment, and must not be met again by that."""
        return self._desk.keyring.knows(agent_principal(name))

    # --- what is said to us -------------------------------------------------------------------------------------------

    def spoke(self, name: str, life: str, word: AgentWord) -> None:
        agent = self._desk.roster.met(name)
        if isinstance(word, Hello):
            self._greet(agent, life, word)
            return
        if agent.life != life:
            return  # it repeats its hello until we welcome it; until then nothing else counts
        self._heard(agent)
        match word:
            case Holding():
                self._compare(agent, word)
                self._minds(agent, word.unwilling)
                if wanted(draining=word.draining, manner=word.manner) is not agent.told:
                    self._desk.tell_agent(name, life, _drain(agent))
            case Claim(attempts=attempts):
                for attempt in attempts:
                    self._claimed(agent, attempt)
            case Decline(declined=declined):
                for each in declined:
                    self._declined(agent, each.attempt, each.reason)
            case Started(attempts=attempts):
                for attempt in attempts:
                    self._started(agent, attempt)
            case MayCommit(attempts=attempts):
                for attempt in attempts:
                    job = self._job_of(agent, attempt)
                    if job is not None:
                        self._permit(agent, job)
            case Results(results=results):
                for result in results:
                    job = self._job_of(agent, result.attempt)
                    if job is not None:
                        self._jobs.finish(job, result)
                    if agent.held.pop(result.attempt, None) is not None:
                        self._desk.matching.changed(agent)  # its slot is free at once, not with the next `holding`
                    self._jobs.settle(name, life, result.attempt)
            case Tail():
                self._tails.arrived(word)
            case Bye():
                self.went(agent)
            case _:
                assert_never(word)

    def _greet(self, agent: Agent, life: str, hello: Hello) -> None:
        """A new life ends the one before, which is told so if it still speaks."""
        desk, before = self._desk, agent.life
        if before is not None and before != life:
            if agent.online:
                desk.tell_agent(agent.name, before, Superseded())
            desk.post.retire(agent_principal(agent.name), before)
            self._withdraw_offers(agent)
        agent.life = life
        agent.boot, agent.spool = hello.boot, hello.spool
        agent.unwilling = None
        desk.matching.changed(agent)
        self._heard(agent)
        welcome = Welcome(draining=agent.told is not None, manner=agent.told, features=tuple(sorted(FEATURES)))
        desk.tell_agent(agent.name, life, welcome)
        if before != life:
            desk.note(f"agent {agent.name} is here with life {life}")
        self._present(agent)
        self._compare(agent, hello)

    def _compare(self, agent: Agent, said: Hello | Holding) -> None:
        """What the agent says it holds, against the books; what both agree upon may go on."""
        assert agent.life is not None
        held = {each.attempt: each for each in said.held}
        if held != agent.held:
            agent.held = held
            self._desk.matching.changed(agent)
        for each in said.held:
            job = self._job_of(agent, each.attempt)
            if job is None:
                self._stranger(agent, each)
            else:
                self._listed(agent, job, each)
        for job in self._desk.ledger.held_by(agent.name):
            attempt = job.attempt
            if attempt is None or attempt.id in agent.held:
                continue
            if attempt.agent_life == agent.life:
                self._unlisted(agent, job, attempt.id, said.heard)
            elif _is_heir(agent, attempt) or _can_be_lost_at_once(job):
                self._jobs.lose(job, f"agent {agent.name} started anew while it had the job")
        self._renew(agent, said)

    def _minds(self, agent: Agent, why: str | None) -> None:
        """Its machine, and takes no work by itself; null: it does. The sentence changes with what it has measured."""
        took_work = agent.takes_work
        agent.unwilling = why
        if agent.takes_work != took_work:
            self._desk.matching.changed(agent)
            self._public.agent_changed(agent)

    def _renew(self, agent: Agent, said: Hello | Holding) -> None:
        assert agent.life is not None
        renewed: list[str] = []
        for each in said.held:
            job = self._job_of(agent, each.attempt) if each.phase is not HeldPhase.RESERVED else None
            if job is not None and _speaks_for(agent, job) and self._jobs.renewed(job):
                renewed.append(each.attempt)
        if renewed:
            self._desk.tell_agent(agent.name, agent.life, Leased(beat=said.beat, attempts=tuple(renewed)))

    def _listed(self, agent: Agent, job: Job, held: Held) -> None:
        assert agent.life is not None
        if held.phase is HeldPhase.RESERVED:
            return  # the grant is under way
        self._desk.ledger.listed.add(held.attempt)
        if held.phase is HeldPhase.ENDED:
            self._desk.tell_agent(agent.name, agent.life, Resend(attempts=(held.attempt,)))
            return
        if held.phase is HeldPhase.STAGED:
            self._permit(agent, job)
            return
        if job.cancel is not None:
            self._jobs.tell_stop(job)
        if held.phase is HeldPhase.RUNNING:
            self._jobs.started(job)
        self._jobs.stands_still(self._desk.ledger.of_attempt(held.attempt) or job, held.paused)

    def _permit(self, agent: Agent, job: Job) -> None:
        """A later life may put in place what an earlier one made if it is that life's only heir; else the lease of the
        earlier one must end first, and with it the job is no longer this attempt's."""
        assert agent.life is not None
        if _speaks_for(agent, job):
            self._jobs.permit(job, agent.life)

    def _unlisted(self, agent: Agent, job: Job, attempt: str, heard: int) -> None:
        """Ours, but the agent does not list it: the grant is under way, was lost, or the attempt is."""
        number, sent_at = self._desk.ledger.sent.get(attempt, (0, float("-inf")))
        if attempt in self._desk.ledger.listed:
            if heard >= number:
                self._jobs.lose(job, f"agent {agent.name} no longer knows of the job")
        elif job.cancel is not None:
            self._jobs.tell_stop(job)
        elif self._desk.now.elapsed - sent_at >= times.HOLDING / 2:
            self._jobs.send_grant(job)

    def _stranger(self, agent: Agent, held: Held) -> None:
        """It holds what the books do not know as its own."""
        assert agent.life is not None
        desk = self._desk
        if held.phase is HeldPhase.RESERVED:
            if held.attempt not in desk.ledger.offers:
                desk.tell_agent(agent.name, agent.life, Withdrawn(attempts=(held.attempt,)))
        elif held.phase is HeldPhase.ENDED:
            self._jobs.settle(agent.name, agent.life, held.attempt)
        else:
            stop = Stop(attempt=held.attempt, job=held.job, why=Stopped.CANCEL)
            desk.tell_agent(agent.name, agent.life, Cancels(stops=(stop,)))

    def _claimed(self, agent: Agent, attempt: str) -> None:
        assert agent.life is not None
        pending = self._desk.ledger.offers.get(attempt)
        if pending is not None and pending.agent == agent.name and pending.agent_life == agent.life:
            self._jobs.grant(pending)
        elif self._job_of(agent, attempt) is None:
            self._desk.tell_agent(agent.name, agent.life, Withdrawn(attempts=(attempt,)))

    def _declined(self, agent: Agent, attempt: str, why: str) -> None:
        pending = self._desk.ledger.offers.get(attempt)
        if pending is None or pending.agent != agent.name:
            return
        self._offers.take_back(attempt)
        if agent.resting is not None:
            return  # for longer than this would be
        agent.resting = f"it has just declined a job, because {why[:WHY_CHARS]}"
        self._desk.matching.changed(agent)
        self._desk.deadlines.set(About.PATIENCE, agent.name, self._desk.after(DECLINED_REST))

    def _started(self, agent: Agent, attempt: str) -> None:
        job = self._job_of(agent, attempt)
        if job is not None:
            self._desk.ledger.listed.add(attempt)
            self._jobs.started(job)

    def _job_of(self, agent: Agent, attempt: str) -> Job | None:
        """The open job that this attempt holds, if it was this agent that it was granted to."""
        job = self._desk.ledger.of_attempt(attempt)
        return job if job is not None and job.attempt is not None and job.attempt.agent == agent.name else None

    # --- silence ------------------------------------------------------------------------------------------------------

    def _heard(self, agent: Agent) -> None:
        desk = self._desk
        agent.heard_at = desk.now.elapsed
        agent.seen_utc = desk.now.utc
        self.count_silence(agent)
        if agent.silent or agent.gone:
            self._present(agent)

    def count_silence(self, agent: Agent) -> None:
        """Anew: it was just heard, or we have just connected."""
        self._desk.deadlines.set(About.SILENCE, agent.name, self._desk.after(times.AGENT_SILENCE))

    def count_anew(self, agent: Agent) -> None:
        """Until now we could not have heard it, nor that it denies its will."""
        desk = self._desk
        agent.heard_at = desk.now.elapsed
        self.count_silence(agent)
        if desk.deadlines.is_set(About.WILL, agent.name):
            desk.deadlines.set(About.WILL, agent.name, desk.after(times.WILL_GRACE))

    def _present(self, agent: Agent) -> None:
        was_online = agent.online
        agent.silent = agent.gone = False
        if not was_online and agent.online:
            self._desk.matching.changed(agent)
            self._desk.remember(agent)
            self._public.agent_came(agent)

    def fell_due(self, about: About, agent: Agent) -> None:
        """One of an agent's own deadlines."""
        if about is About.WILL:
            self.went(agent)
        elif about is About.SILENCE:
            self._fell_silent(agent)
        elif about is About.PATIENCE:
            agent.resting = None
            self._desk.matching.changed(agent)
        elif about is About.PUBLIC_AGENT:
            self._public.agent_changed(agent)

    def _fell_silent(self, agent: Agent) -> None:
        self._left(agent, f"agent {agent.name} has been silent for {times.AGENT_SILENCE:.0f} s")
        agent.silent = True

    def went(self, agent: Agent) -> None:
        self._left(agent, f"agent {agent.name} has gone")
        agent.gone = True

    def _left(self, agent: Agent, sentence: str) -> None:
        if not agent.online:
            return
        self._desk.note(sentence)
        agent.gone = True
        self._desk.matching.changed(agent)
        self._withdraw_offers(agent)
        self._lose_what_waits_for_nobody(agent.name, sentence)
        self._desk.remember(agent)
        self._public.agent_left(agent)

    def _lose_what_waits_for_nobody(self, name: str, sentence: str) -> None:
        """A client that waits is told at once. What is written aside can be done by another at once, as nobody gave
        leave to put it in place. What is written in place is another's only when its lease has run out."""
        for job in self._desk.ledger.held_by(name):
            if _can_be_lost_at_once(job):
                self._jobs.lose(job, sentence)

    def lease_over(self, job: Job) -> None:
        attempt = job.attempt
        assert attempt is not None
        self._jobs.lose(job, f"agent {attempt.agent} was not heard for the whole of its lease")

    def removed(self, name: str) -> None:
        """Its login is gone: nothing of it will come any more, and nothing of it may stay. What it runs it stops when
        it sees that; what writes in place counts as running until its lease has run out."""
        desk = self._desk
        self._lose_what_waits_for_nobody(name, f"agent {name} was removed")
        agent = desk.roster.get(name)
        if agent is None:
            return
        self._withdraw_offers(agent)
        if agent.life is not None:
            desk.post.retire(agent_principal(name), agent.life)
        for about in (About.SILENCE, About.WILL, About.PATIENCE, About.PUBLIC_AGENT):
            desk.deadlines.lift(about, name)
        desk.roster.remove(name)
        desk.matching.changed(agent)
        topics = desk.topics
        desk.publish(Family.AGENT_STATUS, topics.agent_status(name), None)
        desk.publish(Family.ADVERT, topics.advert(name), None)
        desk.publish(Family.PROGRAMS, topics.programs(name), None)
        self._public.agent_removed(name)

    def cut_off(self, name: str) -> None:
        """Its login is another: this life of it will not be heard again. What it runs it stops when it sees that; what
        writes in place counts as running until its lease has run out, or a later life says what became of it."""
        agent = self._desk.roster.get(name)
        if agent is None or agent.life is None:
            return
        self._left(agent, f"agent {name} has got another secret")
        agent.gone = True
        self._desk.post.retire(agent_principal(name), agent.life)

    def behave(self, agent: Agent, told: Manner | None) -> None:
        """As a person says; null: to take work."""
        desk = self._desk
        if agent.told is not told:
            agent.told = told
            desk.remember(agent)
            desk.matching.changed(agent)
            self._public.agent_changed(agent)
        if agent.life is not None:
            desk.tell_agent(agent.name, agent.life, _drain(agent))

    def _withdraw_offers(self, agent: Agent) -> None:
        for offer in [each for each in self._desk.ledger.offers.values() if each.agent == agent.name]:
            self._offers.take_back(offer.attempt)

    def spoke_after_its_end(self, name: str, life: str) -> None:
        """A life that another has taken the place of ends for good; any other takes a new one."""
        agent = self._desk.roster.get(name)
        is_replaced = agent is not None and agent.life not in (None, life)
        self._desk.tell_agent(name, life, Superseded() if is_replaced else Retired())


def _drain(agent: Agent) -> Drain:
    return Drain(draining=agent.told is not None, manner=agent.told)


def _speaks_for(agent: Agent, job: Job) -> bool:
    """Whether the agent's life is the one that holds the job, or the only heir of that one."""
    attempt = job.attempt
    return attempt is not None and (attempt.agent_life == agent.life or _is_heir(agent, attempt))


def _can_be_lost_at_once(job: Job) -> bool:
    """It writes nothing in place, or nobody gave leave to."""
    return job.kind is not JobKind.DIRECT and job.phase is not Phase.COMMITTING


def _is_heir(agent: Agent, attempt: Attempt) -> bool:
    """Whether this life says that its sweep has ended all that the attempt's life ran: on the same machine, not started
    anew since, with the same folder. Of any other machine we know nothing."""
    return bool(attempt.boot and attempt.spool) and (attempt.boot, attempt.spool) == (agent.boot, agent.spool)


def _in_force(conditions: tuple[Condition, ...]) -> list[tuple[str, Manner]]:
    return [(each.name, each.manner) for each in conditions if each.in_force]

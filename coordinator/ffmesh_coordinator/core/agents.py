"""What the coordinator does with what agents say: who is there, what each holds, and what that means for its jobs.

Level-triggered: every `holding` is compared with the books, so that no single lost message can strand a job.
Not there yet: leases, `superseded`.
"""

from collections.abc import Sequence
from typing import assert_never

from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.events import AdvertSeen, AgentStatusSeen, AgentWord, HeartbeatSeen, ProgramsSeen
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.jobs import Jobs
from ffmesh_coordinator.core.public import Public
from ffmesh_coordinator.core.roster import Agent
from ffmesh_coordinator.core.tails import Tails
from ffmesh_protocol import times
from ffmesh_protocol.messages.orders import Cancels, Drain, Resend, Stop, Welcome, Withdrawn
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.messages.reports import (
    Claim,
    Decline,
    Held,
    HeldPhase,
    Hello,
    Holding,
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


class Agents:
    def __init__(self, desk: Desk, jobs: Jobs, public: Public, tails: Tails) -> None:
        self._desk = desk
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
            self._public.agent_changed(agent)

    def programs_seen(self, seen: ProgramsSeen) -> None:
        if not self._is_member(seen.agent):
            self._desk.publish(Family.PROGRAMS, self._desk.topics.programs(seen.agent), None)
            return
        agent = self._desk.roster.met(seen.agent)
        if seen.programs != agent.programs:
            agent.programs = seen.programs
            self._desk.remember(agent)

    def heartbeat_seen(self, seen: HeartbeatSeen) -> None:
        agent = self._desk.roster.get(seen.agent)
        if agent is not None and seen.heartbeat.life == agent.life:
            agent.load = seen.heartbeat.load
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
                self._compare(agent, word.held, word.heard)
                if word.draining != agent.wanted_draining:
                    self._desk.tell_agent(name, life, Drain(draining=agent.wanted_draining))
            case Claim(attempts=attempts):
                for attempt in attempts:
                    self._claimed(agent, attempt)
            case Decline(declined=declined):
                for each in declined:
                    self._declined(agent, each.attempt)
            case Started(attempts=attempts):
                for attempt in attempts:
                    self._started(agent, attempt)
            case Results(results=results):
                for result in results:
                    job = self._job_of(agent, result.attempt)
                    if job is not None:
                        self._jobs.finish(job, result)
                    self._jobs.settle(name, life, result.attempt)
            case Tail():
                self._tails.arrived(word)
            case Bye():
                self.went(agent)
            case _:
                assert_never(word)

    def _greet(self, agent: Agent, life: str, hello: Hello) -> None:
        """A new life ends the one before; what that one held and this one does not list is lost."""
        desk, before = self._desk, agent.life
        if before is not None and before != life:
            desk.post.retire(agent_principal(agent.name), before)
            self._withdraw_offers(agent)
        agent.life = life
        self._heard(agent)
        desk.tell_agent(agent.name, life, Welcome(draining=agent.wanted_draining))
        if before != life:
            desk.note(f"agent {agent.name} is here with life {life}")
        self._present(agent)
        self._compare(agent, hello.held, hello.heard)

    def _compare(self, agent: Agent, held: Sequence[Held], heard: int) -> None:
        """What the agent says it holds, against the books."""
        assert agent.life is not None
        agent.held = {each.attempt: each for each in held}
        for each in held:
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
                self._unlisted(agent, job, attempt.id, heard)
            else:
                self._jobs.lose(job, f"agent {agent.name} started anew while it had the job")

    def _listed(self, agent: Agent, job: Job, held: Held) -> None:
        assert agent.life is not None
        if held.phase is HeldPhase.RESERVED:
            return  # the grant is under way
        self._desk.ledger.listed.add(held.attempt)
        if held.phase is HeldPhase.ENDED:
            self._desk.tell_agent(agent.name, agent.life, Resend(attempts=(held.attempt,)))
            return
        if job.cancel is not None:
            self._jobs.tell_stop(job)
        if held.phase is HeldPhase.RUNNING:
            self._jobs.started(job)

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

    def _declined(self, agent: Agent, attempt: str) -> None:
        pending = self._desk.ledger.offers.get(attempt)
        if pending is None or pending.agent != agent.name:
            return
        self._jobs.take_back(attempt)
        agent.resting = True
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
        deadlines = self._desk.deadlines
        deadlines.set(About.SILENCE, agent.name, self._desk.after(times.AGENT_SILENCE))
        deadlines.set(About.LOSS, agent.name, self._desk.after(times.ATTEMPT_SILENCE))

    def _present(self, agent: Agent) -> None:
        was_online = agent.online
        agent.silent = agent.gone = False
        if not was_online and agent.online:
            self._desk.remember(agent)
            self._public.agent_came(agent)

    def fell_due(self, about: About, agent: Agent) -> None:
        """One of an agent's own deadlines."""
        if about is About.WILL:
            self.went(agent)
        elif about is About.SILENCE:
            self._fell_silent(agent)
        elif about is About.LOSS:
            self._lost(agent)
        elif about is About.PATIENCE:
            agent.resting = False
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
        self._withdraw_offers(agent)
        self._desk.remember(agent)
        self._public.agent_left(agent)

    def _lost(self, agent: Agent) -> None:
        """Unheard for so long that what it held counts as lost."""
        for job in self._desk.ledger.held_by(agent.name):
            self._jobs.lose(job, f"agent {agent.name} was silent for {times.ATTEMPT_SILENCE:.0f} s")

    def removed(self, name: str) -> None:
        """Its login is gone: nothing of it will come any more, and nothing of it may stay."""
        desk = self._desk
        agent = desk.roster.get(name)
        if agent is None:
            return
        for job in desk.ledger.held_by(name):
            self._jobs.lose(job, f"agent {name} was removed")
        self._withdraw_offers(agent)
        if agent.life is not None:
            desk.post.retire(agent_principal(name), agent.life)
        for about in (About.SILENCE, About.LOSS, About.WILL, About.PATIENCE, About.PUBLIC_AGENT):
            desk.deadlines.lift(about, name)
        desk.roster.remove(name)
        topics = desk.topics
        desk.publish(Family.AGENT_STATUS, topics.agent_status(name), None)
        desk.publish(Family.ADVERT, topics.advert(name), None)
        desk.publish(Family.PROGRAMS, topics.programs(name), None)
        self._public.agent_removed(name)

    def drain(self, agent: Agent, *, draining: bool) -> None:
        desk = self._desk
        if agent.wanted_draining != draining:
            agent.wanted_draining = draining
            desk.remember(agent)
            self._public.agent_changed(agent)
        if agent.life is not None:
            desk.tell_agent(agent.name, agent.life, Drain(draining=draining))

    def _withdraw_offers(self, agent: Agent) -> None:
        for offer in [each for each in self._desk.ledger.offers.values() if each.agent == agent.name]:
            self._jobs.take_back(offer.attempt)

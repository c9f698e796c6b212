"""What the coordinator tells everybody about the mesh and its agents. It grows with agents, never with the queue."""

from collections import Counter, deque
from typing import Final

from ffmesh_coordinator.core import views
from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol import times
from ffmesh_protocol.messages.jobs import JobEvent, Summary
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.topics import Family

MINUTE: Final = 60.0
KEPT_MOMENTS: Final = 100_000
SUMMARY_AFTER: Final = 0.1
"""A job that begins on an idle mesh is not to wait for our counting, and one that is short has ended by then."""


class Public:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ended: Counter[str] = Counter()
        self._submits: deque[float] = deque(maxlen=KEPT_MOMENTS)
        self._ends: deque[float] = deque(maxlen=KEPT_MOMENTS)
        self._open: Counter[str] = Counter()
        self._said_at = float("-inf")
        self._online_said_at = float("-inf")

    def status(self, state: CoordinatorState, connection: int) -> CoordinatorStatus:
        return CoordinatorStatus(state=state, life=self._desk.life, connection=connection, version=self._desk.version)

    def own_status(self) -> CoordinatorStatus:
        """As it should stand while we are connected."""
        return self.status(CoordinatorState.FULL if self._desk.full else CoordinatorState.ONLINE, self._desk.connection)

    def say_online(self) -> None:
        """That we are here, and whether the disk has room."""
        desk = self._desk
        self._online_said_at = desk.now.elapsed
        desk.publish(Family.COORDINATOR_STATUS, desk.topics.coordinator_status(), self.own_status())

    def may_correct_at(self) -> float:
        """When to say it again, after somebody else did under our name: not as fast as two could go on doing so."""
        return max(self._desk.now.elapsed, self._online_said_at + times.STATUS_AT_MOST)

    # --- agents -------------------------------------------------------------------------------------------------------

    def agent_came(self, agent: Agent) -> None:
        self._agent_event("agent_online", agent, None)
        self.agent_changed(agent)

    def agent_left(self, agent: Agent) -> None:
        self._agent_event("agent_offline", agent, "the agent is offline")
        self.agent_changed(agent)

    def agent_changed(self, agent: Agent) -> None:
        """At changes of state at once."""
        desk = self._desk
        jobs = {attempt.id: job.id for job in desk.ledger.held_by(agent.name) if (attempt := job.attempt) is not None}
        desk.publish(Family.AGENT, desk.topics.agent(agent.name), views.public_agent(agent, jobs))
        desk.deadlines.lift(About.PUBLIC_AGENT, agent.name)

    def agent_beat(self, agent: Agent) -> None:
        """Load and times of its beats: not more often than every ten seconds."""
        deadlines = self._desk.deadlines
        if not deadlines.is_set(About.PUBLIC_AGENT, agent.name):
            deadlines.set(About.PUBLIC_AGENT, agent.name, self._desk.after(times.AGENT_PUBLIC))

    def agent_removed(self, name: str) -> None:
        self._desk.publish(Family.AGENT, self._desk.topics.agent(name), None)

    def _agent_event(self, what: str, agent: Agent, reason: str | None) -> None:
        event = JobEvent(event_type=what, job=None, workflow=None, title=None, agent=agent.name, reason=reason)
        self._desk.announce(event)

    # --- the summary --------------------------------------------------------------------------------------------------

    def submitted(self) -> None:
        self._submits.append(self._desk.now.elapsed)

    def ended(self, how: str) -> None:
        self._ended[how] += 1
        self._ends.append(self._desk.now.elapsed)

    def summarise_soon(self) -> None:
        """Something changed: when what follows from it has been said, if the last word is a second old."""
        desk = self._desk
        soon = max(desk.after(SUMMARY_AFTER), self._said_at + times.SUMMARY_AT_MOST)
        at = desk.deadlines.when(About.SUMMARY, "")
        if at is None or soon < at:
            desk.deadlines.set(About.SUMMARY, "", soon)

    def summarise(self) -> None:
        desk = self._desk
        self._said_at = desk.now.elapsed
        desk.deadlines.set(About.SUMMARY, "", desk.after(times.SUMMARY_AT_LEAST))
        if not desk.connected:
            return
        online = [agent for agent in desk.roster if agent.online]
        slots = [use for agent in online for use in agent.slots().values()]
        summary = Summary(
            life=desk.life,
            agents_online=len(online),
            agents_known=sum(1 for _ in desk.roster),
            slots_total=sum(use.total for use in slots),
            slots_used=sum(use.used for use in slots),
            jobs=desk.ledger.counts(),
            jobs_ended=dict(sorted(self._ended.items())),
            submitted_per_minute=self._in_last_minute(self._submits),
            ended_per_minute=self._in_last_minute(self._ends),
            refused=desk.post.refused,
        )
        desk.publish(Family.SUMMARY, desk.topics.summary(), summary)

    def _in_last_minute(self, moments: deque[float]) -> int:
        while moments and moments[0] < self._desk.now.elapsed - MINUTE:
            moments.popleft()
        return len(moments)

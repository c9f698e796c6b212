"""Public messages in, a picture of the mesh out. Order, repetition and rubbish do it no harm.

What a message costs does not grow with agents or jobs: books are changed in place, and lines are made of them when
somebody looks. Nothing here is signed: the picture is for eyes, and whoever acts asks the coordinator.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ffmesh_client.tui.model.agents import AgentBook, AgentLine
from ffmesh_client.tui.model.events import EventLog
from ffmesh_client.tui.model.fleet import Fleet, in_order
from ffmesh_client.tui.model.history import Point
from ffmesh_client.tui.model.mesh_line import SILENT, MeshLine
from ffmesh_client.tui.model.moment import Moment
from ffmesh_client.tui.model.runs import RunBook, RunLine
from ffmesh_protocol import codec
from ffmesh_protocol.errors import MalformedMessage, Oversized
from ffmesh_protocol.messages.capability import Heartbeat, PublicAgent
from ffmesh_protocol.messages.jobs import JobEvent, JobState, Progress, PublicJob, Summary
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.times import LEASE, PROGRESS_EXPIRY
from ffmesh_protocol.topics import Family, Place, parse

MOST: Final = 50_000
"""Agents, and jobs, of which a book is kept. A mesh has fewer; a broker that tells of more is not believed."""

QUEUED: Final = ("waiting", "queued", "offered")
RUNNING: Final = ("granted", "running", "committing", "cancelling")


class Fold:
    """The state of what is watched. Its one way in is `heard`, `opened`, `closed` and `ticked`."""

    def __init__(self, cluster: str) -> None:
        self.version = 0
        """Grows whenever something is to be seen that was not."""
        self.dropped = 0
        self.events = EventLog()
        self._cluster = cluster
        self._agents: dict[str, AgentBook] = {}
        self._runs: dict[str, RunBook] = {}
        self._of_agent: dict[str, dict[str, None]] = {}
        """Jobs by the agent that has them."""
        self._summary: Summary | None = None
        self._summary_at = 0.0
        self._coordinator: CoordinatorStatus | None = None
        self._opened_at: float | None = None
        self._away_since: float | None = None
        self._hearers: Final[Mapping[Family, Callable[[Packet, Place, Moment], None]]] = {
            Family.COORDINATOR_STATUS: self._status,
            Family.SUMMARY: self._summed_up,
            Family.EVENTS: self._happened,
            Family.AGENT: self._agent,
            Family.JOB: self._job,
            Family.HEARTBEAT: self._heartbeat,
            Family.PROGRESS: self._progress,
        }

    # --- what comes in ------------------------------------------------------------------------------------------------

    def opened(self, now: Moment) -> None:
        """There is a connection, and all that is retained will be told anew."""
        self._opened_at, self._away_since = now.elapsed, None
        self._summary_at = now.elapsed  # its silence counts from here
        self.version += 1

    def closed(self, now: Moment) -> None:
        """The picture stays."""
        self._opened_at = None
        if self._away_since is None:
            self._away_since = now.utc
        self.version += 1

    def heard(self, packet: Packet, now: Moment) -> None:
        place = parse(packet.topic)
        hearer = self._hearers.get(place.family) if place is not None and place.cluster == self._cluster else None
        if place is None or hearer is None:
            self.dropped += 1
            return
        try:
            hearer(packet, place, now)
        except (MalformedMessage, Oversized):
            self.dropped += 1
        self.version += 1

    def ticked(self, now: Moment) -> None:
        """Forgets what nobody has told again, a whole lease after a connection came back: only then would it have been.

        And progress of jobs that never came.
        """
        opened_at = self._opened_at
        if opened_at is None:
            return
        expired = now.elapsed - PROGRESS_EXPIRY
        for job in [job for job, book in self._runs.items() if book.told is None and book.heard_at < expired]:
            self._forget(job)
        if now.elapsed - opened_at > LEASE:
            for job in [job for job, book in self._runs.items() if book.heard_at < opened_at]:
                self._forget(job)
            for name in [name for name, book in self._agents.items() if book.heard_at < opened_at]:
                del self._agents[name]
        self.version += 1

    # --- what is to be seen -------------------------------------------------------------------------------------------

    def line(self, now: Moment) -> MeshLine:
        summary, status = self._summary, self._coordinator
        jobs = summary.jobs if summary is not None else {}
        ended = summary.jobs_ended if summary is not None else {}
        return MeshLine(
            broker_away_since=self._away_since,
            coordinator=status.state if status is not None else None,
            is_silent=self._opened_at is not None and now.elapsed - self._summary_at > SILENT,
            running=sum(jobs.get(state, 0) for state in RUNNING),
            queued=sum(jobs.get(state, 0) for state in QUEUED),
            succeeded=ended.get("succeeded", 0),
            failed=ended.get("failed", 0),
            cancelled=ended.get("cancelled", 0),
            fps=sum(book.fps(now.elapsed) for book in self._runs.values()),
            agents_online=summary.agents_online if summary is not None else 0,
            agents_known=summary.agents_known if summary is not None else 0,
            slots_used=summary.slots_used if summary is not None else 0,
            slots_total=summary.slots_total if summary is not None else 0,
            dropped=self.dropped,
        )

    def fleet(self) -> Fleet:
        return in_order([line for book in self._agents.values() if (line := self._agent_line(book)) is not None])

    def agent(self, name: str) -> AgentLine | None:
        book = self._agents.get(name)
        return self._agent_line(book) if book is not None else None

    def run(self, job: str) -> RunLine | None:
        """None: no agent has it."""
        book = self._runs.get(job)
        return book.line() if book is not None else None

    def progress(self, job: str) -> Progress | None:
        book = self._runs.get(job)
        return book.progress() if book is not None else None

    def points(self, job: str) -> tuple[Point, ...]:
        book = self._runs.get(job)
        return book.points() if book is not None else ()

    def changes(self, job: str) -> int:
        """Another number: the coordinator has said something about it. 0: no agent has it."""
        book = self._runs.get(job)
        return book.changes if book is not None else 0

    @property
    def away_since(self) -> float | None:
        """Since when there is no broker, in seconds of Unix."""
        return self._away_since

    # --- each family of topics ----------------------------------------------------------------------------------------

    def _status(self, packet: Packet, place: Place, now: Moment) -> None:
        del place, now
        status = codec.decode(CoordinatorStatus, packet.payload) if packet.payload else None
        last = self._coordinator
        if status is not None and last is not None and _is_will_of_another(status, last) and not packet.retain:
            return  # it may come after the birth of the next connection
        self._coordinator = status

    def _summed_up(self, packet: Packet, place: Place, now: Moment) -> None:
        del place
        self._summary = codec.decode(Summary, packet.payload) if packet.payload else None
        if not packet.retain:
            self._summary_at = now.elapsed

    def _happened(self, packet: Packet, place: Place, now: Moment) -> None:
        del place
        if packet.payload:
            self.events.add(codec.decode(JobEvent, packet.payload), now.utc)

    def _agent(self, packet: Packet, place: Place, now: Moment) -> None:
        name = place.detail or ""
        if not packet.payload:
            self._agents.pop(name, None)
            return
        told = codec.decode(PublicAgent, packet.payload)
        if told.name != name:
            raise MalformedMessage(f"{packet.topic} tells of {told.name}")
        book = self._book_of_agent(name, now)
        book.tell(told)

    def _heartbeat(self, packet: Packet, place: Place, now: Moment) -> None:
        if packet.payload:
            beat = codec.decode(Heartbeat, packet.payload)
            self._book_of_agent(place.sender.name, now).beat(beat)

    def _job(self, packet: Packet, place: Place, now: Moment) -> None:
        job = place.detail or ""
        if not packet.payload:
            self._forget(job)
            return
        told = codec.decode(PublicJob, packet.payload)
        if told.id != job:
            raise MalformedMessage(f"{packet.topic} tells of {told.id}")
        if told.state.is_end:
            self._forget(job)
            return
        book = self._book_of_run(job, now)
        self._unassign(job, book)
        book.tell(told)
        if told.agent is not None:
            self._of_agent.setdefault(told.agent, {})[job] = None

    def _progress(self, packet: Packet, place: Place, now: Moment) -> None:
        job, agent = place.detail or "", place.sender.name
        if not packet.payload:
            book = self._runs.get(job)
            if book is not None and (book.told is None or book.told.agent == agent):
                book.stop()
            return
        progress = codec.decode(Progress, packet.payload)
        if not self._book_of_run(job, now).go_on(agent, progress, now.elapsed):
            self.dropped += 1

    # --- books --------------------------------------------------------------------------------------------------------

    def _book_of_agent(self, name: str, now: Moment) -> AgentBook:
        book = self._agents.get(name)
        if book is None:
            _room_in(self._agents)
            book = self._agents[name] = AgentBook()
        book.heard_at = now.elapsed
        return book

    def _book_of_run(self, job: str, now: Moment) -> RunBook:
        book = self._runs.get(job)
        if book is None:
            _room_in(self._runs)
            book = self._runs[job] = RunBook()
        book.heard_at = now.elapsed
        return book

    def _forget(self, job: str) -> None:
        book = self._runs.pop(job, None)
        if book is not None:
            self._unassign(job, book)

    def _unassign(self, job: str, book: RunBook) -> None:
        agent = book.told.agent if book.told is not None else None
        if agent is None:
            return
        jobs = self._of_agent.get(agent, {})
        jobs.pop(job, None)
        if not jobs:
            self._of_agent.pop(agent, None)

    def _agent_line(self, book: AgentBook) -> AgentLine | None:
        if book.told is None:
            return None
        jobs = self._of_agent.get(book.told.name, ())
        lines = (self._runs[job].line() for job in sorted(jobs)) if jobs else ()
        return book.line(tuple(line for line in lines if line is not None and line.state is not JobState.OFFERED))


def _is_will_of_another(status: CoordinatorStatus, last: CoordinatorStatus) -> bool:
    ours = (last.life, last.connection)
    return status.state is CoordinatorState.OFFLINE and (status.life, status.connection) != ours


def _room_in(books: Mapping[str, object]) -> None:
    if len(books) >= MOST:
        raise MalformedMessage(f"more than {MOST} of a kind")

"""The open jobs, by every name under which they are looked for."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable
from typing import Final

from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.lifecycle import ENDED, HELD, Phase
from ffmesh_coordinator.core.queue import Queue, Wish
from ffmesh_protocol.wire import Told

RECENT: Final = 1000
"""Ended jobs kept at hand, so that a client whose `ended` was lost is answered without the disk."""


class Pending(Told, frozen=True):
    """An offer that is out: the attempt that a claim of it would become."""

    attempt: str
    job: str
    agent: str
    agent_life: str
    boot: str
    spool: str
    why: str


class Ledger:
    def __init__(self) -> None:
        self.queue = Queue()
        self.offers: dict[str, Pending] = {}
        """By attempt."""
        self.sent: dict[str, tuple[int, float]] = {}
        """Of each held attempt: number and moment of the latest sending of its grant."""
        self.listed: set[str] = set()
        """Held attempts that their agent has listed or reported on."""
        self.ended: dict[str, Phase] = {}
        """How each job ended that is still known."""
        self.resting: set[str] = set()
        """Queued jobs that nobody is to have before their next try is due."""
        self.avoiding: dict[str, frozenset[str]] = {}
        """Of queued jobs: whom they are not offered to before that."""
        self.near: dict[str, str] = {}
        """Of jobs that came after others: who has the files of those."""
        self.sequence = 0
        self._open: dict[str, Job] = {}
        self._counts: Counter[Phase] = Counter()
        self._by_attempt: dict[str, str] = {}
        self._by_agent: dict[str, set[str]] = defaultdict(set)
        self._by_client_life: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._unmet: dict[str, set[str]] = {}
        self._children: dict[str, set[str]] = defaultdict(set)
        self._recent: OrderedDict[str, Job] = OrderedDict()

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence

    def get(self, job_id: str) -> Job | None:
        return self._open.get(job_id)

    def recent(self, job_id: str) -> Job | None:
        return self._recent.get(job_id)

    def of_attempt(self, attempt_id: str) -> Job | None:
        """The open job that this attempt holds."""
        job_id = self._by_attempt.get(attempt_id)
        return self._open.get(job_id) if job_id is not None else None

    def counts(self) -> dict[str, int]:
        """How many open jobs there are in each phase; kept up to date, never counted anew."""
        return {phase.value: self._counts[phase] for phase in Phase if phase not in ENDED}

    def open_jobs(self) -> Iterable[Job]:
        return self._open.values()

    def held(self) -> list[Job]:
        return [self._open[job_id] for job_id in sorted(self._by_attempt.values())]

    def held_by(self, agent: str) -> list[Job]:
        return [self._open[job_id] for job_id in sorted(self._by_agent.get(agent, ()))]

    def waited_for_by(self, client: str, life: str) -> list[Job]:
        """The interactive jobs of a client's life."""
        return [self._open[job_id] for job_id in sorted(self._by_client_life.get((client, life), ()))]

    def client_lives(self) -> list[tuple[str, str]]:
        return sorted(key for key, jobs in self._by_client_life.items() if jobs)

    def pending_of(self, job_id: str) -> Pending | None:
        return next((offer for offer in self.offers.values() if offer.job == job_id), None)

    # --- chains -------------------------------------------------------------------------------------------------------

    def unmet(self, job_id: str) -> list[str]:
        """The jobs that this one still waits for."""
        return sorted(self._unmet.get(job_id, ()))

    def waiting_for(self, parent: str) -> list[Job]:
        return sorted((self._open[child] for child in self._children.get(parent, ())), key=lambda job: job.sequence)

    def parents_of_open_jobs(self) -> frozenset[str]:
        """Ended or not: what open jobs come after must not be forgotten."""
        return frozenset(parent for job in self._open.values() for parent in job.asked.after)

    # --- changes ------------------------------------------------------------------------------------------------------

    def put(self, job: Job) -> None:
        """The job as it is now; every index follows."""
        before = self._open.get(job.id)
        if before is not None:
            self._counts[before.phase] -= 1
            self._unfile(before)
        if job.has_ended:
            self._open.pop(job.id, None)
            self.ended[job.id] = job.phase
            self.near.pop(job.id, None)
            self._recent[job.id] = job
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
            return
        if before is None:
            self.ended.pop(job.id, None)  # of one that is opened again
            self._recent.pop(job.id, None)
        self._open[job.id] = job
        self._counts[job.phase] += 1
        self._file(job)

    def rest(self, job: Job, *, everywhere: bool, avoiding: frozenset[str]) -> None:
        """Until `rested`: offer it to nobody, or not to these."""
        if everywhere:
            self.resting.add(job.id)
            self.queue.discard(job.id)
        else:
            self.avoiding[job.id] = avoiding
            self._file_in_queue(job)

    def rested(self, job_id: str) -> None:
        job = self._open.get(job_id)
        was_held_back = job_id in self.resting or job_id in self.avoiding
        self.resting.discard(job_id)
        self.avoiding.pop(job_id, None)
        if was_held_back and job is not None and job.phase is Phase.QUEUED:
            self._file_in_queue(job)

    def forget_ended(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            self.ended.pop(job_id, None)
            self._recent.pop(job_id, None)

    def _file(self, job: Job) -> None:
        if job.phase is Phase.QUEUED and job.id not in self.resting:
            self._file_in_queue(job)
        if job.phase is Phase.WAITING:
            self._unmet[job.id] = {
                parent for parent in job.asked.after if self.ended.get(parent) is not Phase.SUCCEEDED
            }
            for parent in self._unmet[job.id]:
                self._children[parent].add(job.id)
        if job.is_interactive:
            self._by_client_life[job.owner.client, job.owner.life].add(job.id)
        attempt = job.attempt
        if attempt is not None:
            self._by_attempt[attempt.id] = job.id
            self._by_agent[attempt.agent].add(job.id)

    def _file_in_queue(self, job: Job) -> None:
        avoiding = self.avoiding.get(job.id, frozenset())
        near, asked = self.near.get(job.id), job.asked
        wish = Wish(kind=job.kind, needs=asked.needs, avoiding=avoiding, near=near, writes=asked.writes)
        self.queue.add(job, wish)

    def _unfile(self, job: Job) -> None:
        if job.phase is Phase.QUEUED:
            self.queue.discard(job.id)
        for parent in self._unmet.pop(job.id, ()):
            self._children[parent].discard(job.id)
            if not self._children[parent]:
                del self._children[parent]
        key = (job.owner.client, job.owner.life)
        if job.is_interactive:
            self._by_client_life[key].discard(job.id)
            if not self._by_client_life[key]:
                del self._by_client_life[key]
        if job.phase in HELD:
            attempt = job.attempts[-1]
            self._by_attempt.pop(attempt.id, None)
            self._by_agent[attempt.agent].discard(job.id)

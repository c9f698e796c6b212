"""The jobs that wait for an agent, in buckets of equal wishes: what cannot be placed is passed over in one step.

Within a bucket the higher priority comes first, of equals what a client waits for, then owners in turn, then the order
of acceptance. So that nothing starves, every tenth turn goes to the job that was accepted first.
"""

import heapq
from collections.abc import Iterable, Mapping
from typing import Final

from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.packed import shared
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.wire import Told

OLDEST_EVERY: Final = 10
"""Priorities decide nine turns, age decides the tenth."""


class Wish(Told, frozen=True):
    """What a job asks of an agent: needs, whom it would rather not have, and whose files it could use."""

    kind: JobKind
    needs: Needs
    avoiding: frozenset[str] = frozenset()
    near: str | None = None
    writes: tuple[str, ...] = ()
    """Roots that must take something new."""


class Rank(Told, frozen=True, order=True):
    """Smaller is sooner. `served` is the turn in which its owner was last served."""

    urgency: tuple[int, bool]
    served: int
    sequence: int
    job: str


def urgency(job: Job) -> tuple[int, bool]:
    return (-job.asked.priority, not job.is_interactive)


class Bucket:
    """Jobs that any agent can run or none of them: they wish for the same."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self._waiting: dict[str, tuple[int, bool]] = {}
        self._levels: dict[tuple[int, bool], dict[str, list[tuple[int, str]]]] = {}
        self._urgencies: list[tuple[int, bool]] = []
        self._oldest: list[tuple[int, str]] = []
        self.looked_at = 0
        self.hopeless_since = -1
        """How much had changed with the agents when nobody was found for it last."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Job) -> None:
        if job.id in self._waiting:
            return
        level = shared(urgency(job))
        self._waiting[job.id] = level
        if level not in self._levels:
            self._levels[level] = {}
            heapq.heappush(self._urgencies, level)
        entry = (job.sequence, job.id)
        heapq.heappush(self._levels[level].setdefault(job.owner.client, []), entry)
        heapq.heappush(self._oldest, entry)

    def discard(self, job_id: str) -> None:
        """Its entries stay until they come up."""
        self._waiting.pop(job_id, None)

    def first(self, served: Mapping[str, int]) -> Rank | None:
        """The job whose turn it is."""
        while self._urgencies:
            level = self._urgencies[0]
            owners = self._levels[level]
            heads = [(owner, head) for owner, heap in list(owners.items()) if (head := self._head(heap, level))]
            for owner in owners.keys() - {owner for owner, _ in heads}:
                del owners[owner]
            if heads:
                return min(
                    Rank(urgency=level, served=served.get(owner, 0), sequence=sequence, job=job_id)
                    for owner, (sequence, job_id) in heads
                )
            heapq.heappop(self._urgencies)
            del self._levels[level]
        return None

    def oldest(self) -> Rank | None:
        """The job that was accepted first, whatever its priority."""
        self.looked_at += 1
        while self._oldest and self._oldest[0][1] not in self._waiting:
            self.looked_at += 1
            heapq.heappop(self._oldest)
        if not self._oldest:
            return None
        sequence, job_id = self._oldest[0]
        return Rank(urgency=(0, False), served=0, sequence=sequence, job=job_id)

    def _head(self, heap: list[tuple[int, str]], level: tuple[int, bool]) -> tuple[int, str] | None:
        self.looked_at += 1
        while heap and self._waiting.get(heap[0][1]) != level:
            self.looked_at += 1
            heapq.heappop(heap)
        return heap[0] if heap else None


class Queue:
    def __init__(self) -> None:
        self._buckets: dict[Wish, Bucket] = {}
        self._bucket_of: dict[str, Bucket] = {}
        self._served: dict[str, int] = {}
        self._turn = 0
        self.looked_at = 0
        """Buckets, owners and jobs that decisions have touched, since the start: what their cost is made of."""

    def __len__(self) -> int:
        return len(self._bucket_of)

    def add(self, job: Job, wish: Wish) -> Bucket:
        self.discard(job.id)
        if wish not in self._buckets:
            self._buckets[wish] = Bucket(wish)
        bucket = self._bucket_of[job.id] = self._buckets[wish]
        bucket.add(job)
        return bucket

    def discard(self, job_id: str) -> None:
        bucket = self._bucket_of.pop(job_id, None)
        if bucket is not None:
            bucket.discard(job_id)
            if not bucket:
                del self._buckets[bucket.wish]

    def wish_of(self, job_id: str) -> Wish | None:
        bucket = self._bucket_of.get(job_id)
        return bucket.wish if bucket is not None else None

    def buckets(self) -> Iterable[Bucket]:
        self.looked_at += len(self._buckets)
        return self._buckets.values()

    def next_of(self, buckets: Iterable[Bucket]) -> tuple[Bucket, str] | None:
        """Of the first jobs of these buckets the one whose turn it is."""
        by_age = self._turn % OLDEST_EVERY == OLDEST_EVERY - 1
        best: tuple[Rank, Bucket] | None = None
        for bucket in buckets:
            before = bucket.looked_at
            rank = bucket.oldest() if by_age else bucket.first(self._served)
            self.looked_at += bucket.looked_at - before
            if rank is not None and (best is None or rank < best[0]):
                best = (rank, bucket)
        return (best[1], best[0].job) if best is not None else None

    def served(self, job: Job) -> None:
        """It was offered to somebody: the next turn is another owner's."""
        self._turn += 1
        self._served[job.owner.client] = self._turn

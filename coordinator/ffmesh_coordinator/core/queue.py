"""The jobs that wait for an agent, in buckets of equal needs: what cannot be placed is passed over in one step."""

import heapq

from ffmesh_coordinator.core.job import Job
from ffmesh_protocol.media import Needs

Rank = tuple[int, int]
"""Higher priority first, then the order of acceptance."""


def rank(job: Job) -> Rank:
    return (-job.asked.priority, job.sequence)


class Bucket:
    """Jobs that any agent can run or none of them: they ask for the same."""

    def __init__(self, needs: Needs) -> None:
        self.needs = needs
        self._heap: list[tuple[Rank, str]] = []
        self._waiting: set[str] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Job) -> None:
        if job.id not in self._waiting:
            self._waiting.add(job.id)
            heapq.heappush(self._heap, (rank(job), job.id))

    def discard(self, job_id: str) -> None:
        self._waiting.discard(job_id)

    def first(self) -> tuple[Rank, str] | None:
        while self._heap and self._heap[0][1] not in self._waiting:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None


class Queue:
    def __init__(self) -> None:
        self._buckets: dict[Needs, Bucket] = {}

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def add(self, job: Job) -> None:
        needs = job.asked.needs
        if needs not in self._buckets:
            self._buckets[needs] = Bucket(needs)
        self._buckets[needs].add(job)

    def discard(self, job: Job) -> None:
        bucket = self._buckets.get(job.asked.needs)
        if bucket is not None:
            bucket.discard(job.id)
            if not bucket:
                del self._buckets[job.asked.needs]

    def buckets(self) -> list[Bucket]:
        """Those that hold a job, the one whose first job is due first in front."""
        heads = [(first[0], bucket) for bucket in self._buckets.values() if (first := bucket.first()) is not None]
        return [bucket for _, bucket in sorted(heads, key=lambda head: head[0])]

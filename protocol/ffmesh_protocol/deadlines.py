"""What falls due when: the clockwork of all cores. To set, lift and ask costs no more when much else is waiting."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

A = TypeVar("A", bound=Hashable)


class Deadlines(Generic[A]):
    """At most one moment for each pair of what it is about and of whom."""

    def __init__(self) -> None:
        self._at: dict[tuple[A, str], float] = {}
        self._heap: list[tuple[float, int, tuple[A, str]]] = []
        self._entries = 0

    def set(self, about: A, name: str, at: float) -> None:
        key = (about, name)
        earlier = self._at.get(key)
        self._at[key] = at
        # What is put off keeps its entry, and is put off when that comes up: a sign of life costs no entry of its own.
        if earlier is None or at < earlier:
            self._push(at, key)

    def lift(self, about: A, name: str) -> None:
        self._at.pop((about, name), None)

    def is_set(self, about: A, name: str) -> bool:
        return (about, name) in self._at

    def when(self, about: A, name: str) -> float | None:
        return self._at.get((about, name))

    def due(self, now: float) -> list[tuple[A, str]]:
        """Those whose moment has come, the earliest first; they are lifted."""
        come: list[tuple[A, str]] = []
        while self._heap and self._heap[0][0] <= now:
            _, _, key = heapq.heappop(self._heap)
            at = self._at.get(key)
            if at is None:
                continue
            if at > now:
                self._push(at, key)
                continue
            del self._at[key]
            come.append(key)
        return come

    def next(self) -> float | None:
        """When to ask again; never too late, at times too early."""
        while self._heap and self._heap[0][2] not in self._at:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _push(self, at: float, key: tuple[A, str]) -> None:
        self._entries += 1
        heapq.heappush(self._heap, (at, self._entries, key))

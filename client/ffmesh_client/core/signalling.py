"""The signals that we were sent, on their way to the program: each once and in order, said again until it had them."""

from collections import deque
from collections.abc import Mapping
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM
from typing import Final

from ffmesh_protocol.limits import SIGNALS
from ffmesh_protocol.messages.requests import CallerSignal, CallerSignals

ENDING: Final[Mapping[int, CallerSignal]] = {
    SIGINT: CallerSignal.INT,
    SIGTERM: CallerSignal.TERM,
    SIGHUP: CallerSignal.HUP,
    SIGQUIT: CallerSignal.QUIT,
}
"""What asks a program to end."""


class Signalling:
    """Of one attempt."""

    def __init__(self, attempt: str) -> None:
        self._attempt = attempt
        self._passed = 0
        self._waiting: deque[CallerSignal] = deque()
        self._ending: tuple[int, float] | None = None

    @property
    def waits(self) -> bool:
        """The program has not had all of them yet."""
        return bool(self._waiting)

    @property
    def ending(self) -> int | None:
        """The first that asked the program to end, by its number, as long as one of those is under way."""
        under_way = any(each in ENDING.values() for each in self._waiting)
        return self._ending[0] if self._ending is not None and under_way else None

    def ending_for(self, now: float) -> float:
        """How long that one has been under way."""
        return now - self._ending[1] if self._ending is not None and self.ending is not None else 0.0

    def add(self, signal: CallerSignal) -> None:
        if len(self._waiting) < SIGNALS:  # no person sends so many; what comes after them says nothing new
            self._waiting.append(signal)

    def ask_to_end(self, number: int, now: float) -> None:
        if self.ending is None:
            self._ending = (number, now)
        self.add(ENDING[number])

    def passed(self, count: int) -> None:
        """The program has had so many. Older words and nonsense change nothing."""
        if self._passed < count <= self._passed + len(self._waiting):
            for _ in range(count - self._passed):
                self._waiting.popleft()
            self._passed = count

    def due(self) -> CallerSignals:
        return CallerSignals(attempt=self._attempt, first=self._passed + 1, signals=tuple(self._waiting))

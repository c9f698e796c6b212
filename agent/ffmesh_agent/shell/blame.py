"""Whose fault a failure is, when it may be a root's: a program that finds no input on a disk that went away is not to
blame for it, and neither is the input.

Stands between those who run programs and the core. What they tell of a failed attempt is held back until the roots that
it needs have been looked at once more, which a mount that hangs cannot draw out. When one is not there, or was away
since the program began, the failure is the machine's. All else passes at once.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeAlias

from msgspec import structs

from ffmesh_agent.core.events import Event, OutputNotCommitted, OutputNotSealed, ProgramEnded, ProgramNotStarted
from ffmesh_protocol.limits import SENTENCE_CHARS
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind

Failure: TypeAlias = ProgramNotStarted | ProgramEnded | OutputNotSealed | OutputNotCommitted


class Lookout(Protocol):
    """What is asked of the roots; the real one is `capability.Capability`."""

    def away(self, root: str) -> int:
        """How often it was withdrawn so far."""
        ...

    async def why_gone(self, roots: tuple[str, ...]) -> dict[str, str]:
        """Which of these are not there now, and why."""
        ...


class Blame:
    def __init__(self, lookout: Lookout, tasks: asyncio.TaskGroup, tell: Callable[[Event], None]) -> None:
        self._lookout = lookout
        self._tasks = tasks
        self._tell = tell
        self._away_before: dict[str, dict[str, int]] = {}

    def launched(self, grant: Grant) -> None:
        if grant.needs.roots:
            self._away_before[grant.attempt] = {root: self._lookout.away(root) for root in grant.needs.roots}

    def over(self, attempt: str) -> None:
        """Its result stands."""
        self._away_before.pop(attempt, None)

    def tell(self, event: Event) -> None:
        if isinstance(event, Failure) and event.failure is not None and event.attempt in self._away_before:
            self._tasks.create_task(self._judged(event), name=f"whose fault of {event.attempt}")
        else:
            self._tell(event)

    async def _judged(self, event: Failure) -> None:
        before = self._away_before.get(event.attempt, {})
        gone = await self._lookout.why_gone(tuple(before))
        self._tell(
            _blamed(event, _sentence(gone, [root for root in before if self._lookout.away(root) > before[root]]))
        )


def _sentence(gone: dict[str, str], came_back: list[str]) -> str | None:
    for root, why in gone.items():
        return f"root {root} went away: {why}"
    return f"root {came_back[0]} was away for a while" if came_back else None


def _blamed(event: Failure, sentence: str | None) -> Event:
    if sentence is None:
        return event
    if isinstance(event, ProgramEnded):
        return structs.replace(event, failure=FailureKind.NODE, reason=sentence[:SENTENCE_CHARS])
    return structs.replace(event, failure=FailureKind.NODE, sentence=f"{sentence}; {event.sentence}"[:SENTENCE_CHARS])

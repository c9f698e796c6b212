"""Whose fault a failure is, when it may be a root's: a program that finds no input on a disk that went away is not to
blame for it, and neither is the input.

Stands between those who run programs and the core. What they tell of a failed attempt is held back until the roots that
it needs have been looked at once more, which a mount that hangs cannot draw out. When one is not there, or was away
since the program began, or lies on another file system than it did, the failure is the machine's: the last is all that
is seen of a mount that went and left an empty folder. So is an output that cannot be written here, which ffmpeg says in
the words in which it says that an input cannot be read. All else passes at once.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from msgspec import structs

from ffmesh_agent.core.events import Event, OutputNotCommitted, OutputNotSealed, ProgramEnded, ProgramNotStarted
from ffmesh_agent.shell import unexpected
from ffmesh_agent.shell.unwritten import unwritten
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

    def device(self, root: str) -> int | None:
        """The number of the file system that it lay on when it was seen last; None: it has never been seen."""
        ...


_MAY_BE_AN_OUTPUTS: Final = frozenset({FailureKind.INPUT, FailureKind.TRANSIENT})


@dataclass(frozen=True, slots=True)
class _Before:
    """What a program found when it began."""

    grant: Grant
    away: dict[str, int]
    devices: dict[str, int | None]


class Blame:
    def __init__(self, lookout: Lookout, tasks: asyncio.TaskGroup, tell: Callable[[Event], None]) -> None:
        self._lookout = lookout
        self._tasks = tasks
        self._tell = tell
        self._before: dict[str, _Before] = {}

    def launched(self, grant: Grant) -> None:
        roots = grant.needs.roots
        if roots:
            self._before[grant.attempt] = _Before(
                grant=grant,
                away={root: self._lookout.away(root) for root in roots},
                devices={root: self._lookout.device(root) for root in roots},
            )

    def over(self, attempt: str) -> None:
        """Its result stands."""
        self._before.pop(attempt, None)

    def tell(self, event: Event) -> None:
        before = self._before.get(event.attempt) if isinstance(event, Failure) and event.failure is not None else None
        if before is not None and isinstance(event, Failure):
            self._tasks.create_task(self._judged(event, before), name=f"whose fault of {event.attempt}")
        else:
            self._tell(event)

    async def _judged(self, event: Failure, before: _Before) -> None:
        try:
            judged = _blamed(event, await self._sentence(event, before))
        except Exception as error:  # noqa: BLE001  # of one job's, whatever it is
            unexpected.told(event.attempt, error)
            judged = event
        self._tell(judged)

    async def _sentence(self, event: Failure, before: _Before) -> str | None:
        gone = await self._lookout.why_gone(tuple(before.away))
        return next(self._sentences(event, before, gone), None)

    def _sentences(self, event: Failure, before: _Before, gone: dict[str, str]) -> Iterator[str]:
        for root, why in gone.items():
            yield f"root {root} went away: {why}"
        for root, times in before.away.items():
            if self._lookout.away(root) > times:
                yield f"root {root} was away for a while"
        for root, device in before.devices.items():
            if device is not None and self._lookout.device(root) != device:
                yield f"root {root} went away: another file system is in its place"
        if isinstance(event, ProgramEnded) and event.failure in _MAY_BE_AN_OUTPUTS:
            sentence = unwritten(before.grant, event.last_lines)
            if sentence is not None:
                yield sentence


def _blamed(event: Failure, sentence: str | None) -> Event:
    if sentence is None:
        return event
    if isinstance(event, ProgramEnded):
        return structs.replace(event, failure=FailureKind.NODE, reason=sentence[:SENTENCE_CHARS])
    return structs.replace(event, failure=FailureKind.NODE, sentence=f"{sentence}; {event.sentence}"[:SENTENCE_CHARS])

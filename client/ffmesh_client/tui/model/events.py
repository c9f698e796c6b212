"""What happened while somebody watched, the newest first; only so much of it is kept."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from ffmesh_client.tui.model.texts import one_line
from ffmesh_protocol.messages.jobs import JobEvent
from ffmesh_protocol.wire import Told

KEPT: Final = 2_000
TROUBLE: Final = frozenset({"failed", "cancelled", "agent offline"})


class EventLine(Told, frozen=True):
    """`number` counts from 1; `at` is when it was heard, in seconds of Unix: an event tells no time."""

    number: int
    at: float
    what: str
    job: str | None
    name: str | None
    agent: str | None
    workflow: str | None
    reason: str | None


def is_about(line: EventLine, kind: str) -> bool:
    """`kind`: jobs, agents, trouble; or empty, for any."""
    match kind:
        case "jobs":
            return line.job is not None
        case "agents":
            return line.job is None
        case "trouble":
            return line.what in TROUBLE
        case _:
            return True


def is_found(line: EventLine, words: str) -> bool:
    said = " ".join(filter(None, (line.what, line.job, line.name, line.agent, line.workflow, line.reason))).casefold()
    return all(word in said for word in words.casefold().split())


class EventLog:
    def __init__(self) -> None:
        self._lines: deque[EventLine] = deque(maxlen=KEPT)
        self._count = 0

    def add(self, event: JobEvent, at: float) -> None:
        self._count += 1
        line = EventLine(
            number=self._count,
            at=at,
            what=one_line(event.event_type.removeprefix("job_").replace("_", " ")),
            job=event.job,
            name=one_line(event.title) if event.title else None,
            agent=event.agent,
            workflow=event.workflow,
            reason=one_line(event.reason) if event.reason else None,
        )
        self._lines.append(line)

    def newest_first(self) -> Iterator[EventLine]:
        return reversed(self._lines)

    @property
    def count(self) -> int:
        """Of all that were heard."""
        return self._count

"""From what sensors say to the conditions that are in force: a fold over readings, without a clock of its own.

    standing = step(minds, reading, now, standing)

A condition begins when what it minds has been so for `begins_after`, and ends when that has been over for `ends_after`
without a break; within its margin it stays as it is. The first value that is known, at the start or after a time
without any, counts at once. A sensor that says nothing leaves its last value in force for a moment, then the condition
is unknown, and what the configuration says of that is done.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from ffmesh_agent.manners.lengths import seconds_of
from ffmesh_agent.manners.minds import Minds
from ffmesh_agent.manners.readings import Judged, Reading, Seen, judged
from ffmesh_protocol.limits import SENTENCE_CHARS
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.wire import Told

TURNS: Final = 2.5
"""For so many a value counts after it was read last: on a busy machine a sensor may miss one."""


class Standing(Told, frozen=True):
    """Of one condition. `differs_since`: it has been otherwise than it stands from then on, without a break."""

    in_force: bool = False
    differs_since: float | None = None
    seen: Seen | None = None
    seen_at: float = float("-inf")
    why: str = "it has not been read yet"
    """Why nothing is known of it, where `seen` is None."""


NOT_READ_YET: Final = Standing()


def step(minds: Minds, reading: Reading, now: float, standing: Standing) -> Standing:
    if not isinstance(reading, Seen):
        still_counts = standing.seen is not None and now - standing.seen_at < patience(minds)
        return standing if still_counts else structs.replace(standing, seen=None, differs_since=None, why=reading.why)
    found = judged(minds, reading)
    if standing.seen is None:
        in_force = found.begins or (standing.in_force and not found.ends)
        return Standing(in_force=in_force, seen=reading, seen_at=now)
    differs = found.ends if standing.in_force else found.begins
    if not differs:
        return structs.replace(standing, differs_since=None, seen=reading, seen_at=now)
    since = standing.differs_since if standing.differs_since is not None else now
    if now - since >= seconds_of(minds.ends_after if standing.in_force else minds.begins_after):
        return Standing(in_force=not standing.in_force, seen=reading, seen_at=now)
    return structs.replace(standing, differs_since=since, seen=reading, seen_at=now)


def patience(minds: Minds) -> float:
    """Seconds."""
    return TURNS * seconds_of(minds.every)


def conditions(minded: Mapping[str, Minds], standings: Mapping[str, Standing]) -> tuple[Condition, ...]:
    """All that are minded, as they stand."""
    return tuple(_condition(name, minds, standings.get(name, NOT_READ_YET)) for name, minds in minded.items())


def _condition(name: str, minds: Minds, standing: Standing) -> Condition:
    if standing.seen is not None:
        sentence = _sentence(minds, judged(minds, standing.seen), in_force=standing.in_force)
        return Condition(name=name, manner=minds.then, in_force=standing.in_force, reason=sentence[:SENTENCE_CHARS])
    ignored = minds.unknown == "ignore"
    why = f"not known, because {standing.why}" + ("; ignored" if ignored else "")
    manner = minds.then if ignored else Manner(minds.unknown)
    return Condition(name=name, manner=manner, in_force=not ignored, reason=why[:SENTENCE_CHARS])


def _sentence(minds: Minds, found: Judged, *, in_force: bool) -> str:
    if in_force and found.ends:
        return f"{found.sentence}; it ends after {minds.ends_after} of that"
    if not in_force and found.begins:
        return f"{found.sentence}; it begins after {minds.begins_after} of that"
    return found.sentence

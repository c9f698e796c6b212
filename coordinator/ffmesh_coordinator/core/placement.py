"""Whether an agent may have a job, which of those that may is the best one, and why it was chosen. Pure functions.

Of those that can run it and have a free slot: the one that holds the workflow's files, else the one with the largest
share of free slots, times the weight that its owner gives it, else the one with the most; of those that are as free as
each other, the one that was fastest with the job's encoder in its benchmark. What a client waits for goes also where
all slots are used, if nobody has a free one and something there can stand still meanwhile.
"""

from typing import Final, TypeAlias

from ffmesh_coordinator.core.queue import Wish
from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol.messages.capability import RootState
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.manners import Manner

Preference: TypeAlias = tuple[bool, bool, float, int, float, str]
"""Smaller is better; ties go to the first name."""

OFFLINE: Final = "is offline"
STANDS: Final = {
    Manner.SLOW: "is slow",
    Manner.DRAIN: "is draining",
    Manner.PAUSE: "is paused",
    Manner.STOP: "is stopped",
}
"""What an agent does that a person has told so, said after its name."""


def lacks(agent: Agent, wish: Wish) -> str | None:
    """What keeps this agent from ever taking the job as things are, said after its name; None: nothing does."""
    needs = wish.needs
    if needs.on is not None and agent.name != needs.on:
        return "is not the one asked for"
    if not agent.online:
        return OFFLINE
    if not agent.takes_work:
        return stands(agent)
    advert = agent.current_advert
    if advert is None:
        return "has not said yet what it can do"
    if wish.kind.value not in advert.features:
        return f"does not know {wish.kind} jobs"
    if needs.program not in advert.programs:
        why = why_not(agent, f"program={needs.program}")
        return f"cannot run {needs.program}: {why}" if why else f"does not have {needs.program} on its list"
    for root in needs.roots:
        if root not in advert.roots:
            return f"has no root {root}"
        if not advert.roots[root].mounted:
            return f"has root {root} not mounted{because(advert.roots[root])}"
    for root in wish.writes:
        if (why := takes_nothing(agent, root)) is not None:
            return f"takes nothing new in root {root}: {why}"
    if needs.slot not in advert.slots or advert.slots[needs.slot].total == 0:
        return f"has no {needs.slot} slots"
    missing = [capability for capability in needs.capabilities if not has(agent, capability)]
    if not missing:
        return None
    why = why_not(agent, missing[0])
    return f"has no {missing[0].replace('=', ' ', 1)}" + (f": {why}" if why is not None else "")


def stands(agent: Agent) -> str:
    """How one that takes no work does so, said after its name."""
    return STANDS[agent.told] if agent.told is not None else f"takes no work: {agent.unwilling}"


def because(state: RootState) -> str:
    """The end of a sentence: why a root is not there, if its agent has said so."""
    return f": {state.why}" if state.why is not None else ""


def takes_nothing(agent: Agent, root: str) -> str | None:
    """Why no new output may be written there, by what it said last: too little room, or no right to."""
    state = agent.advert.roots.get(root) if agent.advert is not None else None
    return state.why if state is not None and state.mounted else None


def has(agent: Agent, capability: str) -> bool:
    """By what it said last, online or not."""
    kind, _, name = capability.partition("=")
    advert, programs = agent.advert, agent.programs
    if advert is None:
        return False
    match kind:
        case "program":
            return name in advert.programs
        case "feature":
            return name in advert.features
        case "hwaccel":
            return name in advert.hwaccels
        case "encoder":
            return programs is not None and name in programs.encoders
        case "decoder":
            return programs is not None and name in programs.decoders
        case "filter":
            return programs is not None and name in programs.filters
        case _:
            return False


def why_not(agent: Agent, capability: str) -> str | None:
    """What it says of a capability that it lists and has not."""
    unavailable = agent.programs.unavailable if agent.programs is not None else {}
    return unavailable.get(capability.replace("=", "/", 1))


def is_able(agent: Agent, wish: Wish) -> bool:
    """Whether it may have the job as soon as it has room."""
    return not agent.resting and agent.name not in wish.avoiding and lacks(agent, wish) is None


def has_room(agent: Agent, wish: Wish) -> bool:
    return agent.has_room(wish.needs.slot, attended=wish.kind is JobKind.INTERACTIVE)


def preference(agent: Agent, wish: Wish) -> Preference:
    total, free = agent.total(wish.needs.slot), agent.free(wish.needs.slot)
    share = free / total if total else 0.0
    _, fps = speed(agent, wish)
    return (free <= 0, agent.name != wish.near, -share * weight(agent), -free, -fps, agent.name)


def weight(agent: Agent) -> float:
    return agent.advert.weight if agent.advert is not None else 1.0


def speed(agent: Agent, wish: Wish) -> tuple[str, float]:
    """The slowest of the encoders that the job asks for, and its frames in a second there; 0: that is not known."""
    speeds = agent.programs.speeds if agent.programs is not None else {}
    known = [
        (speeds[name], name)
        for kind, _, name in (each.partition("=") for each in wish.needs.capabilities)
        if kind == "encoder" and name in speeds
    ]
    fps, name = min(known, default=(0.0, ""))
    return name, fps


def why_there(agent: Agent, wish: Wish, able: int) -> str:
    slot = wish.needs.slot
    if agent.free(slot) <= 0:
        return f"{agent.name} had no {slot} slot free, and lets another job stand still for it"
    said = f"{agent.name} had {agent.free(slot)} of {agent.total(slot)} {slot} slots free"
    if wish.near == agent.name:
        return f"{said} and holds the files of the jobs before it"
    if able <= 1:
        return f"{said}, the only one that can run it"
    weighed = f" with its weight of {weight(agent):g}" if weight(agent) != 1 else ""
    encoder, fps = speed(agent, wish)
    fast = f"; of those as free the fastest known with {encoder}, {fps:g} fps in its benchmark" if fps > 0 else ""
    return f"{said}, the freest of {able} that can run it{weighed}{fast}"

"""Which agent a job goes to, and why it waits: one pure function with named reasons.

The simplest honest rule: of those that can run it and have a free slot, the one with the largest share of free slots.
Not there yet: weights, measured speed, affinity, priorities that age.
"""

from collections.abc import Iterable
from typing import TypeAlias

from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol.media import Needs
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.wire import Told


class Placed(Told, frozen=True):
    agent: str
    why: str


class Waiting(Told, frozen=True):
    code: ReasonCode
    why: str


Placement: TypeAlias = Placed | Waiting


def placed(needs: Needs, agents: Iterable[Agent]) -> Placement:
    able: list[Agent] = []
    lacking: list[str] = []
    for agent in agents:
        lack = lacks(agent, needs)
        if lack is None:
            able.append(agent)
        else:
            lacking.append(f"{agent.name} {lack}")
    if not able:
        return Waiting(code=ReasonCode.WAITING_FOR_AGENT, why=_nobody(needs, lacking))
    free = [(_free_slots(agent, needs.slot), agent) for agent in able if not agent.resting]
    roomy = [(slots, agent) for slots, agent in free if slots > 0]
    if not roomy:
        names = ", ".join(f"{agent.name} ({_slots_said(agent, needs.slot)})" for agent in able[:5])
        return Waiting(code=ReasonCode.WAITING_FOR_SLOT, why=f"every agent that can run it is busy: {names}")
    slots, best = max(roomy, key=lambda each: (each[0] / _total(each[1], needs.slot), each[0], _reversed(each[1].name)))
    others = f", the freest of {len(able)} that can run it" if len(able) > 1 else ", the only one that can run it"
    return Placed(
        agent=best.name, why=f"{best.name} had {slots} of {_total(best, needs.slot)} {needs.slot} slots free{others}"
    )


def lacks(agent: Agent, needs: Needs) -> str | None:
    """What keeps this agent from ever taking the job as things are, said after its name; None: nothing does."""
    if needs.on is not None and agent.name != needs.on:
        return "is not the one asked for"
    if not agent.online:
        return "is offline"
    if agent.wanted_draining:
        return "is draining"
    advert = agent.current_advert
    if advert is None:
        return "has not said yet what it can do"
    if needs.program not in advert.programs:
        return f"does not have {needs.program} on its list"
    for root in needs.roots:
        if root not in advert.roots:
            return f"has no root {root}"
        if not advert.roots[root].mounted:
            return f"has root {root} not mounted"
    if needs.slot not in advert.slots or advert.slots[needs.slot].total == 0:
        return f"has no {needs.slot} slots"
    missing = [capability for capability in needs.capabilities if not _has(agent, capability)]
    return f"has no {missing[0].replace('=', ' ', 1)}" if missing else None


def _has(agent: Agent, capability: str) -> bool:
    kind, _, name = capability.partition("=")
    advert, programs = agent.current_advert, agent.programs
    if advert is None:
        return False
    match kind:
        case "program":
            return name in advert.programs
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


def _nobody(needs: Needs, lacking: list[str]) -> str:
    if needs.on is not None:
        mine = [said for said in lacking if said.startswith(f"{needs.on} ")]
        return f"it asks for agent {needs.on}, which is not known" if not mine else f"it asks for agent {mine[0]}"
    if not lacking:
        return "no agent is known; add one with `ffmesh principal add NAME --role agent`"
    more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    return f"no agent can run it now: {', '.join(lacking[:5])}{more}"


def _total(agent: Agent, slot: str) -> int:
    advert = agent.current_advert
    return advert.slots[slot].total if advert is not None and slot in advert.slots else 0


def _free_slots(agent: Agent, slot: str) -> int:
    return _total(agent, slot) - agent.used()


def _slots_said(agent: Agent, slot: str) -> str:
    return f"{min(agent.used(), _total(agent, slot))} of {_total(agent, slot)} slots used"


def _reversed(name: str) -> tuple[int, ...]:
    """Ties go to the first name: `max` takes the largest."""
    return tuple(-ord(letter) for letter in name)

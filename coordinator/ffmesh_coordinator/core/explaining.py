"""Why a job waits, in one sentence a person can act on. Asked for when somebody looks, not when jobs are placed."""

from collections.abc import Callable, Iterator, Sequence

from ffmesh_coordinator.core.placement import because, has, has_room, lacks, stands, takes_nothing, why_not
from ffmesh_coordinator.core.queue import Wish
from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.capability import RootState
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.wire import Told

NAMES_SAID = 3


class Waiting(Told, frozen=True):
    code: ReasonCode
    why: str


def why_not_placed(wish: Wish, agents: Sequence[Agent], utc: float) -> Waiting | None:
    """What keeps it from being placed now; None: nothing does, its turn has not come."""
    needs = wish.needs
    able = [agent for agent in agents if lacks(agent, wish) is None]
    if not able:
        return Waiting(code=ReasonCode.WAITING_FOR_AGENT, why=_nobody(wish, agents, utc))
    rested = [agent for agent in able if not agent.resting]
    if not rested:
        return Waiting(code=ReasonCode.WAITING_FOR_AGENT, why=_resting(able))
    willing = [agent for agent in rested if agent.name not in wish.avoiding]
    if not willing:
        failed_on = _listed(sorted(wish.avoiding))
        why = f"it failed on {failed_on}, and no other agent can run it; it is tried there again soon"
        return Waiting(code=ReasonCode.WAITING_TO_RETRY, why=why)
    if any(has_room(agent, wish) for agent in willing):
        return None
    return Waiting(code=ReasonCode.WAITING_FOR_SLOT, why=_full(needs, willing))


def _full(needs: Needs, agents: Sequence[Agent]) -> str:
    total = sum(agent.total(needs.slot) for agent in agents)
    used = sum(min(agent.used(needs.slot), agent.total(needs.slot)) for agent in agents)
    kind = "" if needs.slot == "cpu" else f"{needs.slot} "
    slots = f"{used} of {total} {kind}slots used"
    which = _with(needs)
    if len(agents) == 1:
        return f"the only agent{which} that can run it, {agents[0].name}, is full: {slots}"
    if len(agents) == 2:
        return f"both agents{which} are full: {slots}"
    return f"all {len(agents)} agents{which} are full: {slots}"


def _with(needs: Needs) -> str:
    wanted = [f"root {root}" for root in needs.roots] + [each.replace("=", " ", 1) for each in needs.capabilities]
    return f" with {_listed(wanted)}" if wanted else ""


def _resting(agents: Sequence[Agent]) -> str:
    first = agents[0]
    if len(agents) == 1:
        return f"{first.name}, the only agent that can run it, rests: {first.resting}"
    return f"all {len(agents)} agents that can run it rest; {first.name}: {first.resting}"


def _nobody(wish: Wish, agents: Sequence[Agent], utc: float) -> str:
    needs = wish.needs
    if needs.on is not None:
        return _asked_for(wish, agents, utc)
    if not agents:
        return "no agent is known; add one with `ffmesh principal add NAME --role agent`"
    here = [agent for agent in agents if agent.online]
    if not here:
        return f"no agent is online{_last_seen(agents, utc)}"
    working = [agent for agent in here if agent.takes_work]
    if not working:
        return _nobody_works(here)
    for wanted, meets in _requirements(wish):
        left = [agent for agent in working if meets(agent)]
        if not left:
            torn = next((agent for agent in here if agent.takes_work and meets(agent)), None)
            if torn is not None:
                return f"no agent online has all that it needs; {torn.name} has {wanted}, but {lacks(torn, wish)}"
            elsewhere = _else_where(agents, working, meets, utc)
            for root in needs.roots:
                if wanted == _mounted(root):
                    return f"{_not_mounted(root, working)}{elsewhere}"
            return f"no agent online has {wanted}{_listed_in_vain(wanted, needs, working)}{elsewhere}"
        working = left
    for root in wish.writes:
        if all(takes_nothing(agent, root) for agent in working):
            first = working[0]
            return f"no agent online takes anything new in root {root}; {first.name}: {takes_nothing(first, root)}"
    return "no agent can run it now"


def _nobody_works(agents: Sequence[Agent]) -> str:
    """Though they are here."""
    first = agents[0]
    if first.told is not None and all(agent.told is first.told for agent in agents):
        return f"every agent that is online {stands(first)}: {_listed([agent.name for agent in agents])}"
    if len(agents) == 1:
        return f"{first.name} {stands(first)}; no other agent is online"
    said = "; ".join(f"{agent.name} {stands(agent)}" for agent in agents[:NAMES_SAID])
    more = len(agents) - NAMES_SAID
    return f"no agent that is online takes work: {said}" + (f"; and {more} more" if more > 0 else "")


def _requirements(wish: Wish) -> Iterator[tuple[str, Callable[[Agent], bool]]]:
    """Each with its words, said after `has`; what an agent must be able to do first stands first."""
    needs = wish.needs

    def has_spoken(agent: Agent) -> bool:
        return agent.online and agent.current_advert is not None

    def knows_kind(agent: Agent) -> bool:
        return agent.advert is not None and wish.kind.value in agent.advert.features

    def lists(agent: Agent) -> bool:
        return agent.advert is not None and needs.program in agent.advert.programs

    def has_slots(agent: Agent) -> bool:
        return agent.total(needs.slot) > 0

    yield "said yet what it can do", has_spoken
    yield f"a version that knows {wish.kind} jobs", knows_kind
    yield f"{needs.program} on its list", lists
    for root in needs.roots:
        yield f"root {root}", _knows_root(root)
    for root in needs.roots:
        yield _mounted(root), _has_mounted(root)
    yield f"{needs.slot} slots", has_slots
    for capability in needs.capabilities:
        yield capability.replace("=", " ", 1), _can(capability)


def _knows_root(root: str) -> Callable[[Agent], bool]:
    return lambda agent: agent.advert is not None and root in agent.advert.roots


def _has_mounted(root: str) -> Callable[[Agent], bool]:
    return lambda agent: agent.advert is not None and root in agent.advert.roots and agent.advert.roots[root].mounted


def _mounted(root: str) -> str:
    return f"root {root} mounted"


def _not_mounted(root: str, agents: Sequence[Agent]) -> str:
    """All of these know it, and none has it."""
    first, *others = agents
    state = first.advert.roots[root] if first.advert is not None else RootState(mounted=False)
    also = f"; nor on {_listed([agent.name for agent in others])}" if others else ""
    return f"root {root} is not mounted on {first.name}{because(state)}{also}"


def _listed_in_vain(wanted: str, needs: Needs, agents: Sequence[Agent]) -> str:
    """What the first of these says that has it on a list, and found out that it does not work."""
    for capability in needs.capabilities:
        if wanted == capability.replace("=", " ", 1):
            for agent in agents:
                if (why := why_not(agent, capability)) is not None:
                    return f"; {agent.name}: {why}"
    return ""


def _can(capability: str) -> Callable[[Agent], bool]:
    return lambda agent: has(agent, capability)


def _else_where(agents: Sequence[Agent], working: Sequence[Agent], meets: Callable[[Agent], bool], utc: float) -> str:
    """Who has it and is away or takes nothing."""
    names = {agent.name for agent in working}
    others = [agent for agent in agents if agent.name not in names and meets(agent)]
    for agent in others:
        if agent.online:
            return f"; {agent.name} has, and {stands(agent)}"
    return _last_seen(others, utc, on=True)


def _last_seen(agents: Sequence[Agent], utc: float, *, on: bool = False) -> str:
    seen = [agent for agent in agents if agent.seen_utc is not None]
    if not seen:
        return ""
    last = max(seen, key=lambda agent: agent.seen_utc or 0.0)
    ago = _ago(utc - (last.seen_utc or utc))
    return f"; last seen on {last.name} {ago}" if on else f"; {last.name} was last seen {ago}"


def _asked_for(wish: Wish, agents: Sequence[Agent], utc: float) -> str:
    needs = wish.needs
    agent = next((agent for agent in agents if agent.name == needs.on), None)
    if agent is None:
        return f"it asks for agent {needs.on}, which is not known"
    lack = lacks(agent, wish)
    ago = _ago(utc - agent.seen_utc) if not agent.online and agent.seen_utc is not None else None
    return f"it asks for agent {agent.name}, which {lack}" + (f"; it was last seen {ago}" if ago else "")


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now" if seconds < 1 else f"{int(seconds)} s ago"


def _listed(words: Sequence[str]) -> str:
    said, more = list(words[:NAMES_SAID]), len(words) - NAMES_SAID
    if more > 0:
        return f"{', '.join(said)} and {more} more"
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"

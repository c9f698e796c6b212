"""Agents, as a table and one at a time."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

from ffmesh_client.render import tables, words
from ffmesh_client.render.tables import Column
from ffmesh_client.storages import differing
from ffmesh_protocol.messages.capability import AgentView, RootState, SlotUse
from ffmesh_protocol.messages.manners import Condition, Manner
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.sizes import size_shown

STATE_OF_MANNER: Final[Mapping[Manner, str]] = {Manner.PAUSE: "paused", Manner.STOP: "stopped"}

COLUMNS: Final = (
    Column("name", whole=True),
    Column("state", whole=True),
    Column("now"),
    Column("slots"),
    Column("cpu", right=True),
    Column("memory", right=True),
    Column("heat", right=True),
    Column("roots"),
    Column("programs"),
    Column("seen", whole=True),
)


def show_agents(agents: Sequence[AgentView]) -> None:
    local = tables.on_terminal()
    rows = [
        (
            agent.name,
            _state(agent),
            _now(agent),
            _slots(agent.slots),
            words.number(agent.load.cpu_percent, " %"),
            words.number(agent.load.memory_percent, " %"),
            words.number(agent.load.temperature_c, " °C"),
            _roots(agent.roots),
            words.joined(tuple(sorted(agent.programs))),
            words.moment(agent.last_seen_at, local=local),
        )
        for agent in agents
    ]
    tables.show_table(COLUMNS, rows, none="No agent is known yet: `ffmesh principal add NAME --role agent` adds one.")
    for sentence in differing(agents):
        print(f"ffmesh: {sentence}", file=sys.stderr)


def show_agent(agent: AgentView, all_agents: Sequence[AgentView] = ()) -> None:
    """`all_agents`: to tell whether a root is the same storage on them."""
    local = tables.on_terminal()
    host = agent.host
    machine = f"{host.model}, {host.arch}, {host.cores} cores, {host.memory_bytes / 2**30:.1f} GiB" if host else None
    listed = "" if agent.tried else " (listed, not tried)"
    facts = [
        ("name", agent.name),
        ("state", _state(agent)),
        ("machine", words.text(machine)),
        ("gpu", words.joined(agent.gpus)),
        ("version", words.text(agent.version)),
        ("programs", words.joined(dict(sorted(agent.programs.items())))),
        *_each_root(agent.roots),
        ("slots", _slots(agent.slots)),
        ("weight", f"{agent.weight:g}"),
        ("fence", words.text(agent.fence)),
        ("cpu", words.number(agent.load.cpu_percent, " %")),
        ("memory", words.number(agent.load.memory_percent, " %")),
        ("heat", _heat(agent)),
        ("now", _now(agent)),
        ("running", words.joined(tuple(f"{job} (paused)" if job in agent.paused else job for job in agent.running))),
        *((f"mind {each.name}", _minded(each)) for each in agent.conditions),
        ("seen", words.moment(agent.last_seen_at, local=local)),
        ("codecs", words.joined(agent.supported_codecs) + listed),
        ("largest", words.text(agent.max_resolution)),
        ("speed", words.joined({name: f"{fps:g} fps" for name, fps in sorted(agent.speeds.items())})),
        ("hwaccels", words.joined(agent.hwaccels) + listed),
        ("encoders", words.joined(agent.encoders) + listed),
        ("decoders", words.joined(agent.decoders) + " (listed)"),
        ("filters", words.joined(agent.filters) + " (listed)"),
    ]
    facts += [("unavailable", f"{words.text(what)}: {words.text(why)}") for what, why in agent.unavailable.items()]
    tables.show_facts(facts)
    for sentence in differing(all_agents):
        if f" {agent.name} " in f"{sentence} ":
            print(f"ffmesh: {sentence}", file=sys.stderr)


def _state(agent: AgentView) -> str:
    """Finer than for programs, where a person has said more than that it is to drain."""
    is_finer = agent.state is AgentState.DRAINING and agent.manner in STATE_OF_MANNER
    return STATE_OF_MANNER[agent.manner] if is_finer and agent.manner is not None else agent.state.value


def _now(agent: AgentView) -> str:
    """Idle or busy, and what its machine has it do: `busy, slow (input)`."""
    in_force = {each.manner: each for each in agent.conditions if each.in_force}
    said = [f"{manner} ({', '.join(_names(agent, manner))})" for manner in Manner if manner in in_force]
    return ", ".join([words.text(agent.activity), *said])


def _names(agent: AgentView, manner: Manner) -> list[str]:
    return [each.name for each in agent.conditions if each.in_force and each.manner is manner]


def _minded(condition: Condition) -> str:
    stands = f"{condition.manner}: " if condition.in_force else "not in force: "
    return f"{stands}{condition.reason}"


def _heat(agent: AgentView) -> str:
    if agent.load.temperature_c is None and agent.host is not None and not agent.host.temperature_sensor:
        return "no sensor"
    return words.number(agent.load.temperature_c, " °C")


def _slots(slots: Mapping[str, SlotUse]) -> str:
    return words.joined(tuple(f"{kind} {use.used}/{use.total}" for kind, use in sorted(slots.items())))


def _roots(roots: Mapping[str, RootState]) -> str:
    """A root that not every job can use says so in a word or two."""
    return words.joined(tuple(f"{name}{_in_brackets(state)}" for name, state in sorted(roots.items())))


def _in_brackets(state: RootState) -> str:
    if not state.mounted:
        return " (not mounted)"
    if state.writable is False:
        return " (not writable)"
    return " (too full)" if state.why is not None else ""


def _each_root(roots: Mapping[str, RootState]) -> list[tuple[str, str]]:
    if not roots:
        return [("roots", words.joined(()))]
    return [(f"root {name}", _seen(state)) for name, state in sorted(roots.items())]


def _seen(state: RootState) -> str:
    """All that its agent says of it."""
    if not state.mounted:
        return "not mounted" + (f": {state.why}" if state.why is not None else "")
    said = ["mounted"]
    if state.writable is not None:
        said.append("writable" if state.writable else "not writable")
    if state.free_bytes is not None and state.total_bytes is not None:
        said.append(f"{size_shown(state.free_bytes)} of {size_shown(state.total_bytes)} free")
    return ", ".join(said) + (f": {state.why}" if state.why is not None else "")

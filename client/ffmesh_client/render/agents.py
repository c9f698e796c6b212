"""Agents, as a table and one at a time."""

from collections.abc import Mapping, Sequence
from typing import Final

from ffmesh_client.render import tables, words
from ffmesh_client.render.tables import Column
from ffmesh_protocol.messages.capability import AgentView, RootState, SlotUse

COLUMNS: Final = (
    Column("name", whole=True),
    Column("state", whole=True),
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
            agent.state.value,
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


def show_agent(agent: AgentView) -> None:
    local = tables.on_terminal()
    host = agent.host
    machine = f"{host.model}, {host.arch}, {host.cores} cores, {host.memory_bytes / 2**30:.1f} GiB" if host else None
    listed = "" if agent.tried else " (listed, not tried)"
    facts = [
        ("name", agent.name),
        ("state", agent.state.value),
        ("machine", words.text(machine)),
        ("version", words.text(agent.version)),
        ("programs", words.joined(dict(sorted(agent.programs.items())))),
        ("roots", _roots(agent.roots)),
        ("slots", _slots(agent.slots)),
        ("fence", words.text(agent.fence)),
        ("cpu", words.number(agent.load.cpu_percent, " %")),
        ("memory", words.number(agent.load.memory_percent, " %")),
        ("heat", words.number(agent.load.temperature_c, " °C")),
        ("running", words.joined(agent.running)),
        ("seen", words.moment(agent.last_seen_at, local=local)),
        ("hwaccels", words.joined(agent.hwaccels) + listed),
        ("encoders", words.joined(agent.encoders) + listed),
        ("decoders", words.joined(agent.decoders) + listed),
        ("filters", words.joined(agent.filters) + listed),
    ]
    facts += [("unavailable", f"{words.text(what)}: {words.text(why)}") for what, why in agent.unavailable.items()]
    tables.show_facts(facts)


def _slots(slots: Mapping[str, SlotUse]) -> str:
    return words.joined(tuple(f"{kind} {use.used}/{use.total}" for kind, use in sorted(slots.items())))


def _roots(roots: Mapping[str, RootState]) -> str:
    """A root that is not mounted says so."""
    return words.joined(
        tuple(name if state.mounted else f"{name} (not mounted)" for name, state in sorted(roots.items()))
    )

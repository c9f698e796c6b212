"""Roots of one name that are not the same storage on two agents: what the one has written the other does not find.

Only those are known whose agents keep a nonce in them (`storage = true` in agent.toml).
"""

from collections.abc import Sequence

from ffmesh_protocol.messages.capability import PublicAgent
from ffmesh_protocol.messages.presence import AgentState


def differing(agents: Sequence[PublicAgent]) -> list[str]:
    """A sentence for each pair that should know of each other."""
    here = sorted((agent for agent in agents if agent.state is not AgentState.OFFLINE), key=lambda agent: agent.name)
    first: dict[str, tuple[str, str]] = {}
    sentences: list[str] = []
    for agent in here:
        for root, state in sorted(agent.roots.items()):
            if state.storage is None:
                continue
            storage, name = first.setdefault(root, (state.storage, agent.name))
            if state.storage != storage:
                sentences.append(f"root {root} is not the same storage on {agent.name} as on {name}")
    return sentences

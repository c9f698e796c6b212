"""All agents, with what each of them runs."""

from ffmesh_client.tui.model.agents import AgentLine
from ffmesh_protocol.messages.presence import AgentState
from ffmesh_protocol.wire import Told


class Fleet(Told, frozen=True):
    """By name; who is away stands behind."""

    agents: tuple[AgentLine, ...] = ()

    def having(self, words: str) -> "Fleet":
        """Those of which each of these words says something: a name, a state, a root, a job."""
        wanted = words.casefold().split()
        if not wanted:
            return self
        return Fleet(agents=tuple(agent for agent in self.agents if all(word in _said(agent) for word in wanted)))


def in_order(agents: list[AgentLine]) -> Fleet:
    return Fleet(agents=tuple(sorted(agents, key=lambda agent: (agent.state is AgentState.OFFLINE, agent.name))))


def _said(agent: AgentLine) -> str:
    words = (
        agent.name,
        agent.state.value,
        *(name for name, _ in agent.roots),
        *(word for run in agent.runs for word in (run.name, run.id)),
        *agent.gpus,
    )
    return "\n".join(words).casefold()

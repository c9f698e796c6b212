"""What `ffmesh-agent --config FILE --roots` prints: each root as a running agent would see it now. Changes nothing: it
makes neither a probe nor a nonce, so that a root counts as writable as far as the kernel says so unasked."""

from pathlib import Path

from ffmesh_agent.config import AgentConfig
from ffmesh_agent.shell.roots import Roots
from ffmesh_agent.shell.storage import StorageMemory
from ffmesh_protocol.messages.capability import RootState
from ffmesh_protocol.wire import Told


class Inspected(Told, frozen=True):
    """`is_well`: it is there, and what may be written there can be."""

    path: str
    is_well: bool
    state: RootState


async def inspected(config: AgentConfig, home: Path) -> dict[str, Inspected]:
    places = config.root_places
    memory = StorageMemory(home / "storage.json", config.root_paths, may_learn=False)
    states = await Roots(places, memory, lambda _name, _state: None, may_write=False).states()
    return {
        name: Inspected(
            path=places[name].path,
            is_well=state.mounted and (places[name].read_only or state.why is None),
            state=state,
        )
        for name, state in states.items()
    }

"""Who is there. Each status carries its life and the number of its connection; a last will has those of its own."""

from enum import StrEnum

from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.names import Ulid
from ffmesh_protocol.wire import Natural, Told


class CoordinatorState(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    FULL = "full"


class CoordinatorStatus(Told, frozen=True):
    state: CoordinatorState
    life: Ulid
    connection: Natural
    version: str


class AgentState(StrEnum):
    ONLINE = "online"
    DRAINING = "draining"
    OFFLINE = "offline"


class AgentStatus(Told, frozen=True):
    state: AgentState
    life: Ulid
    connection: Natural
    manner: Manner | None = None
    """How it takes no new work, where it takes none."""


class ClientState(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class ClientStatus(Told, frozen=True):
    state: ClientState
    life: Ulid
    connection: Natural

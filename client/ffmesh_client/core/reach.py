"""How far a client's words can get now: to a broker, and to which life of the coordinator."""

from ffmesh_client.core.effects import Missing
from ffmesh_client.core.events import Connected, CoordinatorSeen, Disconnected, Event, Reborn
from ffmesh_protocol.messages.presence import CoordinatorState


class Reach:
    """`coordinator_life` is the last one seen online: words for it are sent also when it is offline a moment later."""

    def __init__(self) -> None:
        self.connected = False
        self.coordinator_life: str | None = None
        self._coordinator_online = False

    @property
    def open(self) -> bool:
        return self.connected and self.coordinator_life is not None

    @property
    def missing(self) -> Missing:
        """What is to blame when an answer does not come."""
        if not self.connected:
            return Missing.BROKER
        return Missing.ANSWER if self._coordinator_online else Missing.COORDINATOR

    def handle(self, event: Event) -> bool:
        """Takes notice; true if everything unanswered should be said again at once."""
        match event:
            case Connected():
                self.connected = True
            case Disconnected():
                self.connected = False
                return False
            case Reborn():
                return False  # a connection follows
            case CoordinatorSeen(status=status):
                self._coordinator_online = status.state is not CoordinatorState.OFFLINE
                if not self._coordinator_online:
                    return False
                self.coordinator_life = status.life
            case _:
                return False
        return self.open

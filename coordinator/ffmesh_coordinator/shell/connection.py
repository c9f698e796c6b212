"""Whose line to the broker it is, on the coordinator's side: presence and subscriptions are the core's."""

import logging
from collections.abc import Callable, Iterable

from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.events import Connected, Disconnected, Event
from ffmesh_protocol.bus import Bus, Subscription
from ffmesh_protocol.errors import BrokerError
from ffmesh_protocol.packet import Packet

log = logging.getLogger(__name__)


class CoordinatorSpeaker:
    def __init__(self, *, client_id: str, core: Coordinator, tell: Callable[[Event | Packet], None]) -> None:
        self._client_id = client_id
        self._core = core
        self._tell = tell
        self._complaint = ""

    def client_id(self) -> str:
        return self._client_id

    def will(self, number: int) -> Packet:
        return self._core.will(number)

    def subscriptions(self) -> Iterable[Subscription]:
        return [Subscription(topic=topic, qos=qos) for topic, qos in self._core.subscriptions()]

    def opened(self, bus: Bus, number: int) -> None:
        log.info("connected to the broker (connection %d)", number)
        self._complaint = ""
        self._tell(Connected(connection=number))

    def heard(self, packet: Packet) -> None:
        self._tell(packet)

    def closed(self) -> None:
        self._tell(Disconnected())

    def failed(self, error: BrokerError) -> None:
        """Said once for each reason: a broker may be away for days."""
        if str(error) != self._complaint:
            log.warning("%s; trying again until it works", error)
        self._complaint = str(error)

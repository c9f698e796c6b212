"""Whose line to the broker it is, on the agent's side: presence and subscriptions are the core's, streams follow it."""

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from ffmesh_agent.core.events import Connected, ConnectFailed, Disconnected, Event
from ffmesh_agent.shell.streaming import Streaming
from ffmesh_protocol.bus import Bus, Subscription
from ffmesh_protocol.errors import BrokerError, LoginRefused
from ffmesh_protocol.packet import Packet

log = logging.getLogger(__name__)


class Voice(Protocol):
    """The part of the core that a connection needs."""

    def will(self, connection: int) -> Packet: ...
    def subscriptions(self) -> list[tuple[str, int]]: ...


class AgentSpeaker:
    def __init__(
        self, *, client_id: str, voice: Voice, streaming: Streaming, tell: Callable[[Event | Packet], None]
    ) -> None:
        self._client_id = client_id
        self._voice = voice
        self._streaming = streaming
        self._tell = tell
        self._complaint = ""

    def client_id(self) -> str:
        return self._client_id

    def will(self, number: int) -> Packet:
        return self._voice.will(number)

    def subscriptions(self) -> Iterable[Subscription]:
        return [Subscription(topic=topic, qos=qos) for topic, qos in self._voice.subscriptions()]

    def opened(self, bus: Bus, number: int) -> None:
        log.info("connected to the broker (connection %d)", number)
        self._complaint = ""
        self._streaming.connected(bus)
        self._tell(Connected(connection=number))

    def heard(self, packet: Packet) -> None:
        self._tell(packet)

    def closed(self) -> None:
        self._streaming.disconnected()
        self._tell(Disconnected())

    def failed(self, error: BrokerError) -> None:
        """Logged once for each reason: a broker may be away for days."""
        self._tell(ConnectFailed(refused=isinstance(error, LoginRefused)))
        if str(error) != self._complaint:
            log.warning("%s; trying again until it works", error)
        self._complaint = str(error)

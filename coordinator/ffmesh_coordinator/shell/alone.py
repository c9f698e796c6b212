"""Before the first word: is another coordinator of this cluster at work? Two of them would each grant the same jobs.

A lock keeps two out of one home. What it cannot see is a copy of the home, on this machine or on another, whose key is
as good as ours. The other one is known by what the broker retains: a status that is not `offline`, of another life. It
may be a dead one's, until its will comes: so a sign of that life is waited for, and a summary is said every few seconds
by one that lives. What the broker retained is no sign; without one within ten seconds, the other is gone, or frozen.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from ffmesh_coordinator.shell.errors import AnotherIsAlive
from ffmesh_protocol import codec
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription
from ffmesh_protocol.errors import BrokerError, MalformedMessage
from ffmesh_protocol.line import Line
from ffmesh_protocol.messages.jobs import Summary
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.names import COORDINATOR
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.times import SIGN_OF_ANOTHER
from ffmesh_protocol.topics import Topics

ECHO: Final = "echo"
"""A word to ourselves. What the broker retained comes before it."""

log = logging.getLogger(__name__)


async def is_alone(address: BrokerAddress, client_id: str, topics: Topics, life: str) -> None:
    """Returns when nobody else is there, as far as a broker tells; waits for the broker. Or `AnotherIsAlive`."""
    await _Lookout(address, client_id, topics, life).line.run()


class _Lookout:
    """A line with no will and no word for anybody."""

    def __init__(self, address: BrokerAddress, client_id: str, topics: Topics, life: str) -> None:
        self.line = Line(address, self)
        self._client_id = client_id
        self._topics = topics
        self._echo = topics.directed(COORDINATOR, COORDINATOR, life, ECHO)
        self._other: str | None = None
        """A life that has said it is there, and has not said since that it is not."""
        self._patience: asyncio.TimerHandle | None = None
        self._complaint = ""

    def client_id(self) -> str:
        return self._client_id

    def will(self, number: int) -> Packet | None:
        del number
        return None

    def subscriptions(self) -> Iterable[Subscription]:
        return [Subscription(topic=topic) for topic in (self._topics.coordinator_status(), self._topics.summary())] + [
            Subscription(topic=self._echo)
        ]

    def opened(self, bus: Bus, number: int) -> None:
        del number
        self._other = None
        bus.post(Packet(topic=self._echo, payload=b""))
        self._patience = asyncio.get_running_loop().call_later(SIGN_OF_ANOTHER, self.line.leave)

    def heard(self, packet: Packet) -> None:
        try:
            if packet.topic == self._topics.coordinator_status() and packet.payload:
                self._status_said(codec.decode(CoordinatorStatus, packet.payload), packet)
            elif packet.topic == self._topics.summary() and packet.payload and not packet.retain:
                raise AnotherIsAlive(codec.decode(Summary, packet.payload).life)
            elif packet.topic == self._echo and self._other is None:
                self.line.leave()
        except MalformedMessage:
            return  # whoever wrote that, it was no coordinator

    def _status_said(self, status: CoordinatorStatus, packet: Packet) -> None:
        if status.state is CoordinatorState.OFFLINE:
            if self._other == status.life:
                self.line.leave()
            return
        if not packet.retain:
            raise AnotherIsAlive(status.life)
        self._other = status.life
        log.info("life %s of a coordinator is said to be there; waiting for a sign of it", status.life)

    def closed(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def failed(self, error: BrokerError) -> None:
        """Said once for each reason: a broker may be away for days."""
        if str(error) != self._complaint:
            log.warning("%s; trying again until it works", error)
        self._complaint = str(error)

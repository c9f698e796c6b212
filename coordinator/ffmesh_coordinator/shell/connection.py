"""The coordinator's connection to the broker: a loop that never ends, around a bus, which is one connection.

While there is none, what would be said is dropped: the core says all that still holds once it hears `Connected`.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.events import Connected, Disconnected, Event
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import BrokerError, BrokerUnreachable
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reconnecting import Backoff

log = logging.getLogger(__name__)


class Connection:
    def __init__(
        self, *, address: BrokerAddress, client_id: str, core: Coordinator, tell: Callable[[Event | Packet], None]
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._core = core
        self._tell = tell
        self._bus: Bus | None = None
        self._conversation: asyncio.Timeout | None = None
        self._leaving = False
        self._complaint = ""

    async def run(self) -> None:
        """Returns only after `leave`."""
        clock = asyncio.get_running_loop()
        backoff = Backoff()
        number = 0
        while not self._leaving:
            number += 1
            began = clock.time()
            try:
                await self._connect(number)
            except BrokerError as error:
                self._complain(error)
            if not self._leaving:
                now = clock.time()
                backoff = backoff.failed(at=now, lasted=now - began)
                await asyncio.sleep(backoff.pause(random.random()))

    @property
    def is_open(self) -> bool:
        return self._bus is not None

    def post(self, packets: Iterable[Packet]) -> None:
        if self._bus is None:
            return
        try:
            for packet in packets:
                self._bus.post(packet)
        except BrokerUnreachable:
            self._end_conversation()

    def leave(self) -> bool:
        """Ends it once all that was posted has arrived. False: there is none, and nobody need wait for `run`."""
        self._leaving = True
        self._end_conversation()
        return self.is_open

    def _end_conversation(self) -> None:
        if self._conversation is not None:
            self._conversation.reschedule(asyncio.get_running_loop().time())

    async def _connect(self, number: int) -> None:
        subscriptions = [Subscription(topic=topic, qos=qos) for topic, qos in self._core.subscriptions()]
        async with connected(
            self._address, client_id=self._client_id, will=self._core.will(number), subscriptions=subscriptions
        ) as bus:
            log.info("connected to the broker at %s (connection %d)", self._address, number)
            self._complaint = ""
            self._bus = bus
            self._tell(Connected(connection=number))
            try:
                await self._converse(bus)
            finally:
                self._bus = None
                self._tell(Disconnected())

    async def _converse(self, bus: Bus) -> None:
        """Returns when somebody has ended it; a lost connection is an error."""
        try:
            # Not a limit of time: a scope that `_end_conversation` can end while the bus stays usable.
            async with asyncio.timeout(None) as self._conversation:
                while True:
                    for packet in await bus.received():
                        self._tell(packet)
        except TimeoutError:
            return
        finally:
            self._conversation = None

    def _complain(self, error: BrokerError) -> None:
        """Once for each reason: a broker may be away for days."""
        if str(error) != self._complaint:
            log.warning("%s; trying again until it works", error)
        self._complaint = str(error)

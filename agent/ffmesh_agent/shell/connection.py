"""The agent's connection to the broker: a loop that never ends, around a bus that lives as long as one connection.

While there is none, what would be said is dropped: the core says everything that still holds once it hears `Connected`.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from ffmesh_agent.core.events import Connected, Disconnected, Event
from ffmesh_agent.shell.streaming import Streaming
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import BrokerError, BrokerUnreachable
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reconnecting import Backoff

log = logging.getLogger(__name__)


class Voice(Protocol):
    """The part of the core that a connection needs."""

    def will(self, connection: int) -> Packet: ...
    def subscriptions(self) -> list[tuple[str, int]]: ...


class Connection:
    def __init__(
        self,
        *,
        address: BrokerAddress,
        client_id: str,
        voice: Voice,
        streaming: Streaming,
        tell: Callable[[Event | Packet], None],
    ) -> None:
        self._address = address
        self._client_id = client_id
        self._voice = voice
        self._streaming = streaming
        self._tell = tell
        self._bus: Bus | None = None
        self._conversation: asyncio.Timeout | None = None
        self._leaving = False
        self._complaint = ""

    async def run(self) -> None:
        """Returns only after `leave`."""
        backoff = Backoff()
        number = 0
        while not self._leaving:
            number += 1
            began = time.monotonic()
            try:
                await self._connect(number)
            except BrokerError as error:
                self._complain(error)
            if not self._leaving:
                now = time.monotonic()
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
        conversation, self._conversation = self._conversation, None  # it can be ended once
        if conversation is not None:
            conversation.reschedule(asyncio.get_running_loop().time())

    async def _connect(self, number: int) -> None:
        subscriptions = [Subscription(topic=topic, qos=qos) for topic, qos in self._voice.subscriptions()]
        async with connected(
            self._address, client_id=self._client_id, will=self._voice.will(number), subscriptions=subscriptions
        ) as bus:
            log.info("connected to the broker at %s", self._address)
            self._complaint = ""
            self._bus = bus
            self._streaming.connected(bus)
            self._tell(Connected(connection=number))
            try:
                await self._converse(bus)
            finally:
                self._bus = None
                self._streaming.disconnected()
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

"""A line to the broker that is kept up: a loop that never ends around a bus, which is one connection.

While there is no connection, what would be said is dropped: every core says all that still holds once it is connected.
"""

import asyncio
import random
from collections.abc import Iterable
from typing import Protocol

from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import BrokerError, BrokerUnreachable
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reconnecting import Backoff


class Speaker(Protocol):
    """Whose line it is. `number` counts its connections from 1; presence and will carry it."""

    def client_id(self) -> str: ...
    def will(self, number: int) -> Packet | None: ...
    def subscriptions(self) -> Iterable[Subscription]: ...

    def opened(self, bus: Bus, number: int) -> None:
        """There is a connection; what is posted now goes out."""

    def heard(self, packet: Packet) -> None: ...

    def closed(self) -> None:
        """The connection has ended; while there is none, what is posted is dropped."""

    def failed(self, error: BrokerError) -> None:
        """A connection was lost, or did not come about. Another is tried, unless this raises."""


class Line:
    def __init__(self, address: BrokerAddress, speaker: Speaker) -> None:
        self._address = address
        self._speaker = speaker
        self._bus: Bus | None = None
        self._number = 0
        self._leaving = False
        self._conversation: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Returns only after `leave`; or raises what the speaker raises."""
        clock = asyncio.get_running_loop()
        backoff = Backoff()
        while not self._leaving:
            began = clock.time()
            try:
                await self._connect()
            except BrokerError as error:
                self._speaker.failed(error)
            if not self._leaving:
                now = clock.time()
                backoff = backoff.failed(at=now, lasted=now - began)
                await asyncio.sleep(backoff.pause(random.random()))

    @property
    def is_open(self) -> bool:
        return self._bus is not None

    @property
    def number(self) -> int:
        """Of this connection, or of the last one that was tried."""
        return self._number

    def post(self, packets: Iterable[Packet]) -> None:
        if self._bus is None:
            return
        try:
            for packet in packets:
                self._bus.post(packet)
        except BrokerUnreachable:
            self.again()

    def descriptor(self) -> int | None:
        """See `Bus.descriptor`; None: there is no connection."""
        return self._bus.descriptor() if self._bus is not None else None

    def again(self) -> None:
        """Ends this connection, once all that was posted has arrived; another follows."""
        conversation, self._conversation = self._conversation, None  # it can be ended once
        if conversation is not None:
            conversation.reschedule(asyncio.get_running_loop().time())

    def leave(self) -> bool:
        """Ends it for good. False: there is no connection, and nobody need wait for `run`."""
        self._leaving = True
        self.again()
        return self.is_open

    async def _connect(self) -> None:
        self._number += 1
        speaker = self._speaker
        async with connected(
            self._address,
            client_id=speaker.client_id(),
            will=speaker.will(self._number),
            subscriptions=tuple(speaker.subscriptions()),
        ) as bus:
            self._bus = bus
            speaker.opened(bus, self._number)
            try:
                await self._converse(bus)
            finally:
                self._bus = None
                speaker.closed()

    async def _converse(self, bus: Bus) -> None:
        """Returns when somebody has ended it; a lost connection is an error."""
        try:
            # Not a limit of time: a scope that `again` can end while the bus stays usable.
            async with asyncio.timeout(None) as self._conversation:
                while True:
                    for packet in await bus.received():
                        self._speaker.heard(packet)
        except TimeoutError:
            return
        finally:
            self._conversation = None

"""The client's connection to the broker: a loop around a bus that lives as long as one connection.

While there is none, what would be said is dropped: the cores say all that still holds once they hear `Connected`.
"""

import asyncio
import random
from collections.abc import Callable, Iterable

from ffmesh_client.config import ClientConfig
from ffmesh_client.core.events import Connected, Disconnected, Event
from ffmesh_client.core.post import Post
from ffmesh_protocol import keys
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import BrokerError, BrokerUnreachable, LoginRefused
from ffmesh_protocol.messages.presence import ClientState
from ffmesh_protocol.messages.requests import Bye
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.reconnecting import Backoff
from ffmesh_protocol.times import REQUEST_PATIENCE


class Connection:
    """`post` is the one of the life that speaks; whoever takes a new life gives another and calls `again`."""

    def __init__(
        self,
        config: ClientConfig,
        post: Post,
        *,
        followed: Iterable[str],
        tell: Callable[[Event | Packet], None],
    ) -> None:
        self.post = post
        self.complaint = ""
        """Why there was no connection the last time that one was tried."""
        self._config = config
        self._address = BrokerAddress(
            host=config.broker.host,
            port=config.broker.port,
            username=config.principal.login,
            password=keys.broker_password(config.secret, config.cluster, config.principal),
        )
        self._followed = tuple(followed)
        self._tell = tell
        self._bus: Bus | None = None
        self._number = 0
        self._leaving = False
        self._conversation: asyncio.Timeout | None = None
        self._refused_since: float | None = None
        self._was_connected = False

    async def run(self) -> None:
        """Returns only after `leave`; or `LoginRefused`."""
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        while not self._leaving:
            began = loop.time()
            try:
                await self._connect()
            except LoginRefused as error:
                self._bear(error, loop.time())
            except BrokerError as error:
                self.complaint = str(error)
            if not self._leaving:
                now = loop.time()
                backoff = backoff.failed(at=now, lasted=now - began)
                await asyncio.sleep(backoff.pause(random.random()))

    @property
    def is_open(self) -> bool:
        return self._bus is not None

    def say(self, packet: Packet | None) -> None:
        if self._bus is None or packet is None:
            return
        try:
            self._bus.post(packet)
        except BrokerUnreachable:
            self.again()

    def say_online(self) -> None:
        """Also when somebody else, perhaps an older connection's will, has said what is not true."""
        self.say(self.post.status(ClientState.ONLINE, self._number))

    def again(self) -> None:
        """Ends this connection; another follows."""
        if self._conversation is not None:
            self._conversation.reschedule(asyncio.get_running_loop().time())

    def leave(self) -> bool:
        """Says farewell and ends the connection for good. False: there is none, and nobody need wait for `run`."""
        self._leaving = True
        self.say(self.post.to_coordinator(Bye()))
        self.say(self.post.status(ClientState.OFFLINE, self._number))
        self.again()
        return self.is_open

    def _bear(self, refusal: LoginRefused, now: float) -> None:
        """A broker that has just been started again may not know its logins yet; it knew us before."""
        self.complaint = str(refusal)
        if self._refused_since is None:
            self._refused_since = now
        if not self._was_connected or now - self._refused_since > REQUEST_PATIENCE:
            raise refusal

    async def _connect(self) -> None:
        self._number += 1
        config, post = self._config, self.post
        tag = keys.client_id_tag(config.secret, config.cluster, config.principal, post.life)
        async with connected(
            self._address,
            client_id=f"{config.principal.login}/{post.life}-{tag}",
            will=post.status(ClientState.OFFLINE, self._number),
            subscriptions=[Subscription(topic=topic) for topic in post.subscriptions(self._followed)],
        ) as bus:
            self._was_connected, self._refused_since = True, None
            self._bus = bus
            self.say_online()
            self._tell(Connected())
            try:
                await self._converse(bus)
            finally:
                self._bus = None
                self._tell(Disconnected())

    async def _converse(self, bus: Bus) -> None:
        """Returns when somebody has ended it; a lost connection is an error."""
        try:
            # Not a limit of time: a scope that can be ended from outside while the bus stays usable.
            async with asyncio.timeout(None) as self._conversation:
                while True:
                    for packet in await bus.received():
                        self._tell(packet)
        except TimeoutError:
            return
        finally:
            self._conversation = None

"""Whose line to the broker it is, on the client's side. Presence is said here; the cores need not know of it.

A client takes a new life when its life was retired: the post that speaks for it is then another, and the line follows.
"""

import asyncio
from collections.abc import Callable, Iterable

from ffmesh_client.config import ClientConfig
from ffmesh_client.core.events import Connected, Disconnected, Event
from ffmesh_client.core.post import Post
from ffmesh_protocol import keys
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription
from ffmesh_protocol.errors import BrokerError, LoginRefused
from ffmesh_protocol.line import Line
from ffmesh_protocol.messages.presence import ClientState
from ffmesh_protocol.messages.requests import Bye
from ffmesh_protocol.packet import Packet
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
        self._followed = tuple(followed)
        self._tell = tell
        self._refused_since: float | None = None
        self._was_connected = False
        self._line = Line(_address(config), self)

    async def run(self) -> None:
        """Returns only after `leave`; or `LoginRefused`."""
        await self._line.run()

    def say(self, packet: Packet | None) -> None:
        if packet is not None:
            self._line.post([packet])

    def say_online(self) -> None:
        """Also when somebody else, perhaps an older connection's will, has said what is not true."""
        self.say(self.post.status(ClientState.ONLINE, self._line.number))

    def descriptor(self) -> int | None:
        """For who keeps it up while we are stopped; None: there is no connection, or nobody else can use it now."""
        return self._line.descriptor()

    def again(self) -> None:
        """Ends this connection; another follows."""
        self._line.again()

    def leave(self) -> bool:
        """Says farewell and ends the connection for good. False: there is none, and nobody need wait for `run`."""
        self.say(self.post.to_coordinator(Bye()))
        self.say(self.post.status(ClientState.OFFLINE, self._line.number))
        return self._line.leave()

    # What the line asks of its speaker

    def client_id(self) -> str:
        config, life = self._config, self.post.life
        tag = keys.client_id_tag(config.secret, config.cluster, config.principal, life)
        return f"{config.principal.login}/{life}-{tag}"

    def will(self, number: int) -> Packet:
        return self.post.status(ClientState.OFFLINE, number)

    def subscriptions(self) -> Iterable[Subscription]:
        return [Subscription(topic=topic) for topic in self.post.subscriptions(self._followed)]

    def opened(self, bus: Bus, number: int) -> None:
        del bus, number
        self._was_connected, self._refused_since = True, None
        self.say_online()
        self._tell(Connected())

    def heard(self, packet: Packet) -> None:
        self._tell(packet)

    def closed(self) -> None:
        self._tell(Disconnected())

    def failed(self, error: BrokerError) -> None:
        """A broker that has just been started again may not know its logins yet; it knew us before."""
        self.complaint = str(error)
        if not isinstance(error, LoginRefused):
            return
        now = asyncio.get_running_loop().time()
        if self._refused_since is None:
            self._refused_since = now
        if not self._was_connected or now - self._refused_since > REQUEST_PATIENCE:
            raise LoginRefused(f"{error}; a new token from `ffmesh principal` mends that: `ffmesh join TOKEN`")


def _address(config: ClientConfig) -> BrokerAddress:
    return BrokerAddress(
        host=config.broker.host,
        port=config.broker.port,
        username=config.principal.login,
        password=keys.broker_password(config.secret, config.cluster, config.principal),
    )

"""Hears what is public, and says nothing: one subscription with QoS 0, kept up for ever.

Its cost to the mesh is one more reader of what is published anyway. It has a connection of its own, so that a flood of
what is public never stands before an answer to a question.
"""

from collections.abc import Callable, Iterable

from ffmesh_client.config import ClientConfig
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.tui.model.fold import Fold
from ffmesh_client.tui.model.moment import Moment
from ffmesh_protocol import keys
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription
from ffmesh_protocol.errors import BrokerError
from ffmesh_protocol.line import Line
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.topics import Topics


class Watch:
    """`fold` is told of all that is heard."""

    def __init__(self, config: ClientConfig, fold: Fold, clock: Callable[[], Moment]) -> None:
        self._config = config
        self._fold = fold
        self._clock = clock
        self._life = fresh_ulid()
        self._line = Line(_address(config), self)

    async def run(self) -> None:
        """Until it is cancelled. Who is refused tries again: whoever asks questions finds that out, and says it."""
        self._fold.closed(self._clock())
        await self._line.run()

    # What the line asks of its speaker

    def client_id(self) -> str:
        config = self._config
        tag = keys.client_id_tag(config.secret, config.cluster, config.principal, self._life)
        return f"{config.principal.login}/{self._life}-{tag}"

    def will(self, number: int) -> Packet | None:
        del number
        return None

    def subscriptions(self) -> Iterable[Subscription]:
        return [Subscription(topic=topic, qos=0) for topic in Topics(self._config.cluster).watched()]

    def opened(self, bus: Bus, number: int) -> None:
        del bus, number
        self._fold.opened(self._clock())

    def heard(self, packet: Packet) -> None:
        self._fold.heard(packet, self._clock())

    def closed(self) -> None:
        self._fold.closed(self._clock())

    def failed(self, error: BrokerError) -> None:
        del error


def _address(config: ClientConfig) -> BrokerAddress:
    return BrokerAddress(
        host=config.broker.host,
        port=config.broker.port,
        username=config.principal.login,
        password=keys.broker_password(config.secret, config.cluster, config.principal),
    )

"""One MQTT message as a value: the bus carries it, the cores read and write it, the simulation delays and drops it."""

from typing import Final

from ffmesh_protocol.wire import Told


class Packet(Told, frozen=True):
    """A message with the properties that we use; `properties` are MQTT v5's user properties, in order."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_seconds: int | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    properties: tuple[tuple[str, str], ...] = ()


EMPTY: Final = b""
"""A retained message with this payload clears its topic."""

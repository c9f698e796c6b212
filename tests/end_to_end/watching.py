"""Plain MQTT: a watcher with the login of watcher.toml, as Home Assistant or `mosquitto_sub -v` have it, or whoever."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from end_to_end.outside import GENEROUS, Mesh, until
from ffmesh_protocol.packet import Packet

P = "ffmesh/home"


@dataclass(frozen=True)
class Seen:
    topic: str
    payload: bytes
    retained: bool
    """It was there before the watcher came."""
    properties: tuple[tuple[str, str], ...]

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Watcher:
    """Remembers all that it was sent, in order. Connects again by itself."""

    def __init__(self, host: str, port: int, username: str, password: str, topics: tuple[str, ...]) -> None:
        self.seen: list[Seen] = []
        self._current: dict[str, bytes] = {}
        self._topics = topics
        self._lock = threading.Lock()
        self._subscribed = threading.Semaphore(0)
        self._acknowledged: dict[int, int] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.connect(host, port)

    def start(self) -> None:
        self._client.loop_start()
        assert self._subscribed.acquire(timeout=GENEROUS)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.reinitialise()  # closes the sockets that its thread was woken by

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected()

    def last(self, topic: str) -> Any:
        """The last word there as JSON; None: there is none, or it was cleared."""
        with self._lock:
            payload = self._current.get(topic)
        return json.loads(payload) if payload else None

    def topics(self) -> set[str]:
        """Those that say something now."""
        with self._lock:
            return {topic for topic, payload in self._current.items() if payload}

    def retained(self) -> set[str]:
        """What the broker had kept when this watcher came. It answers the next subscription after all that."""
        self._client.subscribe("nothing")
        assert self._subscribed.acquire(timeout=GENEROUS)
        return {each.topic for each in [*self.seen] if each.retained}

    def until(self, look: Callable[["Watcher"], Any], what: str) -> Any:
        return until(lambda: look(self), what)

    def until_says(self, topic: str, **wanted: Any) -> Any:
        """As soon as the last word there has these values."""

        def look() -> Any:
            said = self.last(topic)
            return said if said is not None and all(said[key] == value for key, value in wanted.items()) else None

        return until(look, f"{topic} says {wanted}")

    def publish(
        self, topic: str, payload: bytes = b"x", *, retain: bool = False, properties: Properties | None = None
    ) -> int:
        """The reason code of the broker's answer."""
        number = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid
        return until(lambda: self._acknowledged.get(number, -1) + 1, f"an answer to {topic}") - 1

    def send(self, packet: Packet) -> int:
        """The same for a packet with all that is beside its payload."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's own
        if packet.properties:
            properties.UserProperty = [*packet.properties]
        if packet.response_topic is not None:
            properties.ResponseTopic = packet.response_topic
        if packet.correlation is not None:
            properties.CorrelationData = packet.correlation
        return self.publish(packet.topic, packet.payload, retain=packet.retain, properties=properties)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, _told: Properties | None
    ) -> None:
        if not code.is_failure:
            client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, _number: int, _codes: list[ReasonCode], _told: Properties | None
    ) -> None:
        self._subscribed.release()

    def _on_publish(self, _client: mqtt.Client, _data: Any, number: int, code: ReasonCode, _told: Properties) -> None:
        self._acknowledged[number] = code.value

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        properties = tuple(getattr(message.properties, "UserProperty", ()))
        with self._lock:
            self.seen.append(Seen(message.topic, bytes(message.payload), message.retain, properties))
            self._current[message.topic] = bytes(message.payload)


@contextmanager
def listening(
    host: str, port: int, username: str, password: str, topics: tuple[str, ...]
) -> Generator[Watcher, None, None]:
    """With any login."""
    watcher = Watcher(host, port, username, password, topics)
    try:
        watcher.start()
        yield watcher
    finally:
        watcher.stop()


def retained_by(mesh: Mesh) -> set[str]:
    """The topics that the broker keeps something of now."""
    with watching(mesh) as newcomer:
        return newcomer.retained()


@contextmanager
def watching(mesh: Mesh, *topics: str) -> Generator[Watcher, None, None]:
    """Everything that a watcher may see, unless topics are said."""
    login = mesh.watcher
    with listening(login["host"], login["port"], login["username"], login["password"], topics or ("#",)) as watcher:
        yield watcher

"""A bare MQTT client for the tests of the broker: it blocks, and it hides no reason code."""

import itertools
import queue
import socket
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

PATIENCE = 10.0
"""Seconds. Nothing here takes a hundredth of it."""

NOT_AUTHORIZED = 135

_numbers = itertools.count()


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    retained: bool


class Peer:
    """Made by `connected`. Its callbacks run in paho's thread and only put things into queues."""

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client
        self._answers: queue.Queue[tuple[int, list[int]]] = queue.Queue()
        self._heard: queue.Queue[Heard] = queue.Queue()
        self._connacks: queue.Queue[tuple[int, Properties | None]] = queue.Queue()
        self._disconnects: queue.Queue[int] = queue.Queue()
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int:
        """With QoS 1; returns the PUBACK's reason code."""
        number = self._client.publish(topic, payload, qos=1, retain=retain).mid
        (code,) = self._answer_to(number)
        return code

    def may_publish(self, topic: str) -> bool:
        return bool(self.allowed_to_publish([topic]))

    def publish_all(self, topics: Iterable[str], payload: bytes, *, retain: bool = False) -> dict[str, int]:
        """The same for many, without waiting for one before the next; returns each one's reason code."""
        numbers = {self._client.publish(topic, payload, qos=1, retain=retain).mid: topic for topic in topics}
        codes: dict[str, int] = {}
        while len(codes) < len(numbers):
            number, (code,) = self._answers.get(timeout=PATIENCE)
            codes[numbers[number]] = code
        return codes

    def allowed_to_publish(self, topics: Iterable[str], payload: bytes = b"x") -> set[str]:
        codes = self.publish_all(topics, payload)
        assert {code for code in codes.values() if code >= 128} <= {NOT_AUTHORIZED}, codes
        return {topic for topic, code in codes.items() if code < 128}

    def send(self, topic: str, payload: bytes) -> None:
        """Without waiting for an answer."""
        self._client.publish(topic, payload, qos=1)

    def subscribe(self, *filters: str) -> list[int]:
        """With QoS 1; returns the SUBACK's reason codes."""
        number = self._client.subscribe([(topic_filter, 1) for topic_filter in filters])[1]
        assert number is not None
        return self._answer_to(number)

    def heard_before(self, marker: bytes) -> list[Heard]:
        """What came before a message with this payload, which was published after all that might come."""
        heard: list[Heard] = []
        while (message := self._heard.get(timeout=PATIENCE)).payload != marker:
            heard.append(message)
        return heard

    def heard_until_now(self) -> list[Heard]:
        """The broker answers this question after it has delivered what others published before."""
        self.subscribe("nothing")
        heard: list[Heard] = []
        while not self._heard.empty():
            heard.append(self._heard.get_nowait())
        return heard

    def connack(self) -> tuple[int, Properties | None]:
        return self._connacks.get(timeout=PATIENCE)

    def wait_until_disconnected(self) -> None:
        self._disconnects.get(timeout=PATIENCE)

    def vanish(self) -> None:
        """Without a DISCONNECT, as when its process is killed: the broker publishes its will."""
        connection = self._client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(socket.SHUT_RDWR)

    @property
    def is_connected(self) -> bool:
        return self._disconnects.empty()

    @property
    def local_port(self) -> int:
        connection = self._client.socket()
        assert isinstance(connection, socket.socket)
        port: int = connection.getsockname()[1]
        return port

    def _answer_to(self, number: int) -> list[int]:
        while True:
            answered, codes = self._answers.get(timeout=PATIENCE)
            if answered == number:
                return codes

    def _on_connect(
        self, _client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, code: ReasonCode, told: Properties | None
    ) -> None:
        self._connacks.put((code.value, told))

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: mqtt.DisconnectFlags, code: ReasonCode, _told: Properties | None
    ) -> None:
        self._disconnects.put(code.value)

    def _on_publish(self, _client: mqtt.Client, _data: Any, number: int, code: ReasonCode, _told: Properties) -> None:
        self._answers.put((number, [code.value]))

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, number: int, codes: list[ReasonCode], _told: Properties | None
    ) -> None:
        self._answers.put((number, [code.value for code in codes]))

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._heard.put(Heard(message.topic, bytes(message.payload), message.retain))


@contextmanager
def dialling(
    port: int,
    login: str,
    password: str,
    *,
    client_id: str | None = None,
    will: tuple[str, bytes] | None = None,
    keepalive: int = 60,
) -> Generator[Peer, None, None]:
    """The CONNACK, whatever it says, is still to be read."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id or f"test-{next(_numbers)}",
        protocol=mqtt.MQTTv5,
        reconnect_on_failure=False,
    )
    if login:
        client.username_pw_set(login, password)
    if will is not None:
        client.will_set(*will, qos=1)
    peer = Peer(client)
    client.connect("127.0.0.1", port, keepalive=keepalive)
    client.loop_start()
    try:
        yield peer
    finally:
        client.disconnect()
        client.loop_stop()
        client.reinitialise()  # closes the sockets that its thread was woken by


@contextmanager
def connected(
    port: int, login: str, password: str, *, client_id: str | None = None, will: tuple[str, bytes] | None = None
) -> Generator[Peer, None, None]:
    with dialling(port, login, password, client_id=client_id, will=will) as peer:
        code, _ = peer.connack()
        assert code == 0, f"{login} was refused with reason code {code}"
        yield peer

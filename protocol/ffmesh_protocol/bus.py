"""The bus: one connection to the broker, for coordinator, agents and clients alike.

It promises: what is published is taken by the broker, or an error says why not; what is posted goes out in order; the
end of the connection is an error at every door, at once. It does not reconnect, remembers nothing and knows no topics.

    async with connected(address, client_id=…, will=…, subscriptions=…) as bus:
        await bus.publish(packet)
        for packet in await bus.received(): …

Leaving the block normally says DISCONNECT, and the broker forgets the will. Leaving it by an exception (a cancellation
is one) cuts the connection, and the broker publishes the will.
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, NamedTuple, TypeAlias

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.client import DisconnectFlags
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ffmesh_protocol import mqtt5
from ffmesh_protocol.errors import BrokerError, BrokerUnreachable, LoginRefused, MalformedMessage, PublishRefused
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.times import KEEPALIVE
from ffmesh_protocol.wire import Told

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10.0
"""For the name, the socket, the login and the subscriptions together."""

LEAVE_SECONDS: Final = 2.0
"""For what is still unacknowledged and for the broker to close, when the block is left normally; then it is cut."""

AHEAD_BYTES: Final = 1024 * 1024
"""What a sender of streams has on its way to the broker: enough for full speed, so little that a `holding` behind it
waits milliseconds."""

UNACKNOWLEDGED_BYTES: Final = 64 * 1024 * 1024
UNACKNOWLEDGED_MESSAGES: Final = 60_000
"""A broker that is so far behind is as good as gone. The identifiers of MQTT would end at 65,535."""

READ_BYTES: Final = 256 * 1024
"""Asked of the system at once: as much as one chunk of a stream."""

ACKNOWLEDGE_SECONDS: Final = 0.002
"""Our PUBACKs wait so long for something else to go with: for them alone both sides would work as for a message."""

GATHERED_BYTES: Final = 64 * 1024
"""Small packets that wait are written with one call; what is larger is worth one of its own."""

_REFUSED: Final = 128
_KEEPALIVE_TIMEOUT: Final = 141
_LOGIN_REFUSED: Final = frozenset({134, 135})
"""Bad user name or password; not authorized. Mosquitto says the second for both."""

_silent = logging.getLogger(f"{__name__}.paho")
_silent.setLevel(logging.CRITICAL)
"""What paho and aiomqtt would log arrives here as errors. aiomqtt also warns of each call beyond ten pending ones, and
a pipe of such warnings that nobody read has frozen a process."""


class BrokerAddress(Told, frozen=True):
    """Where the broker is, and who we are there."""

    host: str
    port: int
    username: str
    password: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __repr__(self) -> str:
        return f"BrokerAddress({self.username} at {self})"  # never the password: this ends up in logs


class Subscription(Told, frozen=True):
    topic: str
    qos: int = 1


class Bus:
    """An open connection. One task reads from it; any number of tasks write."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    async def publish(self, packet: Packet) -> None:
        """Returns when the broker has acknowledged. `PublishRefused`: it said no, and the connection lives on."""
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connection.send(packet, acknowledged)
        await acknowledged

    def post(self, packet: Packet) -> None:
        """Hands the packet over, in order, without waiting. A refusal is logged and counted in `refused`."""
        self._connection.send(packet, None)

    async def received(self) -> list[Packet]:
        """All that has arrived, at least one packet. What came before the connection ended comes before the error."""
        return await self._connection.received()

    async def room(self, at_most: int = AHEAD_BYTES) -> None:
        """Returns when no more bytes than this are unacknowledged. Senders of streams wait here before each chunk."""
        await self._connection.room(at_most)

    def descriptor(self) -> int | None:
        """Of the connection, at the border between two packets, for who speaks there while this process is stopped;
        None: a packet is half written."""
        return self._connection.descriptor()

    @property
    def unacknowledged_bytes(self) -> int:
        """Payloads that the broker has not acknowledged yet."""
        return self._connection.unacknowledged_bytes

    @property
    def refused(self) -> int:
        """How many posted packets the broker has refused on this connection."""
        return self._connection.refused


@asynccontextmanager
async def connected(
    address: BrokerAddress,
    *,
    client_id: str,
    will: Packet | None = None,
    subscriptions: Sequence[Subscription] = (),
) -> AsyncGenerator[Bus, None]:
    """A connection with its subscriptions made; or `LoginRefused` or `BrokerUnreachable`, within ten seconds."""
    cancelled_before = _cancellations()
    with _as_broker_error(address):
        async with asyncio.timeout(CONNECT_SECONDS):
            sock = await _dialled(address.host, address.port, seconds=CONNECT_SECONDS)
            connection = _Connection(address, sock, client_id, will)
            try:
                await connection.open(subscriptions)
                _heed_cancellation(cancelled_before)
            except BaseException:
                connection.cut()
                raise
    try:
        yield Bus(connection)
        await connection.leave()
        _heed_cancellation(cancelled_before)
    finally:
        connection.cut()


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _heed_cancellation(before: int) -> None:
    """aiomqtt waits by `asyncio.wait_for`, which until Python 3.12 swallows a cancellation that comes with its result:
    a Ctrl-C in that moment would be lost, and its task run on for ever."""
    if _cancellations() > before:
        raise asyncio.CancelledError


class _Unacknowledged(NamedTuple):
    topic: str
    size: int
    waiting: asyncio.Future[None] | None


class _Encoded(Properties):
    """Properties that are bytes already; paho only asks for them."""

    def __init__(self, packet: Packet) -> None:  # paho's own constructor builds its tables anew each time
        object.__setattr__(self, "encoded", mqtt5.encoded_properties(packet))

    def pack(self) -> bytes:
        encoded: bytes = object.__getattribute__(self, "encoded")
        return encoded

    def __str__(self) -> str:
        return repr(self.pack())


class _Connection(aiomqtt.Client):
    """aiomqtt's client, mended from inside. Nothing else in the project touches what is private there, or in paho:

    - its `publish()` hides refusals, and scans all pending calls for each message; here `_take_puback`, instead of
      paho's search for names of reasons, sees the reason code;
    - paho asks the system three times for each packet that comes; here `_read` takes all that is there, and hears what
      is published and acknowledged itself (see mqtt5.py). aiomqtt's iterator would start a task for each;
    - paho's `publish()` makes five objects a message for those who wait in threads; here the bytes go to its queue;
    - it connects in a thread that nobody can stop: cancelled, it would still log in a moment later, with our client id
      and our will. Here asyncio connects the socket, and paho's `_create_socket` finds it;
    - it does not notice when the connection ends before CONNACK or SUBACK; here `_on_disconnect` tells all who wait;
    - it wakes the loop through a pipe for each message to write, and paho calls the system for each; here one
      `call_soon` writes all that is there, small packets together;
    - it has paho write a log of each packet, which nobody would read.
    """

    def __init__(self, address: BrokerAddress, sock: socket.socket, client_id: str, will: Packet | None) -> None:
        super().__init__(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=True,  # and no session expiry in the properties means 0: the session ends with the connection
            keepalive=KEEPALIVE,
            timeout=CONNECT_SECONDS,
            max_inflight_messages=0,  # no limit of paho's: the broker answers QoS 1 at once, and credit is ours
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
            will=_will(will),
            logger=_silent,
        )
        self.refused = 0
        self.unacknowledged_bytes = 0
        self._address = address
        self._unread = bytearray()
        self._acknowledging: asyncio.TimerHandle | None = None
        self._inbox: list[Packet] = []
        self._arrived = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._unacknowledged: dict[int, _Unacknowledged] = {}
        self._ended: str | None = None
        self._socket = sock
        # paho closes its socket by itself; a second descriptor of the connection lets us cut it, or wait for its end.
        paho = self._client
        paho._create_socket = sock.dup  # type: ignore[method-assign] # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        paho.loop_read = self._read  # type: ignore[method-assign]
        paho.disable_logger()
        self._connected.add_done_callback(_seen)
        self._disconnected.add_done_callback(self._end)

    async def open(self, subscriptions: Sequence[Subscription]) -> None:
        await self.__aenter__()
        # Not earlier: until here paho calls from aiomqtt's thread.
        self._client.on_socket_register_write = self._flush_soon
        if not subscriptions:
            return
        wanted = [(each.topic, SubscribeOptions(qos=each.qos)) for each in subscriptions]
        for subscription, answer in zip(subscriptions, await self.subscribe(wanted), strict=True):
            if isinstance(answer, ReasonCode) and answer.value >= _REFUSED:
                raise BrokerError(f"{self._address} refused the subscription to {subscription.topic}: {answer}")

    async def leave(self) -> None:
        """Says DISCONNECT once all is acknowledged, and waits for the broker's end of it."""
        # A socket closed with something unread resets the connection: what the broker has not read yet would be lost.
        with suppress(BrokerUnreachable, TimeoutError, aiomqtt.MqttError, OSError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self.room(0)
                await self.__aexit__(None, None, None)
                while await self._loop.sock_recv(self._socket, 65536):
                    pass

    def descriptor(self) -> int | None:
        if self._ended is not None:
            return None
        self._flush()
        return None if self._client.want_write() else self._socket.fileno()

    def cut(self) -> None:
        """Ends the connection if it has not ended. To paho it looks as if the broker had done it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def send(self, packet: Packet, waiting: asyncio.Future[None] | None) -> None:
        if self._ended is not None:
            raise BrokerUnreachable(self._ended)
        if self.unacknowledged_bytes > UNACKNOWLEDGED_BYTES or len(self._unacknowledged) > UNACKNOWLEDGED_MESSAGES:
            raise BrokerUnreachable(f"{self._address} has not acknowledged {len(self._unacknowledged)} messages")
        identifier = self._queued(packet)
        self._unacknowledged[identifier] = _Unacknowledged(packet.topic, len(packet.payload), waiting)
        self.unacknowledged_bytes += len(packet.payload)

    def _queued(self, packet: Packet) -> int:
        """Its identifier."""
        paho = self._client
        if packet.qos == 0:  # paho says when it has been written
            sent = paho.publish(packet.topic, packet.payload, packet.qos, packet.retain, _Encoded(packet))
            if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                raise BrokerUnreachable(f"the connection to {self._address} was lost")
            return sent.mid
        if paho.socket() is None:
            raise BrokerUnreachable(f"the connection to {self._address} was lost")
        while (identifier := paho._mid_generate()) in self._unacknowledged:  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
            pass
        content = mqtt5.encoded_publish(packet, identifier)
        paho._packet_queue(mqtt5.PUBLISH, content, identifier, packet.qos)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        return identifier

    async def received(self) -> list[Packet]:
        while not self._inbox:
            if self._ended is not None:
                raise BrokerUnreachable(self._ended)
            self._arrived.clear()
            await self._arrived.wait()
        packets, self._inbox = self._inbox, []
        return packets

    async def room(self, at_most: int) -> None:
        while self.unacknowledged_bytes > at_most or (at_most == 0 and self._unacknowledged):
            if self._ended is not None:
                raise BrokerUnreachable(self._ended)
            self._acknowledged.clear()
            await self._acknowledged.wait()

    def _read(self, max_packets: int = 1) -> MQTTErrorCode:
        """In the place of paho's `loop_read`."""
        del max_packets
        paho = self._client
        sock = paho.socket()
        if sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            content = sock.recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            content = b""
        self._unread += content
        paho._last_bytes_received = time.monotonic()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        result = self._take_all() if content else MQTTErrorCode.MQTT_ERR_CONN_LOST
        return paho._loop_rc_handle(result) if result else result  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above

    def _take_all(self) -> MQTTErrorCode:
        """Every packet that is here whole."""
        at, result = 0, MQTTErrorCode.MQTT_ERR_SUCCESS
        with memoryview(self._unread) as unread:
            try:
                while not result and (body := mqtt5.body_at(unread, at)) is not None:
                    begin, end = body
                    with unread[begin:end] as content:
                        result = self._take(unread[at], content)
                    at = end
            except MalformedMessage:
                result = MQTTErrorCode.MQTT_ERR_PROTOCOL
        del self._unread[:at]
        return result

    def _take(self, first_byte: int, content: memoryview) -> MQTTErrorCode:
        match first_byte & mqtt5.COMMAND:
            case mqtt5.PUBLISH:
                self._take_publish(first_byte, content)
            case mqtt5.PUBACK:
                self._take_puback(content)
            case _:
                return self._leave_to_paho(first_byte, bytearray(content))
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _leave_to_paho(self, first_byte: int, content: bytearray) -> MQTTErrorCode:
        paho = self._client
        incoming = paho._in_packet  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        incoming["command"], incoming["packet"], incoming["pos"] = first_byte, content, 0
        incoming["remaining_length"] = len(content)
        try:
            return paho._packet_handle()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        except MalformedPacket:
            return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _take_publish(self, first_byte: int, content: memoryview) -> None:
        packet, identifier = mqtt5.decoded_publish(first_byte, content)
        self._inbox.append(packet)
        self._arrived.set()
        if packet.qos > 0:
            self._acknowledge(identifier)

    def _acknowledge(self, identifier: int) -> None:
        content = mqtt5.encoded_puback(identifier)
        self._client._out_packet.append(  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
            {
                "command": mqtt5.PUBACK,
                "mid": identifier,
                "qos": 0,
                "pos": 0,
                "to_process": len(content),
                "packet": content,
                "info": None,
            }
        )
        if self._acknowledging is None:
            self._acknowledging = self._loop.call_later(ACKNOWLEDGE_SECONDS, self._flush)

    def _take_puback(self, content: memoryview) -> None:
        """The broker has taken what we sent, or refused it."""
        identifier, reason = mqtt5.decoded_puback(content)
        if identifier in self._unacknowledged:
            self._has_arrived(identifier, reason)

    def _on_publish(
        self, client: PahoClient, userdata: object, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        """A packet of QoS 0 has been written."""
        self._has_arrived(mid, reason_code.value)

    def _has_arrived(self, identifier: int, reason: int) -> None:
        topic, size, waiting = self._unacknowledged.pop(identifier)
        self.unacknowledged_bytes -= size
        self._acknowledged.set()
        refused = reason >= _REFUSED
        if waiting is None:
            if refused:
                self._count_refusal(topic, reason)
        elif not waiting.done():
            if refused:
                waiting.set_exception(PublishRefused(topic, reason))
            else:
                waiting.set_result(None)

    def _count_refusal(self, topic: str, reason: int) -> None:
        self.refused += 1
        # At 1, 2, 4, 8 …: an access list that forbids a stream must not fill the log with its chunks.
        if self.refused & (self.refused - 1) == 0:
            log.warning("%s, refused so far: %d", PublishRefused(topic, reason), self.refused)

    def _on_disconnect(
        self,
        client: PahoClient,
        userdata: object,
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            why = f"{self._address} ended the connection: {reason_code}"
        elif reason_code.value == _KEEPALIVE_TIMEOUT:
            why = f"{self._address} no longer answers"
        elif reason_code.is_failure:
            why = f"the connection to {self._address} was lost"
        else:
            self._disconnected.set_result(None)
            return
        waiting: list[asyncio.Future[Any]] = [self._connected, self._disconnected, *self._pending_subscribes.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(aiomqtt.MqttError(why))

    def _end(self, disconnected: asyncio.Future[None]) -> None:
        error = None if disconnected.cancelled() else disconnected.exception()
        self._ended = str(error) if error else f"the connection to {self._address} was closed"
        if error is not None:
            if not isinstance(error, aiomqtt.MqttError):
                log.error("a packet from %s could not be handled", self._address, exc_info=error)
            self.cut()
        self._arrived.set()
        self._acknowledged.set()
        for _, _, waiting in self._unacknowledged.values():
            if waiting is not None and not waiting.done():
                waiting.set_exception(BrokerUnreachable(self._ended))

    def _flush_soon(self, client: PahoClient, userdata: object, sock: object) -> None:
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._acknowledging is not None:
            self._acknowledging.cancel()
            self._acknowledging = None
        self._gather()
        self._client.loop_write()
        sock = self._client.socket()
        if sock is not None and self._client.want_write():
            self._loop.add_writer(sock.fileno(), self._flush)

    def _gather(self) -> None:
        """Joins small packets that wait one behind the other, as far as paho does nothing when one is written."""
        waiting = self._client._out_packet  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - see above
        if len(waiting) < 2:
            return
        groups: list[list[Any]] = []
        size = 0
        for packet in waiting:
            size += packet["to_process"]
            if groups and size <= GATHERED_BYTES and _is_only_written(groups[-1][-1]) and _is_only_written(packet):
                groups[-1].append(packet)
            else:
                groups.append([packet])
                size = packet["to_process"]
        waiting.clear()
        waiting.extend(_joined(group) for group in groups)


def _is_only_written(packet: Any) -> bool:  # noqa: ANN401 - paho's type has no public name
    """Nothing follows from its having been written."""
    command: int = packet["command"] & mqtt5.COMMAND
    qos: int = packet["qos"]
    return command == mqtt5.PUBACK or (command == mqtt5.PUBLISH and qos > 0)


def _joined(packets: Sequence[Any]) -> Any:  # noqa: ANN401 - as above
    first = packets[0]
    if len(packets) > 1:
        content = b"".join(memoryview(each["packet"])[each["pos"] :] for each in packets)
        first.update(packet=content, pos=0, to_process=len(content))
    return first


def _seen(future: asyncio.Future[None]) -> None:
    """Asks for the error, so that asyncio does not complain that nobody did."""
    if not future.cancelled():
        future.exception()


def _will(packet: Packet | None) -> aiomqtt.Will | None:
    if packet is None:
        return None
    # Without a will delay in the properties the broker publishes it at once.
    return aiomqtt.Will(packet.topic, packet.payload, packet.qos, packet.retain, _Encoded(packet))


@contextmanager
def _as_broker_error(address: BrokerAddress) -> Generator[None, None, None]:
    try:
        yield
    except MqttConnectError as error:
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        if code in _LOGIN_REFUSED:
            raise LoginRefused(f"{address} refused the login of {address.username}") from error
        raise BrokerUnreachable(f"{address} refused the connection: {error}") from error
    except TimeoutError as error:
        raise BrokerUnreachable(f"{address} did not answer within {CONNECT_SECONDS:.0f} s") from error
    except OSError as error:
        raise BrokerUnreachable(f"no broker at {address}: {_said(error)}") from error
    except aiomqtt.MqttError as error:
        raise BrokerUnreachable(f"no connection to {address}: {error}") from error


def _said(error: OSError) -> str:
    """As the system says it: asyncio puts its own words, with a tuple in them, in the place of that."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror or str(error)


_Addresses: TypeAlias = "list[tuple[socket.AddressFamily, Any]]"


async def _dialled(host: str, port: int, *, seconds: float) -> socket.socket:
    """A non-blocking socket, connected to the first address of the host that answers; or `OSError`.

    Each address has an equal share of the time, so that a broken IPv6 does not use up all of it.
    """
    addresses = await _looked_up(host, port)
    failure = OSError(f"the name {host} has no address")
    for family, address in addresses:
        try:
            async with asyncio.timeout(seconds / len(addresses)):
                return await _connected_socket(family, address)
        except OSError as error:  # a TimeoutError is one
            failure = error
    raise failure


async def _connected_socket(family: socket.AddressFamily, address: Any) -> socket.socket:  # noqa: ANN401 - one for each family
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        _check_not_itself(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _check_not_itself(sock: socket.socket) -> None:
    # Who dials a free port of their own machine often enough is given that very port to dial from, and gets through.
    if sock.getsockname() == sock.getpeername():
        raise ConnectionRefusedError("nobody listens there")


async def _looked_up(host: str, port: int) -> _Addresses:
    """What the name stands for."""
    # asyncio would ask in a thread that the interpreter waits for at its exit: half a minute without a name server.
    answer: Future[_Addresses] = Future()

    def ask() -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            answer.set_exception(error)
        except UnicodeError:
            answer.set_exception(OSError(f"{host!r} is no host name"))
        else:
            answer.set_result([(family, address) for family, _, _, _, address in found])

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    return await asyncio.wrap_future(answer)

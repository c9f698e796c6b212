"""The bus, on the real Mosquitto with the real configuration and access list."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest

from ffmesh_protocol import bus as bus_module
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import BrokerError, BrokerUnreachable, LoginRefused, PublishRefused
from ffmesh_protocol.limits import MESSAGE_BYTES, WINDOW_BYTES
from ffmesh_protocol.names import COORDINATOR, Principal, agent
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.topics import Topics, Verb
from support.broker import PrivateBroker, private_broker

LIFE = "01JD0000000000000000000000"
OTHER_LIFE = "01JD0000000000000000000001"
PI = agent("pi-1")
TOPICS = Topics("home")
HOLDING = TOPICS.directed(PI, COORDINATOR, LIFE, Verb.HOLDING)
"""The agent may write here, and the coordinator reads it."""

FORBIDDEN = TOPICS.agent_status("pi-2")
"""The agent may not write here."""

EVERYTHING = Subscription(topic=TOPICS.everything())
PROMPT_SECONDS = 3.0
"""Generous for a busy machine; far below the keepalive, which would notice in the end."""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[PrivateBroker, None]:
    logins = {PI.login: "secret of pi-1", COORDINATOR.login: "secret of the coordinator"}
    async with private_broker(tmp_path, logins=logins) as broker:
        yield broker


def address_of(broker: PrivateBroker, principal: Principal) -> BrokerAddress:
    password = broker.logins[principal.login]
    return BrokerAddress(host=broker.host, port=broker.port, username=principal.login, password=password)


def as_agent(
    broker: PrivateBroker, *subscriptions: Subscription, will: Packet | None = None
) -> AbstractAsyncContextManager[Bus]:
    address = address_of(broker, PI)
    return connected(address, client_id=f"{PI.login}/{LIFE}-tag", will=will, subscriptions=subscriptions)


def as_coordinator(broker: PrivateBroker, *subscriptions: Subscription) -> AbstractAsyncContextManager[Bus]:
    address = address_of(broker, COORDINATOR)
    return connected(address, client_id=f"coordinator/{LIFE}-tag", subscriptions=subscriptions or (EVERYTHING,))


async def next_packets(bus: Bus, count: int) -> list[Packet]:
    packets: list[Packet] = []
    async with asyncio.timeout(30):
        while len(packets) < count:
            packets += await bus.received()
    return packets


async def next_packet(bus: Bus) -> Packet:
    (packet,) = await next_packets(bus, 1)
    return packet


# What arrives


async def test_all_that_we_use_of_a_message_survives_the_trip(broker: PrivateBroker) -> None:
    sent = Packet(
        topic=HOLDING,
        payload=b"\x00\xffbytes",
        expiry_seconds=60,
        response_topic="ffmesh/home/coordinator/to/ä",
        correlation=b"\x00\x01\xfe",
        properties=(("v", "1"), ("twice", "a"), ("twice", "b"), ("", "ü")),
    )
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        await pi.publish(sent)
        assert await next_packet(coordinator) == sent


async def test_a_message_without_properties_arrives_without(broker: PrivateBroker) -> None:
    sent = Packet(topic=HOLDING, payload=b"")
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        await pi.publish(sent)
        assert await next_packet(coordinator) == sent


async def test_what_was_retained_arrives_with_the_flag_and_with_what_is_left_of_its_time(broker: PrivateBroker) -> None:
    sent = Packet(topic=TOPICS.agent_status("pi-1"), payload=b"{}", retain=True, expiry_seconds=60)
    async with as_agent(broker) as pi:
        await pi.publish(sent)
        async with as_coordinator(broker) as coordinator:
            found = await next_packet(coordinator)
    assert (found.payload, found.retain) == (b"{}", True)
    assert found.expiry_seconds is not None
    assert 0 < found.expiry_seconds <= 60


async def test_each_subscription_has_its_own_quality(broker: PrivateBroker) -> None:
    own = Subscription(topic=TOPICS.to_me(COORDINATOR, LIFE)[0], qos=1)
    public = Subscription(topic=TOPICS.heartbeat("+"), qos=0)
    async with as_agent(broker) as pi, as_coordinator(broker, own, public) as coordinator:
        await pi.publish(Packet(topic=HOLDING, payload=b"directed"))
        await pi.publish(Packet(topic=TOPICS.heartbeat("pi-1"), payload=b"public"))
        packets = await next_packets(coordinator, 2)
    assert {(packet.payload, packet.qos) for packet in packets} == {(b"directed", 1), (b"public", 0)}


async def test_a_message_over_our_limit_is_passed_on_as_it_is(broker: PrivateBroker) -> None:
    payload = os.urandom(MESSAGE_BYTES * 2)
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        await pi.publish(Packet(topic=HOLDING, payload=payload))
        assert (await next_packet(coordinator)).payload == payload


async def test_a_byte_order_mark_from_a_stranger_ends_no_connection(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        await pi.publish(Packet(topic=HOLDING, payload=b"", properties=(("\ufeff", "\ufeff"),)))
        assert (await next_packet(coordinator)).properties == (("\ufeff", "\ufeff"),)
        await pi.publish(Packet(topic=HOLDING, payload=b"after"))
        assert (await next_packet(coordinator)).payload == b"after"


async def test_what_arrived_before_the_end_comes_before_the_error(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        await pi.publish(Packet(topic=HOLDING, payload=b"last words"))
        await coordinator.publish(Packet(topic=TOPICS.events(), payload=b"{}"))  # answered behind them
        await broker.kill()
        with pytest.raises(BrokerUnreachable):
            await pi.received()
        assert [packet.payload for packet in await coordinator.received()] == [b"last words", b"{}"]
        with pytest.raises(BrokerUnreachable):
            await coordinator.received()


# What is sent


async def test_a_refused_publish_raises_and_the_connection_lives_on(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        with pytest.raises(PublishRefused) as caught:
            await pi.publish(Packet(topic=FORBIDDEN, payload=b"{}"))
        assert (caught.value.topic, caught.value.reason_code) == (FORBIDDEN, 135)
        await pi.publish(Packet(topic=HOLDING, payload=b"allowed"))
        assert (await next_packet(coordinator)).payload == b"allowed"
        assert pi.refused == 0  # the caller knows


async def test_refused_posts_are_counted_and_do_not_fill_the_log(
    broker: PrivateBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with as_agent(broker) as pi:
        for _ in range(100):
            pi.post(Packet(topic=FORBIDDEN, payload=b"{}"))
        await pi.room(0)
        assert pi.refused == 100
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [warning.rsplit(" ", 1)[1] for warning in warnings] == ["1", "2", "4", "8", "16", "32", "64"]
    assert FORBIDDEN in warnings[0]
    assert "135" in warnings[0]


async def test_five_thousand_posts_arrive_in_order_and_the_log_is_silent(
    broker: PrivateBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        for number in range(5_000):
            pi.post(Packet(topic=HOLDING, payload=b"%d" % number, properties=(("n", str(number)),)))
        packets = await next_packets(coordinator, 5_000)
    assert [packet.payload for packet in packets] == [b"%d" % number for number in range(5_000)]
    assert caplog.records == []


async def test_a_window_of_chunks_is_pipelined_and_arrives_whole(broker: PrivateBroker) -> None:
    chunks = [os.urandom(MESSAGE_BYTES) for _ in range(WINDOW_BYTES // MESSAGE_BYTES)]
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        for chunk in chunks:
            pi.post(Packet(topic=HOLDING, payload=chunk))
        assert pi.unacknowledged_bytes == WINDOW_BYTES
        packets = await next_packets(coordinator, len(chunks))
        assert [packet.payload for packet in packets] == chunks
        await pi.room(0)
        assert pi.unacknowledged_bytes == 0


async def test_small_and_large_posts_arrive_in_order_whatever_is_written_together(broker: PrivateBroker) -> None:
    sizes = [size for _ in range(30) for size in (1, 40_000, 2, 30_000, 3, MESSAGE_BYTES, 4)]
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        for number, size in enumerate(sizes):
            pi.post(Packet(topic=HOLDING, payload=b"%d" % (number % 10) * size, qos=1))
        packets = await next_packets(coordinator, len(sizes))
        await pi.room(0)
    assert [packet.payload for packet in packets] == [b"%d" % (n % 10) * size for n, size in enumerate(sizes)]


async def test_all_that_was_posted_is_with_the_broker_when_the_block_is_left(broker: PrivateBroker) -> None:
    async with as_coordinator(broker) as coordinator:
        async with as_agent(broker, Subscription(topic=TOPICS.agent_status("+"))) as pi:
            for number in range(1_000):
                pi.post(Packet(topic=HOLDING, payload=b"%d" % number))
        packets = await next_packets(coordinator, 1_000)
    assert packets[-1].payload == b"999"


async def test_there_is_room_once_the_broker_has_taken_enough(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi:
        await pi.room(0)
        for _ in range(8):
            pi.post(Packet(topic=HOLDING, payload=bytes(MESSAGE_BYTES)))
        await pi.room(2 * MESSAGE_BYTES)
        assert pi.unacknowledged_bytes <= 2 * MESSAGE_BYTES


async def test_qos_0_is_gone_once_it_is_written(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        await pi.publish(Packet(topic=HOLDING, payload=b"at most once", qos=0))
        assert pi.unacknowledged_bytes == 0
        assert (await next_packet(coordinator)).payload == b"at most once"


async def test_a_cancelled_publish_leaves_the_bus_usable(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await pi.publish(Packet(topic=HOLDING, payload=b"given up"))
        await pi.publish(Packet(topic=HOLDING, payload=b"next"))
        packets = await next_packets(coordinator, 1)
        while packets[-1].payload != b"next":
            packets += await coordinator.received()
        assert pi.unacknowledged_bytes == 0


async def test_a_cancelled_wait_for_messages_loses_none(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi, as_coordinator(broker) as coordinator:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await coordinator.received()
        await pi.publish(Packet(topic=HOLDING, payload=b"still"))
        assert (await next_packet(coordinator)).payload == b"still"


async def test_a_broker_that_takes_nothing_for_too_long_is_an_error_not_a_growing_queue(
    broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "UNACKNOWLEDGED_BYTES", WINDOW_BYTES)
    monkeypatch.setattr(bus_module, "LEAVE_SECONDS", 0.1)
    chunk = Packet(topic=HOLDING, payload=bytes(MESSAGE_BYTES))
    async with as_agent(broker) as pi:
        os.kill(broker.pid, signal.SIGSTOP)
        while pi.unacknowledged_bytes <= WINDOW_BYTES:
            pi.post(chunk)
        with pytest.raises(BrokerUnreachable, match="has not acknowledged 17 messages"):
            pi.post(chunk)


# The will


STATUS = TOPICS.agent_status("pi-1")
WILL = Packet(topic=STATUS, payload=b'{"state":"offline"}', retain=True, properties=(("v", "1"),), expiry_seconds=60)


async def test_the_will_is_published_when_the_block_is_left_by_an_exception(broker: PrivateBroker) -> None:
    async with as_coordinator(broker) as coordinator:
        with pytest.raises(ZeroDivisionError):
            async with as_agent(broker, will=WILL):
                raise ZeroDivisionError
        found = await next_packet(coordinator)
    assert (found.topic, found.payload, found.properties) == (WILL.topic, WILL.payload, WILL.properties)


async def test_the_will_is_published_when_the_block_is_cancelled(broker: PrivateBroker) -> None:
    async with as_coordinator(broker) as coordinator:
        async with asyncio.TaskGroup() as tasks:
            connected_now = asyncio.Event()
            waiting = tasks.create_task(wait_for_ever(as_agent(broker, will=WILL), connected_now))
            await connected_now.wait()
            waiting.cancel()
        assert (await next_packet(coordinator)).payload == WILL.payload


async def wait_for_ever(connection: AbstractAsyncContextManager[Bus], connected_now: asyncio.Event) -> None:
    async with connection as bus:
        connected_now.set()
        await bus.received()


async def test_the_will_is_forgotten_when_the_block_is_left_normally(broker: PrivateBroker) -> None:
    async with as_coordinator(broker) as coordinator:
        async with as_agent(broker, will=WILL) as pi:
            pi.post(Packet(topic=HOLDING, payload=b"bye"))
        # The broker has closed that connection by now: a will would stand before this.
        await coordinator.publish(Packet(topic=TOPICS.events(), payload=b"{}"))
        packets = await next_packets(coordinator, 2)
    assert [packet.payload for packet in packets] == [b"bye", b"{}"]


# The end of a connection


async def test_a_killed_broker_ends_every_wait_at_once(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi:
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(PROMPT_SECONDS):
            os.kill(broker.pid, signal.SIGSTOP)
            waits = [
                tasks.create_task(unreachable(pi.publish(Packet(topic=HOLDING, payload=b"lost")))),
                tasks.create_task(unreachable(pi.received())),
                tasks.create_task(unreachable(pi.room(0))),
            ]
            await asyncio.sleep(0)  # let them begin to wait
            await broker.kill()
        sentences = {wait.result() for wait in waits}
        assert sentences == {f"the connection to {broker.host}:{broker.port} was lost"}
        with pytest.raises(BrokerUnreachable):
            pi.post(Packet(topic=HOLDING, payload=b"too late"))
        with pytest.raises(BrokerUnreachable):
            await pi.publish(Packet(topic=HOLDING, payload=b"too late"))


async def unreachable(wait: Awaitable[object]) -> str:
    with pytest.raises(BrokerUnreachable) as caught:
        await wait
    return str(caught.value)


async def test_a_broker_that_falls_silent_ends_the_connection(
    broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "KEEPALIVE", 1)
    async with as_agent(broker) as pi, asyncio.timeout(10):
        os.kill(broker.pid, signal.SIGSTOP)
        assert await unreachable(pi.received()) == f"{broker.host}:{broker.port} no longer answers"


async def test_the_same_client_id_takes_over_and_the_older_bus_ends(broker: PrivateBroker) -> None:
    async with as_agent(broker) as older, as_agent(broker) as younger:
        async with asyncio.timeout(PROMPT_SECONDS):
            await unreachable(older.received())
        await younger.publish(Packet(topic=HOLDING, payload=b"alive"))


async def test_a_packet_over_the_brokers_limit_ends_the_connection(broker: PrivateBroker) -> None:
    limit = 1024 * 1024
    async with as_agent(broker) as pi:
        await pi.publish(Packet(topic=HOLDING, payload=bytes(limit - 200)))
        await unreachable(pi.publish(Packet(topic=HOLDING, payload=bytes(limit))))


async def test_a_login_that_is_taken_away_ends_its_connection(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi, asyncio.timeout(PROMPT_SECONDS):
        await broker.change_logins({COORDINATOR.login: broker.logins[COORDINATOR.login]})
        await unreachable(pi.received())


async def test_the_brokers_reason_for_ending_a_connection_is_told() -> None:
    taken_over = b"\xe0\x01\x8e"
    async with scripted_broker(CONNACK + taken_over) as port, connected_to(port) as bus:
        assert await unreachable(bus.received()) == f"127.0.0.1:{port} ended the connection: Session taken over"


async def test_a_publish_that_is_none_ends_the_connection() -> None:
    beyond_its_end = b"\x30\x03\x00\x09a"
    async with scripted_broker(CONNACK + beyond_its_end) as port, connected_to(port) as bus:
        await unreachable(bus.received())


async def test_a_frozen_broker_does_not_hold_back_who_leaves(
    broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_module, "LEAVE_SECONDS", 0.1)
    async with asyncio.timeout(PROMPT_SECONDS):
        async with as_agent(broker) as pi:
            os.kill(broker.pid, signal.SIGSTOP)
            pi.post(Packet(topic=HOLDING, payload=b"who hears this"))


# The beginning of a connection


async def test_a_wrong_password_is_a_refused_login(broker: PrivateBroker) -> None:
    right = address_of(broker, PI)
    wrong = BrokerAddress(host=right.host, port=right.port, username=right.username, password="guessed")
    with pytest.raises(LoginRefused, match="refused the login of agents/pi-1"):
        await tried(wrong)


async def test_where_nobody_listens_the_error_names_the_place() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        port = free.getsockname()[1]
        with pytest.raises(BrokerUnreachable, match=rf"no broker at 127\.0\.0\.1:{port}: "):
            await tried(anyone_at("127.0.0.1", port))


async def test_a_name_that_nobody_has_is_unreachable() -> None:
    with pytest.raises(BrokerUnreachable, match=r"no broker at nobody\.invalid:1883: "):
        await tried(anyone_at("nobody.invalid", 1883))
    with pytest.raises(BrokerUnreachable, match="no host name"):
        await tried(anyone_at("two..dots", 1883))


async def test_an_address_that_refuses_is_followed_by_the_next(
    broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        found_at(monkeypatch, deaf.getsockname(), (broker.host, broker.port))
        async with as_agent(broker) as pi:
            await pi.publish(Packet(topic=HOLDING, payload=b"found"))


async def test_a_name_without_an_address_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    found_at(monkeypatch)
    with pytest.raises(BrokerUnreachable, match="the name nowhere has no address"):
        await tried(anyone_at("nowhere", 1883))


def found_at(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    async def look_up(_host: str, _port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
        return [(socket.AF_INET, address) for address in addresses]

    monkeypatch.setattr(bus_module, "_looked_up", look_up)


async def test_who_reaches_only_itself_has_reached_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        itself = probe.getsockname()
    plain = socket.socket

    def bound_to_where_it_dials(*args: int) -> socket.socket:
        sock = plain(*args)
        sock.bind(itself)
        return sock

    monkeypatch.setattr(socket, "socket", bound_to_where_it_dials)
    with pytest.raises(BrokerUnreachable, match="nobody listens there"):
        await tried(anyone_at(*itself))


STUCK = """
import asyncio, socket, time
from ffmesh_protocol.bus import BrokerAddress, connected

socket.getaddrinfo = lambda *args, **kwargs: time.sleep(60)

async def main():
    address = BrokerAddress(host="slow.example", port=1883, username="", password="")
    try:
        async with asyncio.timeout(0.05), connected(address, client_id="stuck"):
            pass
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""


async def test_a_name_server_that_does_not_answer_holds_no_process_back() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STUCK, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert (output, process.returncode) == (b"given up\n", 0)


async def test_who_answers_nothing_is_unreachable_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "CONNECT_SECONDS", 0.2)
    async with mute_listener() as port, nothing_left():
        with pytest.raises(BrokerUnreachable, match="did not answer"):
            await tried(anyone_at("127.0.0.1", port))


async def test_who_hangs_up_before_answering_is_unreachable_at_once() -> None:
    async with scripted_broker() as port, asyncio.timeout(PROMPT_SECONDS):
        with pytest.raises(BrokerUnreachable, match="no connection to"):
            await tried(anyone_at("127.0.0.1", port))


async def test_a_cancelled_attempt_ends_at_once_and_leaves_nothing() -> None:
    async with mute_listener() as port, nothing_left(), asyncio.timeout(PROMPT_SECONDS):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tried(anyone_at("127.0.0.1", port))


async def test_an_attempt_cancelled_at_any_step_leaves_no_connection(broker: PrivateBroker) -> None:
    address = address_of(broker, PI)
    async with nothing_left(), asyncio.TaskGroup() as tasks:
        for steps in range(60):
            attempt = tasks.create_task(tried(address))
            for _ in range(steps):
                await asyncio.sleep(0)
            attempt.cancel()


async def test_a_refused_subscription_is_an_error() -> None:
    not_authorized = b"\x90\x04\x00\x01\x00\x87"  # Mosquitto grants them all; other brokers do not
    async with scripted_broker(CONNACK, not_authorized) as port:
        with pytest.raises(BrokerError, match="refused the subscription to ffmesh/home/#"):
            await tried(anyone_at("127.0.0.1", port), EVERYTHING)


async def test_a_broker_that_has_no_room_is_unreachable() -> None:
    server_busy = b"\x20\x03\x00\x89\x00"
    async with scripted_broker(server_busy) as port:
        with pytest.raises(BrokerUnreachable, match="refused the connection"):
            await tried(anyone_at("127.0.0.1", port))


# What must not be forgotten


async def test_small_messages_are_not_held_back_by_either_side(broker: PrivateBroker) -> None:
    async with as_agent(broker) as pi:
        sock = pi._connection._client.socket()  # pyright: ignore[reportPrivateUsage] - nobody else needs to know it
        assert isinstance(sock, socket.socket)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert "set_tcp_nodelay true" in broker.folder.conf.read_text(encoding="utf-8").splitlines()


def test_an_address_never_shows_its_password() -> None:
    address = BrokerAddress(host="fe80::1", port=1883, username="agents/pi-1", password="secret")
    assert "secret" not in f"{address} {address!r}"
    assert str(address) == "[fe80::1]:1883"


def anyone_at(host: str, port: int) -> BrokerAddress:
    return BrokerAddress(host=host, port=port, username="agents/pi-1", password="")


async def tried(address: BrokerAddress, *subscriptions: Subscription) -> None:
    async with connected(address, client_id="agents/pi-1/attempt", subscriptions=subscriptions):
        pass


def connected_to(port: int) -> AbstractAsyncContextManager[Bus]:
    return connected(anyone_at("127.0.0.1", port), client_id="agents/pi-1/attempt")


CONNACK = b"\x20\x03\x00\x00\x00"


@asynccontextmanager
async def scripted_broker(*answers: bytes) -> AsyncGenerator[int, None]:
    """Answers each write of its only client with the next of these, then hangs up; the port."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(4096)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(play, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def mute_listener() -> AsyncGenerator[int, None]:
    """A port where the kernel takes connections that nobody ever reads from."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@asynccontextmanager
async def nothing_left() -> AsyncGenerator[None, None]:
    """What the block opened closes by itself: no task and no socket stays."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    yield
    async with asyncio.timeout(PROMPT_SECONDS):
        while asyncio.all_tasks() != tasks or open_sockets() > sockets:  # noqa: ASYNC110
            await asyncio.sleep(0)  # nobody tells when a descriptor is closed


def open_sockets() -> int:
    with os.scandir("/proc/self/fd") as descriptors:
        return sum(_is_socket(entry.path) for entry in descriptors)


def _is_socket(path: str) -> bool:
    try:
        return str(Path(path).readlink()).startswith("socket:")
    except FileNotFoundError:  # the descriptor of the listing itself
        return False


async def test_a_cancellation_that_comes_with_the_brokers_answer_is_not_swallowed(
    broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = vars(bus_module)["_Connection"]
    opened = connection.open

    async def swallowing(self: object, subscriptions: object) -> None:
        """As asyncio.wait_for does on Python 3.11, when the moment is right."""
        await opened(self, subscriptions)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    monkeypatch.setattr(connection, "open", swallowing)

    async def converse() -> None:
        async with as_coordinator(broker):
            pytest.fail("it went on")

    task = asyncio.get_running_loop().create_task(converse(), name="conversation")
    with pytest.raises(asyncio.CancelledError):
        await task

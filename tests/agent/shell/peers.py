"""A little of a coordinator and of a client, and the agent as a process of its own."""

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import tomli_w

from agent.shell.stage import fresh_id
from ffmesh_protocol import codec
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.keys import Label, SealedFor, broker_password, derived, sealed, stream_keys
from ffmesh_protocol.messages.capability import Advert
from ffmesh_protocol.messages.orders import Audience, Grant, Grants, Offer, Offers, Welcome
from ffmesh_protocol.messages.presence import AgentState, AgentStatus, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import Claim, Hello
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.names import COORDINATOR, Principal, agent, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Numbers, Stamp, checked_mac, signed, stamp_of
from ffmesh_protocol.streams import IncomingStream, unpacked
from ffmesh_protocol.topics import Topics, Verb
from ffmesh_protocol.wire import Directed
from support.broker import PrivateBroker

T = TypeVar("T")

CLUSTER = "home"
NAME = "pi-1"
SECRET = bytes(range(32))
ME: Principal = agent(NAME)
READER: Principal = client("jellyfin")
TOPICS = Topics(CLUSTER)
LOGINS = {ME.login: broker_password(SECRET, CLUSTER, ME), COORDINATOR.login: "secret", READER.login: "another"}


def home_in(folder: Path, port: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    table = {
        "cluster": CLUSTER,
        "name": NAME,
        "secret": base64.b64encode(SECRET).decode(),
        "kid": 1,
        "broker": {"host": "127.0.0.1", "port": port},
        "roots": {"R": str(folder)},
        "programs": {"sh": "", "true": ""},
        "slots": {"cpu": 2},
    }
    (folder / "agent.toml").write_text(tomli_w.dumps(table))
    return folder


@contextmanager
def started_agent(
    home: Path, *, program: Sequence[str] = ("-m", "ffmesh_agent")
) -> Generator[subprocess.Popen[bytes], None, None]:
    with subprocess.Popen(
        [sys.executable, *program, "--config", home / "agent.toml"], stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


async def exit_code(process: subprocess.Popen[bytes]) -> int:
    return await asyncio.to_thread(process.wait, 20)


class Coordinator:
    """Enough of one to greet an agent and to grant it something."""

    def __init__(self, bus: Bus) -> None:
        self.life = fresh_id()
        self.agent_life = ""
        self._bus = bus
        self._numbers = Numbers()
        self._packets: list[Packet] = []

    async def heard(self, topic: str, kind: type[T]) -> T:
        """The next message to this topic; what comes before it is passed over."""
        while True:
            while self._packets:
                packet = self._packets.pop(0)
                if packet.topic == topic and packet.payload:
                    if packet.topic.startswith(TOPICS.directed(ME, COORDINATOR, self.life, "")):
                        self.agent_life = stamp_of(packet).sender_life
                    return codec.decode(kind, packet.payload)
            self._packets = await self._bus.received()

    async def told(self, verb: Verb, kind: type[T]) -> T:
        return await self.heard(TOPICS.directed(ME, COORDINATOR, self.life, verb), kind)

    async def status(self, state: AgentState) -> AgentStatus:
        while (status := await self.heard(TOPICS.agent_status(NAME), AgentStatus)).state is not state:
            pass
        return status

    async def greet(self) -> Hello:
        status = CoordinatorStatus(state=CoordinatorState.ONLINE, life=self.life, connection=1, version="test")
        await self._bus.publish(Packet(topic=TOPICS.coordinator_status(), payload=codec.encode(status), retain=True))
        hello = await self.told(Verb.HELLO, Hello)
        await self.say(Verb.WELCOME, Welcome(draining=False))
        return hello

    async def say(self, verb: Verb, message: Directed) -> None:
        packet = Packet(topic=TOPICS.directed(COORDINATOR, ME, self.agent_life, verb), payload=codec.encode(message))
        number = self._numbers.next(self.agent_life)
        stamp = Stamp(kid=1, sender_life=self.life, receiver_life=self.agent_life, number=number)
        key = derived(SECRET, CLUSTER, ME, Label.FROM_COORDINATOR)
        await self._bus.publish(signed(packet, key, stamp))

    async def grant(self, grant: Grant) -> None:
        """To an agent that is greeted and has told what it can do. A lease counts from its claim."""
        offer = Offer(attempt=grant.attempt, job=grant.job, kind=grant.kind, needs=grant.needs)
        await self.say(Verb.OFFER, Offers(offers=(offer,)))
        await self.told(Verb.CLAIM, Claim)
        await self.say(Verb.GRANT, Grants(grants=(grant,)))

    async def advertised(self) -> Advert:
        return await self.heard(TOPICS.advert(NAME), Advert)


class Reader:
    """A client that takes the streams of one attempt."""

    def __init__(self, bus: Bus, life: str, agent_life: str, grant: Grant) -> None:
        self.got = {Verb.STDOUT: bytearray(), Verb.STDERR: bytearray()}
        self._streams = {Verb.STDOUT: IncomingStream(), Verb.STDERR: IncomingStream()}
        self._keys = stream_keys(bytes(32), CLUSTER, grant.job, grant.attempt)
        self._bus = bus
        self._life = life
        self._agent_life = agent_life
        self._grant = grant
        self._numbers = Numbers()

    def grant(self) -> Grant:
        """With this client as its audience."""
        bound_to = SealedFor(job=self._grant.job, attempt=self._grant.attempt, agent=NAME, life=self._agent_life)
        box = sealed(self._keys, derived(SECRET, CLUSTER, ME, Label.SEAL), bound_to, os.urandom(12))
        coded = base64.b64encode(box).decode()
        audience = Audience(client=READER.name, life=self._life, kid=1, sealed_keys=coded)
        return msgspec.structs.replace(self._grant, audience=audience)

    async def say_credit(self) -> None:
        credit = StreamCredit(
            attempt=self._grant.attempt,
            received={verb: stream.received for verb, stream in self._streams.items()},
            allowed={verb: stream.allowed for verb, stream in self._streams.items()},
        )
        packet = Packet(topic=TOPICS.directed(READER, ME, self._agent_life, Verb.CREDIT), payload=codec.encode(credit))
        number = self._numbers.next(self._agent_life)
        stamp = Stamp(kid=1, sender_life=self._life, receiver_life=self._agent_life, number=number)
        await self._bus.publish(signed(packet, self._keys.to_agent, stamp))

    async def read(self) -> None:
        """To the ends of both streams."""
        while not all(stream.complete for stream in self._streams.values()):
            for packet in await self._bus.received():
                checked_mac(packet, stamp_of(packet), self._keys.to_client)
                verb = Verb(packet.topic.rpartition("/")[2])
                fresh = self._streams[verb].take(unpacked(packet.payload))
                self.got[verb] += fresh
                self._streams[verb].consume(len(fresh))
            await self.say_credit()


@asynccontextmanager
async def bus_of(broker: PrivateBroker, who: Principal, topic: str) -> AsyncGenerator[Bus, None]:
    address = BrokerAddress(host=broker.host, port=broker.port, username=who.login, password=LOGINS[who.login])
    subscriptions = [Subscription(topic=topic)]
    async with asyncio.timeout(60), connected(address, client_id=fresh_id(), subscriptions=subscriptions) as bus:
        yield bus


@asynccontextmanager
async def coordinator_at(broker: PrivateBroker) -> AsyncGenerator[Coordinator, None]:
    async with bus_of(broker, COORDINATOR, TOPICS.everything()) as bus:
        yield Coordinator(bus)

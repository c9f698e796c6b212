"""A coordinator that runs as a process in a home with its broker, and a client that speaks to it."""

import asyncio
import base64
import json
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any, TypeVar

from ulid import ULID

from ffmesh_coordinator.shell import door
from ffmesh_coordinator.shell.errands import Ensure, Errand, Ready, Status, Wanted
from ffmesh_protocol import codec, signing
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.errors import BrokerUnreachable
from ffmesh_protocol.keys import Label, broker_password, derived
from ffmesh_protocol.messages.answers import Answer
from ffmesh_protocol.messages.orders import Welcome
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.reports import Hello
from ffmesh_protocol.names import COORDINATOR, SPOKEN_ROLES, Principal
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.sending import published
from ffmesh_protocol.topics import Family, Topics, Verb
from ffmesh_protocol.wire import Directed
from support.broker import PrivateBroker, private_broker
from support.coordinating import advert

PATIENCE = 30.0
LOOK_AGAIN = 0.01
CLUSTER = "home"
TOPICS = Topics(CLUSTER)

A = TypeVar("A")
D = TypeVar("D", bound=Directed)


class Running:
    """A coordinator's process."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
        self._process = process
        self._said = said

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def limit_files(self, size: int | None) -> None:
        """No file of it may grow beyond that, as on a disk that is full; null: any may."""
        limit = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    async def ended(self) -> tuple[int, str]:
        """How it ended, and what it had said."""
        code = await asyncio.to_thread(self._process.wait, PATIENCE)
        self._said.seek(0)
        return code, self._said.read().decode()

    async def stopped(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self._process.send_signal(number)
        return await self.ended()


class Place:
    """A home beside a broker, as `ffmesh up` makes it."""

    def __init__(self, home: Path, broker: PrivateBroker) -> None:
        self.home = home
        self.broker = broker
        self.run = home / "run"

    @property
    def config(self) -> Path:
        return self.home / "coordinator.toml"

    def note_broker(self) -> None:
        (self.run / "broker.pid").write_text(f"{self.broker.pid}\n")

    @contextmanager
    def coordinator(self) -> "Generator[Running, None, None]":
        with tempfile.TemporaryFile() as said:
            command = [sys.executable, "-m", "ffmesh_coordinator", "--config", str(self.config)]
            with subprocess.Popen(command, stderr=said) as process:
                try:
                    yield Running(process, said)
                finally:
                    process.kill()

    async def asked(self, errand: Errand) -> dict[str, Any]:
        """The answer of a coordinator that is there, or soon will be."""
        async with asyncio.timeout(PATIENCE):
            while (line := await door.asked(self.run, errand)) is None:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(LOOK_AGAIN)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def is_connected(self) -> dict[str, Any]:
        assert (await self.asked(Ready()))["ok"]
        return await self.asked(Status())

    async def secret(self, name: str, role: str = "client") -> str:
        answer = await self.asked(Ensure(principals=(Wanted(name=name, role=role),)))
        (member,) = answer["principals"]
        secret: str = member["secret"]
        return secret


@asynccontextmanager
async def a_place(home: Path) -> AsyncGenerator[Place, None]:
    home.mkdir(parents=True, exist_ok=True)
    async with private_broker(home) as broker:
        place = Place(home, broker)
        place.run.mkdir()
        place.config.write_text(f"[broker]\nport = {broker.port}\n")
        place.note_broker()
        yield place


class Speaker:
    """A client's connection: asks, and hears what is answered and what is retained."""

    def __init__(self, bus: Bus, principal: Principal, secret: bytes, life: str) -> None:
        self.bus = bus
        self.principal = principal
        self.secret = secret
        self.life = life
        self.statuses: list[CoordinatorStatus] = []
        self.heard: list[Packet] = []
        self._numbers = count(1)

    def signed(self, verb: Verb, message: Directed, to_life: str) -> Packet:
        bare = Packet(
            topic=TOPICS.directed(self.principal, COORDINATOR, to_life, verb),
            payload=codec.encode(message),
            response_topic=TOPICS.directed(COORDINATOR, self.principal, self.life, Verb.ANSWER),
            correlation=str(number := next(self._numbers)).encode(),
        )
        stamp = signing.Stamp(kid=1, sender_life=self.life, receiver_life=to_life, number=number)
        return signing.signed(bare, derived(self.secret, CLUSTER, self.principal, Label.TO_COORDINATOR), stamp)

    async def ask(self, verb: Verb, message: Directed) -> Answer:
        """The answer of the coordinator that is there."""
        life = (await self.status(lambda status: status.state is not CoordinatorState.OFFLINE)).life
        packet = self.signed(verb, message, life)
        self.bus.post(packet)
        answer = await self._until(lambda: next(filter(lambda heard: _answers(heard, packet), self.heard), None))
        self.heard.remove(answer)
        key = derived(self.secret, CLUSTER, self.principal, Label.FROM_COORDINATOR)
        signing.checked_mac(answer, signing.stamp_of(answer), key)
        return codec.decode(Answer, answer.payload)  # type: ignore[arg-type] # a union is no class

    async def status(self, wanted: Callable[[CoordinatorStatus], bool]) -> CoordinatorStatus:
        """The coordinator's last retained word, once it is as wanted."""
        return await self._until(lambda: next(filter(wanted, self.statuses[-1:]), None))

    async def told(self, verb: Verb, kind: type[D]) -> D:
        """The first message of that verb from the coordinator that was not taken yet."""
        topic = TOPICS.directed(COORDINATOR, self.principal, self.life, verb)
        packet = await self._until(lambda: next((heard for heard in self.heard if heard.topic == topic), None))
        self.heard.remove(packet)
        return codec.decode(kind, packet.payload)

    async def hears(self) -> None:
        """Returns when it has heard something more."""
        before = len(self.heard) + len(self.statuses)
        await self._until(lambda: True if len(self.heard) + len(self.statuses) > before else None)

    async def is_cut_off(self) -> None:
        """Returns when the broker has ended the connection."""
        with suppress(BrokerUnreachable):
            await self._until(lambda: None)

    async def _until(self, look: Callable[[], A | None]) -> A:
        async with asyncio.timeout(PATIENCE):
            while (found := look()) is None:
                for packet in await self.bus.received():
                    if packet.topic == TOPICS.coordinator_status():
                        self.statuses.append(codec.decode(CoordinatorStatus, packet.payload))
                    else:
                        self.heard.append(packet)
        return found


async def greet(agent: Speaker) -> str:
    """It is there, with an advert and nothing in its hands; the life of the coordinator that welcomes it."""
    life = (await agent.status(lambda status: status.state is CoordinatorState.ONLINE)).life
    agent.bus.post(published(Family.ADVERT, TOPICS.advert(agent.principal.name), advert(agent.life)))
    hello = Hello(beat=1, boot="b", spool="s", version="1", features=(), heard=0, held=())
    agent.bus.post(agent.signed(Verb.HELLO, hello, life))
    await agent.told(Verb.WELCOME, Welcome)
    return life


def _answers(heard: Packet, asked: Packet) -> bool:
    return (heard.topic, heard.correlation) == (asked.response_topic, asked.correlation)


@asynccontextmanager
async def speaker(place: Place, name: str = "tv", role: str = "client") -> AsyncGenerator[Speaker, None]:
    secret = base64.b64decode(await place.secret(name, role))
    principal, life = Principal(role=SPOKEN_ROLES[role], name=name), str(ULID())
    address = BrokerAddress(
        host=place.broker.host,
        port=place.broker.port,
        username=principal.login,
        password=broker_password(secret, CLUSTER, principal),
    )
    wanted = [TOPICS.coordinator_status(), TOPICS.to_me(principal, life)[1]]
    async with connected(
        address,
        client_id=f"{principal.login}/{life}-x",
        subscriptions=[Subscription(topic=topic) for topic in wanted],
    ) as bus:
        yield Speaker(bus, principal, secret, life)

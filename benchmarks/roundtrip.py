"""A request and its reply over the broker.

    python -m benchmarks.roundtrip

Two buses on a private broker with our configuration and access list: one asks, one answers, both unsigned. The same
with Nagle's algorithm on, as it is where nobody sets TCP_NODELAY: the broker's `set_tcp_nodelay` is false, and the
option is taken off both sockets again. The same with two clients of bare aiomqtt, which is what our bus stands on.
Then a signed request through the library to a coordinator that runs (`agents`, with one agent), which is what a person
at a prompt waits for once connected.
"""

import asyncio
import os
import socket
import tempfile
import time
from argparse import Namespace
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import aiomqtt
from benchmarks.broker import broker
from benchmarks.measure import Report, Samples, counted, parser, rows, run, turns
from benchmarks.mesh import Mesh, mesh

from ffmesh_client.mesh import Mesh as Conversation
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.packet import Packet

Ask = Callable[[], Awaitable[None]]

PASSWORD: Final = "benchmark"
PAYLOAD: Final = b'{"question":"as long as a small message of ours"}'

BARE, BUS, NAGLE, SIGNED = "bare aiomqtt", "our bus", "our bus, without TCP_NODELAY", "signed `agents` to a coordinator"
NODELAY: Final = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Pair(NamedTuple):
    """Who asks and who answers, by their logins."""

    asker: str
    answerer: str

    @property
    def request(self) -> str:
        return f"ffmesh/home/{self.asker}/to/{self.answerer}/life/ask"

    @property
    def reply(self) -> str:
        return f"ffmesh/home/{self.answerer}/to/{self.asker}/life/answer"


BUSES: Final = Pair("clients/ours", "agents/ours")
CLIENTS: Final = Pair("clients/bare", "agents/bare")

ANSWER_SECONDS: Final = 10.0


def benchmark(arguments: Namespace) -> Sequence[Report]:
    with tempfile.TemporaryDirectory(prefix="ffmesh-bench-") as folder, mesh() as ours:
        samples = asyncio.run(_measured(Path(folder), ours, arguments.rounds))
    return [
        Report(
            title="A request and its reply",
            rounds=arguments.rounds,
            rows=rows(samples, unit="ms", scale=1000, ratios={BUS: dict.fromkeys(samples, BUS)}),
        )
    ]


async def _measured(folder: Path, ours: Mesh, rounds: int) -> Samples:
    logins = dict.fromkeys((*BUSES, *CLIENTS), PASSWORD)
    with (
        broker(folder / "nodelay", logins) as port,
        broker(folder / "nagle", logins, nodelay=False) as nagle_port,
    ):
        async with AsyncExitStack() as stack:
            sides: dict[str, Ask] = {
                BARE: await stack.enter_async_context(_bare(port)),
                BUS: await stack.enter_async_context(_buses(port)),
                NAGLE: await stack.enter_async_context(_buses(nagle_port)),
                SIGNED: await stack.enter_async_context(_signed(ours)),
            }
            _take_nodelay_off(nagle_port)
            samples: Samples = {name: [] for name in sides}
            for name in turns(tuple(sides), rounds):
                began = time.perf_counter()
                async with asyncio.timeout(ANSWER_SECONDS):
                    await sides[name]()
                samples[name].append(time.perf_counter() - began)
    return counted(samples)


@asynccontextmanager
async def _buses(port: int) -> AsyncGenerator[Ask, None]:
    async with (
        _bus(port, BUSES.asker) as asker,
        _bus(port, BUSES.answerer) as answerer,
        asyncio.TaskGroup() as tasks,
    ):
        answering = tasks.create_task(_answer(answerer), name="answer")

        async def ask() -> None:
            asker.post(Packet(topic=BUSES.request, payload=PAYLOAD))
            await asker.received()

        yield ask
        answering.cancel()


@asynccontextmanager
async def _bus(port: int, login: str) -> AsyncGenerator[Bus, None]:
    async with connected(
        BrokerAddress(host="127.0.0.1", port=port, username=login, password=PASSWORD),
        client_id=f"{login}/bus",
        subscriptions=[Subscription(topic=f"ffmesh/home/+/+/to/{login}/#")],
    ) as bus:
        yield bus


async def _answer(bus: Bus) -> None:
    while True:
        for packet in await bus.received():
            bus.post(Packet(topic=BUSES.reply, payload=packet.payload))


@asynccontextmanager
async def _bare(port: int) -> AsyncGenerator[Ask, None]:
    async with (
        _client(port, CLIENTS.asker) as asker,
        _client(port, CLIENTS.answerer) as answerer,
        asyncio.TaskGroup() as tasks,
    ):
        await asker.subscribe(CLIENTS.reply, qos=1)
        await answerer.subscribe(CLIENTS.request, qos=1)

        async def answer() -> None:
            async for message in answerer.messages:
                await answerer.publish(CLIENTS.reply, message.payload, qos=1)

        async def ask() -> None:
            await asker.publish(CLIENTS.request, PAYLOAD, qos=1)
            await anext(aiter(asker.messages))

        answering = tasks.create_task(answer(), name="answer")
        yield ask
        answering.cancel()


def _client(port: int, login: str) -> aiomqtt.Client:
    return aiomqtt.Client(
        "127.0.0.1",
        port,
        username=login,
        password=PASSWORD,
        identifier=f"{login}/bare",
        protocol=aiomqtt.ProtocolVersion.V5,
        socket_options=(NODELAY,),
    )


@asynccontextmanager
async def _signed(ours: Mesh) -> AsyncGenerator[Ask, None]:
    async with Conversation.connected(ours.config) as conversation:

        async def ask() -> None:
            await conversation.agents()

        yield ask


def _take_nodelay_off(port: int) -> None:
    """From every connection of this process to that broker: the bus itself has no way to do without."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(entry.name))) as sock:
            if sock.family == socket.AF_INET and sock.getpeername()[1] == port:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)


if __name__ == "__main__":
    run(parser(__doc__, rounds=100).parse_args(), benchmark)

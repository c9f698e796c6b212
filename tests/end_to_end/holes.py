"""An agent beyond a network of the test's own, in which bytes can vanish in either direction, and nobody is told.

    with network_to(running.config()["broker"]) as network, far_agent(running, "far", network.port, slots=1):
        network.swallow(TO_BROKER)
        …
        network.heal()

What was sent over a connection that stood before comes late, as with TCP; what was begun meanwhile never came about.
"""

import asyncio
import subprocess
import threading
import tomllib
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from typing import Any

import tomli_w

from end_to_end.faults import ROOT
from end_to_end.outside import PYTHON, Mesh


class Direction(Enum):
    TO_BROKER = auto()
    FROM_BROKER = auto()


TO_BROKER, FROM_BROKER = Direction.TO_BROKER, Direction.FROM_BROKER


class Network:
    """Made by `network_to`. Its loop runs in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self._broker = (host, port)
        self._open = {direction: asyncio.Event() for direction in Direction}
        self._writers: set[asyncio.StreamWriter] = set()
        self._late: set[asyncio.StreamWriter] = set()
        """Of connections that were begun while something was swallowed."""
        self._connections: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def swallow(self, *directions: Direction) -> None:
        def close() -> None:
            for direction in directions:
                self._open[direction].clear()

        self._in_loop(close)

    def heal(self) -> None:
        def open_all() -> None:
            for writer in self._late:
                writer.transport.abort()
            self._late.clear()
            for each in self._open.values():
                each.set()

        self._in_loop(open_all)

    def end(self) -> None:
        self._in_loop(self._over.set)

    async def serve(self, started: "Future[Network]") -> None:
        self._loop = asyncio.get_running_loop()
        for each in self._open.values():
            each.set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set_result(self)
        await self._over.wait()
        server.close()
        for writer in self._writers:
            writer.transport.abort()
        for each in self._open.values():
            each.set()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        self._connections.add(this)
        try:
            await self._connect(reader, writer)
        finally:
            self._connections.discard(this)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to_broker = await asyncio.open_connection(*self._broker)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, to_broker}
        self._writers |= both
        if not all(each.is_set() for each in self._open.values()):
            self._late |= both
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._carry(reader, to_broker, TO_BROKER), name="to the broker")
                tasks.create_task(self._carry(there, writer, FROM_BROKER), name="from the broker")
        finally:
            self._writers -= both
            self._late -= both

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
        """Until the end of the connection, which is carried like any byte."""
        with suppress(OSError):
            while content := await reader.read(65536):
                await self._open[direction].wait()
                writer.write(content)
                await writer.drain()
        await self._open[direction].wait()
        writer.close()

    def _in_loop(self, what: Any) -> None:
        assert self._loop is not None
        done = threading.Event()

        def do() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(do)
        done.wait()


@contextmanager
def network_to(broker: dict[str, Any]) -> Generator[Network, None, None]:
    started: Future[Network] = Future()
    network = Network(broker["host"], broker["port"])
    thread = threading.Thread(target=lambda: asyncio.run(network.serve(started)), name="network")
    thread.start()
    try:
        yield started.result()
    finally:
        network.end()
        thread.join()


@contextmanager
def far_agent(running: Mesh, name: str, port: int, *, slots: int) -> Generator["subprocess.Popen[bytes]", None, None]:
    """One that joined with a token and reaches the broker through that port. Its home lies in that of the mesh."""
    home = running.home / "far" / name
    token = running.json("principal", "add", name, "--role", "agent", "--home", running.home)["token"]
    root = f"{ROOT}={running.home.parent}"
    running.say("join", token, "--home", home, "--root", root, "--program", "sh")
    config = tomllib.loads((home / "agent.toml").read_text())
    config["broker"]["port"] = port
    (home / "agent.toml").write_text(tomli_w.dumps(config | {"slots": {"cpu": slots}, "fence": "off"}))
    with agent_of(home) as agent:
        yield agent


@contextmanager
def agent_of(home: Path) -> Generator["subprocess.Popen[bytes]", None, None]:
    """`ffmesh-agent` with that home, in the foreground. Killed at the end of the block if it still runs."""
    line: list[str | Path] = [*PYTHON, "ffmesh_agent", "--config", home / "agent.toml"]
    with (home / "said").open("ab") as said, subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=said) as agent:
        try:
            yield agent
        finally:
            agent.kill()

"""Where a shim's calls are answered: what stays here is said at once, and what goes to the mesh is seen to its end."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from ffmesh_client import config as client_config
from ffmesh_client.config import ClientConfig
from ffmesh_client.mesh import Mesh
from ffmesh_client.shim.answering import Line
from ffmesh_client.shim.attending import Ended, attended
from ffmesh_client.shim.connections import Connections
from ffmesh_client.shim.ordering import Order, StaysHere, ordered
from ffmesh_client.shim.wording import Call, Word
from ffmesh_protocol.errors import BadConfig, FfmeshError


class Desk:
    """`run` lets its connections live. CONFIG is the path of a client.toml, or empty."""

    def __init__(self, config: str) -> None:
        self._path = config
        self._connections = Connections()
        self._known: tuple[object, ClientConfig] | None = None

    async def run(self) -> None:
        await self._connections.run()

    def close(self) -> None:
        self._connections.close()

    async def answer(self, line: Line) -> None:
        """One call, to its end. `MalformedMessage`, `ConnectionError`."""
        call, descriptors = await line.call()
        try:
            match self._ordered(call):
                case StaysHere():
                    line.say(Word.LOCAL)
                case Order() as order:
                    line.say(Word.WAIT)
                    await self._send(line, order, descriptors)
        finally:
            for each in descriptors.values():
                with suppress(OSError):
                    os.close(each)

    async def _send(self, line: Line, order: Order, descriptors: dict[int, int]) -> None:
        config = order.config

        async def on(mesh: Mesh) -> Ended:
            return await attended(mesh, order, descriptors, line)

        try:
            ended = await self._while_it_lives(line, self._connections.use(config, on))
        except FfmeshError as error:
            ended = Ended.untouched_because(str(error))
        ended.tell(line, order)

    def _ordered(self, call: Call) -> Order | StaysHere:
        try:
            return ordered(call, self._config())
        except BadConfig as error:
            return StaysHere(reason=str(error))

    def _config(self) -> ClientConfig:
        """As the file says now."""
        path = Path(self._path) if self._path else client_config.found(None, os.environ, Path.home())
        try:
            seen = path.stat()
            stamp = (seen.st_mtime_ns, seen.st_ino, seen.st_size)
        except OSError:
            stamp = None
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, client_config.load(path)
        return self._known[1]

"""Where a shim's calls are answered: what stays here is said at once, and what goes to the mesh is seen to its end."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

from ffmesh_client import config as client_config
from ffmesh_client.config import ClientConfig
from ffmesh_client.core.events import Event, Resumed, Signalled
from ffmesh_client.exits import Exit
from ffmesh_client.mesh import Mesh
from ffmesh_client.shim.answering import Line
from ffmesh_client.shim.attending import Exited, Killed, Outcome, RunHere, attended
from ffmesh_client.shim.connections import Connections
from ffmesh_client.shim.ordering import Order
from ffmesh_client.shim.orders import Orders
from ffmesh_client.shim.wording import STREAMS, Call, Word
from ffmesh_protocol.errors import BadConfig, FfmeshError
from ffmesh_protocol.standard_input import Reads

STDIN, STDOUT, STDERR = 0, 1, 2
NOTHING: Final = "/dev/null"


class Desk:
    """`run` lets its connections live. `config` is the path of a client.toml, or empty."""

    def __init__(self, config: str) -> None:
        self._path = config
        self._connections = Connections()
        self._orders = Orders()
        self._known: tuple[object, ClientConfig] | None = None

    async def run(self) -> None:
        await self._connections.run()

    def close(self) -> None:
        self._connections.close()

    async def answer(self, line: Line) -> None:
        """One call, to its end. `MalformedMessage`, or `ConnectionError`: there is no shim any more."""
        call, descriptors = await line.call()
        try:
            line.say(Word.WAIT)
            try:
                config = self._config()
            except BadConfig:
                line.say(Word.LOCAL)  # `doctor` says what is wrong with it
                return
            _tell(line, await self._heard(line, call, config, descriptors))
        finally:
            for each in descriptors.values():
                with suppress(OSError):
                    os.close(each)

    async def _heard(self, line: Line, call: Call, config: ClientConfig, descriptors: dict[int, int]) -> Outcome:
        """What becomes of it, while its caller is listened to from the first moment."""
        caller = Shim(line)
        try:
            async with asyncio.TaskGroup() as tasks:
                listening = tasks.create_task(caller.listen(), name="shim")
                found = await self._orders.order(call, config, caller.asked_to_end)
                if isinstance(found, Order):
                    outcome = await self._sent(caller, found, config, _streams(found, descriptors))
                else:
                    outcome = found
                listening.cancel()
        except BaseExceptionGroup as group:
            # Whoever waits learns what went wrong, not that there were tasks.
            raise group.exceptions[0] from None
        return outcome

    async def _sent(self, caller: "Shim", order: Order, config: ClientConfig, streams: Mapping[str, int]) -> Outcome:
        async def action(mesh: Mesh) -> Outcome:
            return await attended(mesh, order, streams, caller, config.shim)

        try:
            return await self._connections.use(config, action)
        except FfmeshError as error:
            sentence = str(error)
            return Exited(code=Exit.FAILED, sentence=sentence) if caller.has_begun else RunHere(reason=sentence)

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


class Shim:
    """The caller at the other end of a line."""

    has_another_way = True

    def __init__(self, line: Line) -> None:
        self.has_begun = False
        self.asked_to_end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._line = line
        self._tell: Callable[[Event], None] | None = None
        self._untold: list[Event] = []

    def attached(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        for event in self._untold:
            tell(event)

    def begun(self) -> None:
        self.has_begun = True
        self._line.say(Word.MESH)

    def suspend(self, kept: AbstractContextManager[None]) -> None:
        """It has stopped itself, and we go on."""
        del kept

    def left(self) -> None:
        self._tell = None

    async def listen(self) -> None:
        """Never returns: `ConnectionResetError` when it is gone."""
        async for number in self._line.signals():
            event = Resumed() if number == signal.SIGCONT else Signalled(signal=number)
            if number not in (signal.SIGCONT, signal.SIGTSTP) and not self.asked_to_end.done():
                self.asked_to_end.set_result(number)
            if self._tell is not None:
                self._tell(event)
            else:
                self._untold.append(event)
        raise ConnectionResetError


def _streams(order: Order, descriptors: dict[int, int]) -> dict[str, int]:
    """By name. What the caller has closed cannot be written, here as there."""
    for number in (STDOUT, STDERR):
        if number not in descriptors:
            descriptors[number] = os.open(NOTHING, os.O_RDONLY | os.O_CLOEXEC)
    wanted = [STDOUT, STDERR] if order.reads is Reads.NOTHING else [STDIN, STDOUT, STDERR]
    return {STREAMS[number]: descriptors[number] for number in wanted if number in descriptors}


def _tell(line: Line, outcome: Outcome) -> None:
    match outcome:
        case RunHere():
            line.say(Word.LOCAL)
        case Killed(signal=number):
            line.say(Word.KILLED, number)
        case Exited(code=code, sentence=sentence):
            if sentence is not None:
                line.say(Word.COMPLAINT, sentence)
            line.say(Word.EXIT, code)

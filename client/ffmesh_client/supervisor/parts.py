"""The parts of a mesh as their keeper sees them: each can be started, is then a process, and ends somehow."""

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from ffmesh_broker.configuration import BrokerFolder
from ffmesh_broker.private import Broker, start_broker
from ffmesh_client.supervisor.logs import PartLog
from ffmesh_protocol.wire import Told
from ffmesh_warden.handle import Warden
from ffmesh_warden.program import Program

BROKER: Final = "broker"
COORDINATOR: Final = "coordinator"


class End(Told, frozen=True):
    """`how` is the rest of a sentence that begins with the part's name."""

    how: str
    exit_code: int | None = None


class Running(Protocol):
    """A part that was started."""

    @property
    def pid(self) -> int: ...

    async def pid_is_noted(self) -> None: ...

    async def ended(self) -> End: ...

    async def stop(self) -> None:
        """SIGTERM, or what this part takes for the word to stop at once; returns when it is over."""

    def kill(self) -> None: ...


class Part(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def log(self) -> Path: ...

    async def start(self) -> Running: ...

    def last_words(self) -> list[str]:
        """What it said at last, if `End.how` does not quote it."""
        ...


def python(module: str, *words: str) -> list[str]:
    """A program of ours, with this very interpreter. Modules that lie in the current folder have no say (-P)."""
    return [sys.executable, "-P", "-m", module, *words]


class ProcessPart:
    """A program that says what it has to say on standard output and error."""

    def __init__(
        self,
        warden: Warden,
        name: str,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        """`ends_by`: what lets it stop at once."""
        self.name = name
        self._ends_by = ends_by
        self.log = log
        self._warden = warden
        self._argv = argv
        self._cwd = cwd
        self._env = env
        self._says = PartLog(log)

    async def start(self) -> Running:
        with self._says.opened() as descriptor:
            program = await self._warden.start(
                self._argv, env=self._env, cwd=self._cwd, stdout=descriptor, stderr=descriptor
            )
        return _RunningProcess(program, self._ends_by)

    def last_words(self) -> list[str]:
        return self._says.last_words()


class _RunningProcess:
    def __init__(self, program: Program, ends_by: signal.Signals) -> None:
        self._program = program
        self._ends_by = ends_by

    @property
    def pid(self) -> int:
        return self._program.pid

    async def pid_is_noted(self) -> None:
        pass

    async def ended(self) -> End:
        end = await self._program.ended()
        if end.signal is not None:
            return End(how=f"was killed by {signal.Signals(end.signal).name}")
        return End(how=f"ended with exit code {end.exit_code}", exit_code=end.exit_code)

    async def stop(self) -> None:
        self._program.signal(self._ends_by)
        await self._program.ended()

    def kill(self) -> None:
        self._program.signal(signal.SIGKILL)


class BrokerPart:
    """The private Mosquitto. Where it was started first, there it is started again."""

    name = BROKER

    def __init__(
        self, warden: Warden, folder: BrokerFolder, *, listen: str, port: int | None, last_port: int | None
    ) -> None:
        self.log = folder.log
        self.port = port
        self._warden = warden
        self._folder = folder
        self._addresses = (listen,)
        self._last_port = last_port

    async def start(self) -> Running:
        broker = await start_broker(
            self._warden, self._folder, addresses=self._addresses, port=self.port, preferred=self._last_port
        )
        self.port = broker.port
        return _RunningBroker(broker)

    def last_words(self) -> list[str]:
        return []


class _RunningBroker:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    @property
    def pid(self) -> int:
        return self._broker.pid

    async def pid_is_noted(self) -> None:
        # The logins may have changed between its start and now, when the coordinator could not know whom to tell.
        await self._broker.reload()

    async def ended(self) -> End:
        return End(how=(await self._broker.ended()).removeprefix("Mosquitto "))

    async def stop(self) -> None:
        await self._broker.stop()

    def kill(self) -> None:
        self._broker.kill()

"""A Mosquitto of our own, in a folder of its own.

It runs as the owner of its folder and dies with the warden that started it. Its log is kept in the folder, and quoted
when something fails.

Promises: a broker that was returned has listened on its port. A port that was demanded is that port or an error;
otherwise a free one is found by trying, since a port that was free a moment ago need not be.
"""

import asyncio
import os
import random
import shutil
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from ffmesh_broker.configuration import BrokerFolder, write_conf
from ffmesh_broker.errors import BrokerFailed, MosquittoMissing, PortTaken
from ffmesh_broker.log import Log
from ffmesh_warden.errors import NotStarted
from ffmesh_warden.handle import Warden
from ffmesh_warden.program import Ended, Program

if sys.platform != "win32":
    import pwd

LOOPBACK: Final = ("127.0.0.1",)

START_SECONDS: Final = 20.0
"""Mosquitto takes a fiftieth of a second, a Raspberry Pi that is also starting everything else a few."""

RELOAD_SECONDS: Final = 10.0
STOP_SECONDS: Final = 3.0
TOLD_AGAIN_SECONDS: Final = 0.25
POLL_SECONDS: Final = 0.002
"""How often its log is looked at: nobody tells that a file has grown. A pipe would, but it would have to be emptied for
ever after, and a broker that writes into a full one stands still."""

PORTS_TRIED: Final = 100

LOWEST_PORT: Final = 20_000
"""Above what well-known services use."""

SYSTEM_FOLDERS: Final = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
"""Where Mosquitto is but the PATH of an ordinary user often does not lead."""


class Broker:
    """Made by `start_broker` only. It is over when `ended` returns; a new one may then be started in its folder."""

    def __init__(self, program: Program, log: Log, folder: BrokerFolder, addresses: tuple[str, ...], port: int) -> None:
        self._program = program
        self._log = log
        self.folder = folder
        self.addresses = addresses
        self.port = port

    @property
    def pid(self) -> int:
        return self._program.pid

    async def reload(self) -> None:
        """Makes it read its logins again: who is none any more is disconnected, nobody else is.

        Whoever connects after this has returned meets the new logins. Nothing happens if it has ended meanwhile.
        """
        seen = self._log.size()
        self._program.signal(signal.SIGHUP)
        try:
            async with asyncio.timeout(RELOAD_SECONDS):
                await _has_come(self._program, lambda: self._log.says_reloading(since=seen))
        except TimeoutError as error:
            raise BrokerFailed(
                f"Mosquitto did not read its logins again within {RELOAD_SECONDS:.0f} s{self._log.last_words()}"
            ) from error

    def kill(self) -> None:
        """SIGKILL. It keeps nothing on disk, so nothing is lost that was not going to be."""
        self._program.signal(signal.SIGKILL)

    async def ended(self) -> str:
        """Returns when it runs no more: a sentence with its last words."""
        return f"Mosquitto {_end_of(await self._program.ended())}{self._log.last_words()}"

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help.

        Told more than once: Mosquitto says that it runs a moment before it begins to, and forgets, as it begins, what
        it was told until then.
        """
        try:
            async with asyncio.timeout(STOP_SECONDS):
                while self._program.end is None:
                    self._program.signal(signal.SIGTERM)
                    await _until(self._program, seconds=TOLD_AGAIN_SECONDS)
        except TimeoutError:
            self._program.signal(signal.SIGKILL)
            await self._program.ended()


@asynccontextmanager
async def running(
    warden: Warden,
    folder: BrokerFolder,
    *,
    addresses: tuple[str, ...] = LOOPBACK,
    port: int | None = None,
    preferred: int | None = None,
) -> AsyncGenerator[Broker, None]:
    """A broker for the length of the block."""
    broker = await start_broker(warden, folder, addresses=addresses, port=port, preferred=preferred)
    try:
        yield broker
    finally:
        await broker.stop()


async def start_broker(
    warden: Warden,
    folder: BrokerFolder,
    *,
    addresses: tuple[str, ...] = LOOPBACK,
    port: int | None = None,
    preferred: int | None = None,
) -> Broker:
    """Returns when it listens; raises `BrokerFailed`, or `PortTaken` when that is why.

    `port` is demanded, `preferred` only tried first. The folder was made by `prepare`, and no broker runs in it.
    """
    mosquitto = mosquitto_program()
    for candidate in _candidates(port, preferred):
        try:
            return await _start_on(warden, mosquitto, folder, addresses, candidate)
        except PortTaken:
            if port is not None:
                raise
    raise BrokerFailed(f"no free port was found on {' and '.join(addresses)} in {PORTS_TRIED} tries")


def mosquitto_program() -> Path:
    """Where Mosquitto is installed, or `MosquittoMissing`, which says how to mend that."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    found = shutil.which("mosquitto", path=path)
    if found is None:
        raise MosquittoMissing
    return Path(found).absolute()


async def _start_on(
    warden: Warden, mosquitto: Path, folder: BrokerFolder, addresses: tuple[str, ...], port: int
) -> Broker:
    write_conf(folder, addresses=addresses, port=port)
    log = Log(folder.log)
    user, group = _owner(folder.path)
    with log.open_for_writing() as descriptor:
        try:
            program = await warden.start(
                [mosquitto, "-c", folder.conf],
                env={},
                cwd=folder.path,
                stderr=descriptor,
                umask=0o077,
                user=user,
                group=group,
            )
        except NotStarted as error:
            raise BrokerFailed(f"Mosquitto did not start: {error}") from error
    try:
        async with asyncio.timeout(START_SECONDS):
            await _listens(program, log, addresses, port)
    except BaseException as error:
        program.signal(signal.SIGKILL)
        if isinstance(error, TimeoutError):
            raise BrokerFailed(f"Mosquitto did not listen within {START_SECONDS:.0f} s{log.last_words()}") from error
        raise
    return Broker(program, log, folder, addresses, port)


async def _listens(program: Program, log: Log, addresses: tuple[str, ...], port: int) -> None:
    """Returns when its log says so. To connect would prove nothing: it may be another program that answers."""
    if await _has_come(program, log.says_running):
        return
    assert program.end is not None
    if log.says_port_taken():
        raise PortTaken(addresses, port)
    raise BrokerFailed(f"Mosquitto did not start: it {_end_of(program.end)}{log.last_words()}")


async def _until(program: Program, *, seconds: float) -> None:
    """Returns when it has ended, or after so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await program.ended()


async def _has_come(program: Program, sign: Callable[[], bool]) -> bool:
    """Waits for a sign in the log. False: the program ended without it."""
    while not sign():
        if program.end is not None:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


def _candidates(port: int | None, preferred: int | None) -> Iterator[int]:
    if port is not None:
        yield port
        return
    if preferred is not None:
        yield preferred
    ports = ports_to_try()
    for _ in range(PORTS_TRIED):
        yield random.choice(ports)  # no secret: the port is told to everyone


def ports_to_try() -> range:
    """Ports that the kernel gives to no outgoing connection.

    A client that tries again and again to reach a broker that is away is given, sooner or later, the broker's own port
    for its end, is then connected to itself, and the broker cannot come back.
    """
    try:
        outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        outgoing = 32_768
    return range(LOWEST_PORT, outgoing) if outgoing > LOWEST_PORT + PORTS_TRIED else range(LOWEST_PORT, 65_536)


def _owner(path: Path) -> tuple[int | None, int | None]:
    """User and group to run as: those of the folder, if they are not ours already."""
    there = path.stat()
    if there.st_uid == os.geteuid():
        return None, None
    try:
        pwd.getpwuid(there.st_uid)
    except KeyError:
        return there.st_uid, there.st_gid
    return there.st_uid, None  # the user's own groups: the folder's may be root's


def _end_of(end: Ended) -> str:
    if end.signal is not None:
        return f"was killed by {signal.Signals(end.signal).name}"
    return f"ended with exit code {end.exit_code}"

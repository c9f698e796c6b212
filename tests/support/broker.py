"""A private Mosquitto for one test, with the real configuration and the real access list.

    async with private_broker(tmp_path, logins={"agents/pi-1": "secret"}) as broker:
        ... connect to broker.host, broker.port ...

Nothing of it survives the block, nor the test's process.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ffmesh_broker.configuration import BrokerFolder, prepare
from ffmesh_broker.files import replace_file
from ffmesh_broker.passwords import hashed_password
from ffmesh_broker.private import LOOPBACK, Broker, start_broker
from ffmesh_warden.handle import Warden


class PrivateBroker:
    """Made by `private_broker`. `logins` is login → password, as it is in force."""

    def __init__(self, warden: Warden, broker: Broker, logins: Mapping[str, str]) -> None:
        self._warden = warden
        self._broker = broker
        self.logins = dict(logins)
        self.host = LOOPBACK[0]

    @property
    def port(self) -> int:
        return self._broker.port

    @property
    def pid(self) -> int:
        return self._broker.pid

    @property
    def folder(self) -> BrokerFolder:
        return self._broker.folder

    async def change_logins(self, logins: Mapping[str, str]) -> None:
        """These and no others, from now on."""
        write_logins(self.folder, logins)
        self.logins = dict(logins)
        await self.reload()

    async def reload(self) -> None:
        """After the password file was changed."""
        await self._broker.reload()

    async def kill(self) -> None:
        """SIGKILL; with the process goes everything it retained."""
        self._broker.kill()
        await self._broker.ended()

    async def start(self) -> None:
        """Again, on the same port, and empty."""
        self._broker = await start_broker(self._warden, self.folder, port=self.port)

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    async def stop(self) -> None:
        """SIGTERM, as an orderly end."""
        await self._broker.stop()


@asynccontextmanager
async def private_broker(
    tmp_path: Path, *, cluster: str = "home", logins: Mapping[str, str] | None = None, extra_acl: str = ""
) -> AsyncGenerator[PrivateBroker, None]:
    """`extra_acl` is put behind the real access list, for a test's own observer."""
    folder = prepare(tmp_path / "broker", cluster=cluster)
    if extra_acl:
        replace_file(folder.acl, f"{folder.acl.read_text(encoding='utf-8')}\n{extra_acl}\n")
    write_logins(folder, logins or {})
    async with Warden.started() as warden:
        yield PrivateBroker(warden, await start_broker(warden, folder), logins or {})


@contextmanager
def broker_in_the_background(
    tmp_path: Path, *, cluster: str = "home", logins: Mapping[str, str] | None = None, extra_acl: str = ""
) -> Generator[PrivateBroker, None, None]:
    """The same for a fixture that several tests share. Its event loop is none of theirs: await nothing of it."""
    started: Future[PrivateBroker] = Future()
    finish = threading.Event()

    async def live() -> None:
        try:
            async with private_broker(tmp_path, cluster=cluster, logins=logins, extra_acl=extra_acl) as broker:
                started.set_result(broker)
                await asyncio.to_thread(finish.wait)
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    with ThreadPoolExecutor(1) as executor:
        over = executor.submit(asyncio.run, live())
        try:
            yield started.result()
        finally:
            finish.set()
            over.result()


def write_logins(folder: BrokerFolder, logins: Mapping[str, str]) -> None:
    """Also such as `ffmesh_broker.passwords` refuses: the broker's own behaviour towards them is tested as well."""
    lines = (f"{login}:{hashed_password(password)}\n" for login, password in logins.items())
    replace_file(folder.passwords, "".join(lines))

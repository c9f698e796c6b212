"""The Mosquitto of a coordinator that runs one itself: started through a warden of its own, and again when it ends.

It dies with its warden, and the warden with the coordinator, however that ends. Its folder is `broker` in the home.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from ffmesh_broker.configuration import BrokerFolder, prepare
from ffmesh_broker.errors import BrokerFailed, MosquittoMissing, PortTaken
from ffmesh_broker.files import replace_file
from ffmesh_broker.private import Broker, start_broker
from ffmesh_coordinator.config import Config
from ffmesh_coordinator.shell.errors import BrokerCannotBe
from ffmesh_coordinator.shell.home import Home, made_folder
from ffmesh_warden.errors import NotStarted
from ffmesh_warden.handle import Warden

PAUSES: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, … start in a row. The broker must be back within a second of its first death."""

LIVED: Final = 10.0
"""Who ran for so long before it ended has not failed to start: the row begins anew."""

LEFT_OVER_SECONDS: Final = 5.0
"""How long the port may still be the broker's of a coordinator that was killed, whose warden is about to end it."""

LOOK_AGAIN: Final = 0.1

log = logging.getLogger(__name__)


class OwnBroker:
    """Made by `own_broker` only."""

    def __init__(self, home: Home, config: Config) -> None:
        self._home = home
        self._config = config
        self._folder: BrokerFolder | None = None
        self._broker: Broker | None = None

    async def told(self) -> None:
        """It has read its logins again. One that does not run now reads them when it starts."""
        if self._broker is not None:
            await self._broker.reload()

    @asynccontextmanager
    async def kept(self) -> AsyncGenerator[None, None]:
        """It runs for the length of the block: it listens when that begins, and is started again when it ends."""
        made_folder(self._home.broker)
        self._folder = prepare(self._home.broker, cluster=self._config.cluster)
        self._home.made_run()
        async with Warden.started() as warden:
            try:
                broker = await self._first(warden)
                async with asyncio.TaskGroup() as tasks:
                    keeping = tasks.create_task(self._keep(warden, broker), name="broker")
                    yield
                    keeping.cancel()
            except ExceptionGroup as group:
                # What goes wrong in the block is to look as if there were no broker around it.
                first, *others = group.exceptions
                if others:
                    raise
                raise first from None
            finally:
                self._home.broker_pid.unlink(missing_ok=True)

    async def _first(self, warden: Warden) -> Broker:
        loop = asyncio.get_running_loop()
        until = loop.time() + LEFT_OVER_SECONDS
        while True:
            try:
                return await self._started(warden)
            except PortTaken as error:
                if loop.time() > until:
                    raise BrokerCannotBe(
                        f"{error} (`port` in [broker] of coordinator.toml; Debian's own Mosquitto is ended by "
                        "`systemctl disable --now mosquitto`)"
                    ) from error
            except (MosquittoMissing, NotStarted) as error:
                raise BrokerCannotBe(f"{error}") from error
            await asyncio.sleep(LOOK_AGAIN)

    async def _started(self, warden: Warden) -> Broker:
        assert self._folder is not None, "it was prepared"
        broker = await start_broker(
            warden, self._folder, addresses=(self._config.listen,), port=self._config.broker.port
        )
        replace_file(self._home.broker_pid, f"{broker.pid}\n")
        return broker

    async def _keep(self, warden: Warden, broker: Broker | None) -> None:
        """Until it is cancelled, or nothing can be started any more."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                broker = broker or await self._started(warden)
                end = await self._stays(broker)
            except (BrokerFailed, NotStarted) as error:
                end = f"the broker is of no use: {error}"
            broker = None
            if not warden.alive:
                raise BrokerCannotBe("the process that held the broker was killed, and the broker with it; start anew")
            failures = 1 if loop.time() - began >= LIVED else failures + 1
            pause = PAUSES[min(failures - 1, len(PAUSES) - 1)]
            log.warning("%s; it is started again%s", end, f" in {pause:g} s" if pause else "")
            await asyncio.sleep(pause)

    async def _stays(self, broker: Broker) -> str:
        """Returns when it has ended: how."""
        self._broker = broker
        log.info("the broker listens on %s, port %d (process %d)", self._config.listen, broker.port, broker.pid)
        try:
            await broker.reload()  # the logins may have changed between its start and now, when nobody could be told
            return await broker.ended()
        finally:
            self._broker = None
            await broker.stop()

"""Connections to the mesh, each a life of its own, and one more than are in use: ready when the next call comes.

That one is made when a call has ended, or goes on for a while: to make it takes two milliseconds of all processors of a
small machine, and they belong to the call that begins.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from ffmesh_client.config import ClientConfig
from ffmesh_client.mesh import Mesh

T = TypeVar("T")

SPARE_AFTER_SECONDS: Final = 0.2
CALLER_FIRST_SECONDS: Final = 0.002
"""So long after its end a caller has been told of it, and nothing for others, or for later, comes before that."""


class Connections:
    """`run` lets them live; what `use` is given is done with one of them."""

    def __init__(self) -> None:
        self._tasks: asyncio.TaskGroup | None = None
        self._closed = asyncio.Event()
        self._spare: _Connection | None = None

    async def run(self) -> None:
        """Until `close`, and then until the last farewell is said."""
        async with asyncio.TaskGroup() as self._tasks:
            await self._closed.wait()
            self._drop_spare()

    def close(self) -> None:
        self._closed.set()

    async def use(self, config: ClientConfig, action: Callable[[Mesh], Awaitable[T]]) -> T:
        """What the action gives, or raises; or why there is no connection for it. The farewell is said behind our back,
        also when we are cancelled."""
        connection = self._spare
        if connection is None or connection.is_over or connection.config != config:
            self._drop_spare()
            connection = self._begun(config)
        self._spare = None
        work = _Work(action)
        connection.give(work)
        loop = asyncio.get_running_loop()
        later = loop.call_later(SPARE_AFTER_SECONDS, self._make_spare, config)
        try:
            return await work.result
        except asyncio.CancelledError:
            connection.drop()
            raise
        finally:
            later.cancel()
            loop.call_later(CALLER_FIRST_SECONDS, self._make_spare, config)

    def _make_spare(self, config: ClientConfig) -> None:
        if self._spare is None and not self._closed.is_set():
            self._spare = self._begun(config)

    def _begun(self, config: ClientConfig) -> "_Connection":
        assert self._tasks is not None, "`run` does not run"
        return _Connection(config, self._tasks)

    def _drop_spare(self) -> None:
        if self._spare is not None:
            self._spare.drop()
        self._spare = None


class _Work(Generic[T]):
    def __init__(self, action: Callable[[Mesh], Awaitable[T]]) -> None:
        self._action = action
        self.result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    async def do(self, mesh: Mesh) -> None:
        result = await self._action(mesh)
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class _Connection:
    def __init__(self, config: ClientConfig, tasks: asyncio.TaskGroup) -> None:
        self.config = config
        self._work: asyncio.Future[_Work[object]] = asyncio.get_running_loop().create_future()
        self._task = tasks.create_task(self._hold(), name="connection")

    @property
    def is_over(self) -> bool:
        """It could not be made, or was lost for good."""
        return self._task.done()

    def give(self, work: "_Work[T]") -> None:
        self._work.set_result(work)  # type: ignore[arg-type] # what its result is matters to who waits for it alone

    def drop(self) -> None:
        self._task.cancel()

    async def _hold(self) -> None:
        """Never fails: it is one of many, and who works with it is told."""
        try:
            async with Mesh.connected(self.config) as mesh:
                await (await self._work).do(mesh)
                await asyncio.sleep(CALLER_FIRST_SECONDS)
        except Exception as error:  # noqa: BLE001 - it is handed on
            if self._work.done():
                self._work.result().fail(error)

"""Which roots are there now, and what can be done with them. One that hangs is not there, and holds up nothing.

Each look has a thread of its own (hanging.py). One that fails in a way that nobody expected says so of its root alone,
which counts as not there until a look succeeds. A root that needs another one is looked at when that one is there: what
lies in its place before is not it, and nothing is made in there.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import structs

from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell.hanging import Look
from ffmesh_agent.shell.looking import Eyes, Sight
from ffmesh_agent.shell.mounts import MountTable
from ffmesh_agent.shell.storage import StorageMemory
from ffmesh_protocol.limits import SENTENCE_CHARS
from ffmesh_protocol.messages.capability import RootState

log = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 1.0

NO_ANSWER: Final = "it does not answer"

_WHY_CHARS: Final = SENTENCE_CHARS // 4
"""It stands inside other sentences."""


class Roots:
    def __init__(
        self,
        places: Mapping[str, RootPlace],
        memory: StorageMemory,
        saw: Callable[[str, RootState], None],
        *,
        may_write: bool = True,
    ) -> None:
        """`saw` is told of each root as soon as it has been looked at, whatever the others do."""
        self._saw = saw
        self._table = MountTable()
        self._watched = {
            name: _Watched(name, place, memory, self._table, may_write=may_write) for name, place in places.items()
        }

    async def states(self, names: Iterable[str] | None = None) -> dict[str, RootState]:
        """Of all of them, or of these and all that they need."""
        looks: dict[str, asyncio.Task[RootState]] = {}
        async with asyncio.TaskGroup() as tasks:

            def looked_at(name: str) -> asyncio.Task[RootState]:
                if name not in looks:
                    needed = {other: looked_at(other) for other in self._watched[name].place.needs}
                    looks[name] = tasks.create_task(self._state(name, needed), name=f"root {name}")
                return looks[name]

            for name in self._watched if names is None else self._watched.keys() & set(names):
                _ = looked_at(name)
        return {name: looks[name].result() for name in sorted(looks)}

    async def _state(self, name: str, needed: Mapping[str, asyncio.Task[RootState]]) -> RootState:
        for other, look in needed.items():
            if not (await look).mounted:
                state = RootState(mounted=False, why=f"root {other}, which it needs, is not there")
                break
        else:
            state = await self._watched[name].state()
        self._saw(name, state)
        return state

    def device(self, name: str) -> int | None:
        """The number of the file system that it lay on when it was there last."""
        return self._watched[name].device if name in self._watched else None

    def mounts_changed(self) -> None:
        """Those that hung on what is not mounted any more are looked at anew."""
        self._table.read()
        for root in self._watched.values():
            root.mounts_changed()


class _Watched:
    def __init__(
        self, name: str, place: RootPlace, memory: StorageMemory, table: MountTable, *, may_write: bool
    ) -> None:
        self.place = place
        self.device: int | None = None
        self._may_write = may_write
        self._name = name
        self._memory = memory
        self._table = table
        self._real_place = place.path.rstrip("/") or "/"
        self._look = self._new_look()
        self._hangs_on: tuple[bytes, ...] | None = None
        self._is_failing = False

    def _new_look(self) -> Look[Sight]:
        eyes = Eyes(self.place, self._memory.nonce(self._name), may_write=self._may_write)
        return Look(f"look at {self._name}", eyes.look)

    async def state(self) -> RootState:
        try:
            state = await self._seen()
        except Exception as error:  # noqa: BLE001  # of one root's, whatever it is
            return self._failed(error)
        self._is_failing = False
        return state

    async def _seen(self) -> RootState:
        mounts = self._table.over(self._real_place)
        seen = await self._look.answer(ANSWER_SECONDS)
        if seen is None:
            self._hangs_on = mounts if self._hangs_on is None else self._hangs_on
            return RootState(mounted=False, why=NO_ANSWER)
        self._hangs_on = None
        self._real_place = seen.place or self._real_place
        self.device = seen.device if seen.device is not None else self.device
        if seen.state.storage is not None:
            self._memory.learn(self._name, seen.state.storage)
        return _bounded(seen.state)

    def _failed(self, error: Exception) -> RootState:
        if not self._is_failing:  # or the log would have it every two seconds
            log.error("root %s: the look at it failed", self._name, exc_info=error)
        self._is_failing = True
        return RootState(mounted=False, why=f"the look at it failed: {type(error).__name__}")

    def mounts_changed(self) -> None:
        """Its thread may stay with the dead mount for ever. Another one is begun only when the mounts on the way to it
        are others, so that a mount that hangs costs no more than one."""
        if self._hangs_on is not None and self._hangs_on != self._table.over(self._real_place):
            self._look = self._new_look()
            self._hangs_on = None


def _bounded(state: RootState) -> RootState:
    return state if state.why is None else structs.replace(state, why=state.why[:_WHY_CHARS])

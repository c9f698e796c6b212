"""One call's job on the mesh, to its end; or to the point where it had better run here, while nothing has begun."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from signal import SIGTSTP
from typing import Final, TypeAlias

from ffmesh_client import exits
from ffmesh_client.config import ShimConfig
from ffmesh_client.core.effects import Finish
from ffmesh_client.core.events import Event, Signalled, Withdrawn
from ffmesh_client.exits import Exit
from ffmesh_client.mesh import Mesh
from ffmesh_client.shell.caller import Caller
from ffmesh_client.shim.ordering import Order
from ffmesh_protocol.errors import FfmeshError
from ffmesh_protocol.wire import Told

ABSENCE_SECONDS: Final = 1.5
"""A broker or coordinator that is away for so long is not waited for."""

LONG_ABSENCE_SECONDS: Final = 45
"""Half as long again as the lease of a job that somebody waits for."""


class Exited(Told, frozen=True):
    """As the program did. `sentence` says what was not the program's own doing."""

    code: int
    sentence: str | None = None


class Killed(Told, frozen=True):
    signal: int


class RunHere(Told, frozen=True):
    """Nothing was started elsewhere, and nothing will be."""

    reason: str


Outcome: TypeAlias = Exited | Killed | RunHere


class Attention:
    """Between the caller and its job: notes what has begun, and withdraws what has not in time."""

    def __init__(self, caller: Caller) -> None:
        self.has_begun = False
        self.signal: int | None = None
        """That came before anything had begun."""
        self._caller = caller
        self._tell: Callable[[Event], None] | None = None

    @property
    def has_another_way(self) -> bool:
        return True

    def attached(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._caller.attached(self._heard)

    def begun(self) -> None:
        self.has_begun = True
        self._caller.begun()

    def suspend(self, kept: AbstractContextManager[None]) -> None:
        self._caller.suspend(kept)

    def left(self) -> None:
        self._tell = None
        self._caller.left()

    def withdraw(self) -> None:
        if self._tell is not None:
            self._tell(Withdrawn())

    def _heard(self, event: Event) -> None:
        if isinstance(event, Signalled) and event.signal != SIGTSTP and not self.has_begun:
            self.signal = event.signal
        if self._tell is not None:
            self._tell(event)


async def attended(
    mesh: Mesh, order: Order, streams: Mapping[str, int], caller: Caller, config: ShimConfig, *, terminal: bool = False
) -> Outcome:
    attention = Attention(caller)
    loop = asyncio.get_running_loop()

    def look() -> None:
        if not mesh.is_there:
            attention.withdraw()

    timers = [
        loop.call_later(config.wait_seconds, attention.withdraw),
        loop.call_later(max(0.0, ABSENCE_SECONDS - mesh.age), look),
    ]
    try:
        finish = await _ended(mesh, order, streams, attention, terminal=terminal)
    finally:
        for timer in timers:
            timer.cancel()
    return outcome(finish, config, has_begun=attention.has_begun, signal=attention.signal)


async def _ended(mesh: Mesh, order: Order, streams: Mapping[str, int], caller: Caller, *, terminal: bool) -> Finish:
    """The job's end, or that of our patience with a broker that stays away: its program has been stopped by then."""

    async def run() -> Finish:
        try:
            return await mesh.run(order.submit, streams, caller, terminal=terminal)
        except FfmeshError as error:
            return Finish(exit_code=exits.of_error(error), sentence=str(error))

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run(), name="run")
        watching = tasks.create_task(_long_absence(mesh), name="absence")
        await asyncio.wait([running, watching], return_when=asyncio.FIRST_COMPLETED)
        for task in (running, watching):
            task.cancel()
    if watching.cancelled():
        return running.result()
    away = f"the broker has been away for {LONG_ABSENCE_SECONDS:.0f} s, and no agent works on without it for so long"
    return Finish(exit_code=Exit.FAILED, sentence=away)


async def _long_absence(mesh: Mesh) -> None:
    """Returns when nothing has been heard of the broker for that long."""
    missed = 0
    while missed < LONG_ABSENCE_SECONDS:
        await asyncio.sleep(1)
        missed = 0 if mesh.is_connected else missed + 1


def outcome(finish: Finish, config: ShimConfig, *, has_begun: bool, signal: int | None) -> Outcome:
    if not has_begun and signal is not None:
        return Killed(signal=signal)  # as a program would be that has not got so far as to heed it
    if not has_begun or finish.never_started:
        reason = finish.sentence or "the mesh did not run it"
        if config.fallback:
            return RunHere(reason=reason)
        return Exited(code=Exit.UNREACHABLE, sentence=f"{reason}; `fallback` of [shim] in client.toml is off")
    if finish.signal is not None:
        return Killed(signal=finish.signal)
    return Exited(code=finish.exit_code, sentence=finish.sentence)

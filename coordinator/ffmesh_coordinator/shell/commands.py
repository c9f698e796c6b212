"""`ffmesh-coordinator principal …`: asked of the coordinator if it runs, done under the lock of the home if not.

A coordinator that is just starting or ending has the lock but no door; it is waited for.
"""

import asyncio
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ffmesh_coordinator.config import FILE_NAME, Config, load
from ffmesh_coordinator.core.keyring import Keyring
from ffmesh_coordinator.shell import door
from ffmesh_coordinator.shell.enrolment import Enrolment
from ffmesh_coordinator.shell.errands import Add, Added, Change, List, Listed, NotDone, Remove, Removed, Rotate, Rotated
from ffmesh_coordinator.shell.errors import HomeInUse, HomeUnusable, NotAnswered
from ffmesh_coordinator.shell.home import LOOK_AGAIN, Home
from ffmesh_coordinator.shell.store import Store
from ffmesh_protocol.errors import FfmeshError
from ffmesh_protocol.times import REQUEST_PATIENCE
from ffmesh_protocol.wire import Told

COMMAND: Final = "ffmesh principal"

A = TypeVar("A", Added, Listed, Removed, Rotated)


class _Outcome(Told, frozen=True):
    ok: bool


class RefusedByCoordinator(FfmeshError):
    """The coordinator that runs has said no, and what to exit with."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


async def added(folder: Path, name: str, role: str) -> Added:
    return await _done(folder, Add(name=name, role=role), Added)


async def listed(folder: Path) -> Listed:
    return await _done(folder, List(), Listed)


async def removed(folder: Path, name: str) -> Removed:
    return await _done(folder, Remove(name=name), Removed)


async def rotated(folder: Path, name: str) -> Rotated:
    return await _done(folder, Rotate(name=name), Rotated)


async def _done(folder: Path, change: Change, kind: type[A]) -> A:
    config, home = load(folder / FILE_NAME), Home(folder)
    try:
        async with asyncio.timeout(REQUEST_PATIENCE):
            while True:
                line = await door.asked(home.run, change)
                if line is not None:
                    return _understood(line, kind)
                try:
                    return await _done_alone(home, config, change, kind)
                except HomeInUse:
                    await asyncio.sleep(LOOK_AGAIN)
    except TimeoutError:
        raise NotAnswered(f"the coordinator in {home.folder} does not answer; is it stopped?") from None
    except PermissionError:
        raise HomeUnusable(f"{home.folder} belongs to another user; run this as that user or root") from None


async def _done_alone(home: Home, config: Config, change: Change, kind: type[A]) -> A:
    with home.locked(COMMAND):
        async with Store.opened(home.database, may_make=not home.master_key.exists()) as store:
            # Nobody speaks to this keyring: the secrets only pass through on their way to the password file.
            keyring = Keyring(config.cluster, bytes)
            enrolment = await Enrolment.opened(home, config, store, keyring)
            answer = await enrolment.carried_out(change)
            assert isinstance(answer, kind)
            return answer


def _understood(line: bytes, kind: type[A]) -> A:
    if msgspec.json.decode(line, type=_Outcome).ok:
        return msgspec.json.decode(line, type=kind)
    refused = msgspec.json.decode(line, type=NotDone)
    raise RefusedByCoordinator(refused.error, refused.exit)

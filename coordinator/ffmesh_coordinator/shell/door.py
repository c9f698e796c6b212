"""The coordinator's door on its own machine: `run/coordinator.sock`, a line of JSON in, a line of JSON out.

Only processes of the same user, and root's, are let in: whoever comes in may hand out memberships. The address of a
Unix socket has 108 bytes at most, and a home may lie deeper; so it is bound and reached by way of its open folder, as
`/proc/self/fd/N/coordinator.sock`. What to ask and what is answered stands in errands.py.
"""

import asyncio
import os
import select
import socket
import struct
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ffmesh_coordinator.shell.errands import Answer, Errand, NotDone, Ready, Rotations
from ffmesh_coordinator.shell.errors import RAN_AND_FAILED, WRONG_USAGE, HomeError, NotAnswered
from ffmesh_protocol.errors import BadName, FfmeshError

NAME: Final = "coordinator.sock"
LINE_BYTES: Final = 1024 * 1024
PRIVATE_SOCKET: Final = 0o600
VISITORS_WAITING: Final = 64
_CREDENTIALS: Final = struct.Struct("3i")

LOOK_AFTER_THEM: Final = 1.0
"""Seconds between two looks whether a visitor who waits for long is still there."""

Answering: TypeAlias = Callable[[Errand], Coroutine[None, None, Answer]]

_errands: Final[msgspec.json.Decoder[Errand]] = msgspec.json.Decoder(Errand)


@contextmanager
def listening(folder: Path) -> Generator[socket.socket, None, None]:
    """The socket, ready for visitors. One that a killed coordinator has left is replaced: the home is locked by us."""
    with address(folder) as name, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        there = Path(name)
        there.unlink(missing_ok=True)
        door.setblocking(False)
        door.bind(name)
        try:
            there.chmod(PRIVATE_SOCKET)  # nobody gets in before `listen`
            door.listen(VISITORS_WAITING)
            yield door
        finally:
            there.unlink(missing_ok=True)


async def receive_visitors(door: socket.socket, answering: Answering) -> None:
    """For ever. Each visitor may ask many things, one after the other."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as visits:
        while True:
            visitor, _ = await loop.sock_accept(door)
            if _is_welcome(visitor):
                visits.create_task(_receive(visitor, answering), name="visitor")
            else:
                visitor.close()


async def _receive(visitor: socket.socket, answering: Answering) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=visitor, limit=LINE_BYTES)
    try:
        while line := await reader.readline():
            answer = await _answered(line, answering, visitor)
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
    except (ConnectionError, ValueError):
        pass  # they left, or say more in one line than anybody could mean
    finally:
        writer.close()


async def _answered(line: bytes, answering: Answering, visitor: socket.socket) -> Answer:
    try:
        errand = _errands.decode(line)
        waiting = answering(errand)
        may_take_long = isinstance(errand, Ready | Rotations)
        return await (_while_they_wait(waiting, visitor) if may_take_long else waiting)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return NotDone(error=f"that is no request: {error}", exit=WRONG_USAGE)
    except BadName as error:
        return NotDone(error=str(error), exit=WRONG_USAGE)
    except HomeError as error:
        return NotDone(error=str(error), exit=error.exit_code)
    except FfmeshError as error:
        return NotDone(error=str(error), exit=RAN_AND_FAILED)


async def _while_they_wait(waiting: Coroutine[None, None, Answer], visitor: socket.socket) -> Answer:
    """The answer, unless the visitor leaves before it has come."""
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(waiting, name="visitor waits")
        while not answer.done():
            await asyncio.wait([answer], timeout=LOOK_AFTER_THEM)
            if _has_left(visitor):
                answer.cancel()
    if answer.cancelled():
        raise ConnectionAbortedError
    return answer.result()


def _has_left(visitor: socket.socket) -> bool:
    """Whether the other end is closed. One that only has nothing more to ask still waits for its answer."""
    look = select.poll()
    look.register(visitor, 0)
    return bool(look.poll(0))


def _is_welcome(visitor: socket.socket) -> bool:
    if sys.platform != "linux":
        return True  # the socket is its owner's alone, and nobody tells who comes
    credentials = visitor.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return user in {0, os.geteuid()}


async def asked(folder: Path, errand: Errand) -> bytes | None:
    """The coordinator's answer, a line; None: nobody is at the door."""
    try:
        with address(folder) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=LINE_BYTES)
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    try:
        writer.write(msgspec.json.encode(errand) + b"\n")
        line = await reader.readline()
    except ConnectionError:
        line = b""
    finally:
        writer.close()
    if not line:
        raise NotAnswered("the coordinator went away before it had answered; `ffmesh principal list` shows what it did")
    return line


@contextmanager
def address(folder: Path) -> Generator[str, None, None]:
    """The socket's name as the kernel takes it, however deep the folder lies. Good within the block.

    Without /proc it is the plain name, which is good for 103 bytes.
    """
    if sys.platform != "linux":
        yield str(folder / NAME)
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)

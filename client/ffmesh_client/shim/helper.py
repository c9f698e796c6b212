"""The resident helper of a shim: it has everything imported and a connection ready, so that a call costs neither.

    python -m ffmesh_client.shim.helper SOCKET CONFIG

It is started by the first call that finds none, says on descriptor 3 that it listens, and ends when it was idle for a
while. Each call has a connection and a life of its own, as if it were a process of its own: a broker, an agent and the
coordinator see no difference. One connection more than there are calls waits for the next.

It is a convenience: a shim that finds none, and can start none, does the same by itself (alone.py). A helper that
finds ffmesh changed under it, or gets SIGTERM, takes no more calls, and ends with the last one that it has.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import ffmesh_protocol
from ffmesh_client.exits import Exit
from ffmesh_client.shim.answering import Line
from ffmesh_client.shim.desk import Desk
from ffmesh_client.shim.wording import Word
from ffmesh_protocol.errors import MalformedMessage

if sys.platform != "win32":
    import fcntl
    import resource

READY: Final = 3
"""The descriptor on which whoever started us waits for a sign."""

IDLE_SECONDS: Final = 600.0
BACKLOG: Final = 256
PAUSE_SECONDS: Final = 0.1
ANOTHER_BEGINS_SECONDS: Final = 8.0
"""Somebody else's helper, which was first, has so long to listen."""

CREDENTIALS: Final = struct.Struct("3i")


def main(path: bytes, config: str) -> int:
    lock = _locked(path + b".lock")
    if lock is None:
        return 0 if asyncio.run(_another_listens(path)) else 1
    door = _door(path)
    with contextlib.suppress(OSError):
        os.write(READY, b"1")
        os.close(READY)

    def leave() -> None:
        """Another may take our place. Under the lock: nobody else's socket is taken away."""
        for ours in (path, path + b".lock"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(ours)  # noqa: PTH108 - bytes
        os.close(lock)

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the first caller's may be small
    asyncio.run(Helper(door, Desk(config), leave).serve())
    return 0


def _locked(path: bytes) -> int | None:
    """None: another helper has it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), os.stat(path)):  # noqa: PTH116 - bytes
                return lock
        except BlockingIOError:
            return None
        except FileNotFoundError:
            pass
        os.close(lock)  # the last one took it away when it left: it locks nothing any more


def _door(path: bytes) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - bytes; of a helper that was killed
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        door.bind(path)
    finally:
        os.umask(mask)
    door.listen(BACKLOG)
    door.setblocking(False)
    return door


async def _another_listens(path: bytes) -> bool:
    """Whether it comes to that; the sign for who waits is ours to give all the same."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ANOTHER_BEGINS_SECONDS):
            while True:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
                    line.setblocking(False)
                    try:
                        await loop.sock_connect(line, os.fsdecode(path))
                    except OSError:
                        await asyncio.sleep(0.01)
                        continue
                os.write(READY, b"1")
                return True
    return False


class Helper:
    def __init__(self, door: socket.socket, desk: Desk, leave: Callable[[], None]) -> None:
        self._door = door
        self._leave = leave
        self._desk = desk
        self._calls = 0
        self._idle = asyncio.Event()
        self._version = _version()

    async def serve(self) -> None:
        """Until nobody has called for a while."""
        async with asyncio.TaskGroup() as tasks:
            desk = tasks.create_task(self._desk.run(), name="desk")
            try:
                accepting = tasks.create_task(self._accept_calls(tasks), name="door")
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, accepting.cancel)
                await asyncio.wait([accepting])
            finally:
                self._door.close()
                self._leave()
            while self._calls:
                self._idle.clear()
                await self._idle.wait()
            self._desk.close()
            await desk

    async def _accept_calls(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while _version() == self._version:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    line, _ = await loop.sock_accept(self._door)
            except TimeoutError:
                if not self._calls:
                    return
                continue
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)  # too many open files: some will be closed
                continue
            if _peer(line) not in (os.geteuid(), 0):
                line.close()
                continue
            self._calls += 1
            tasks.create_task(self._attend(line), name="call")

    async def _attend(self, end: socket.socket) -> None:
        """One call, whatever becomes of it: what goes wrong with one must not end the others."""
        line = Line(end)
        try:
            await self._desk.answer(line)
        except (MalformedMessage, ConnectionError):
            pass  # no shim, or a dead one
        except Exception as error:  # noqa: BLE001 - the edge of a call
            line.say(Word.COMPLAINT, f"this is a fault of ours, please report it: {type(error).__name__}: {error}")
            line.say(Word.EXIT, Exit.FAILED)
        finally:
            line.close()
            self._calls -= 1
            self._idle.set()


def _peer(line: socket.socket) -> int:
    _, user, _ = CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return int(user)


def _version() -> int | None:
    """Changes when ffmesh is installed anew; what is imported later would not fit what is here."""
    try:
        return Path(ffmesh_protocol.__file__).stat().st_mtime_ns
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main(os.fsencode(sys.argv[1]), sys.argv[2]))

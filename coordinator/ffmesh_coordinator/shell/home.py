"""A coordinator's home: where its files are, and the lock by which one process at a time may use them.

    coordinator.toml    the configuration
    coordinator.db      what must not be forgotten (and -wal, -shm beside it)
    coordinator.db.…    what was set aside: …before-restore-TIME, …damaged-TIME
    coordinator.lock    held by who has the home; it says who that is
    master.key          under which secrets in the database are sealed
    broker/             Mosquitto's files, where the coordinator runs it
    run/                coordinator.sock, and the pids of processes that run

The lock is the kernel's (flock): it ends with its process, however that ends. The file itself is never removed.
"""

import asyncio
import errno
import os
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from ffmesh_coordinator.shell.errors import HomeInUse, HomeUnusable

if sys.platform != "win32":
    import fcntl

SERVICE: Final = "ffmesh-coordinator"
"""What the lock says of a coordinator; a command says what it is called instead."""

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600

LOOK_AGAIN: Final = 0.05
"""Seconds between two looks at a lock that a command holds for a moment. flock has no wait that could be called off."""


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @property
    def database(self) -> Path:
        return self.folder / "coordinator.db"

    @property
    def lock(self) -> Path:
        return self.folder / "coordinator.lock"

    @property
    def master_key(self) -> Path:
        return self.folder / "master.key"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def broker(self) -> Path:
        return self.folder / "broker"

    @property
    def broker_pid(self) -> Path:
        return self.run / "broker.pid"

    def path(self, configured: str) -> Path:
        """A path as the configuration says it: relative to the home, unless it is absolute."""
        return self.folder / configured

    def made_run(self) -> Path:
        """The folder `run`, made if it is missing."""
        made_folder(self.run)
        return self.run

    def database_files(self) -> list[Path]:
        """The database and what SQLite keeps beside it: the last transactions may be there alone."""
        return [self.database.with_name(f"{self.database.name}{suffix}") for suffix in ("", "-wal", "-shm")]

    def set_aside_database(self, why: str) -> Path | None:
        """Gives it another name, which says why and when, and returns that; null: there is none. The home is locked.

        It goes before what lies beside it: without it no coordinator starts; without them it would lack what they hold.
        """
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        names = [f"{self.database.name}.{why}-{stamp}{again}" for again in ("", *(f"-{n}" for n in range(2, 100)))]
        taken = {path.name for path in self.folder.iterdir()}
        name = next(name for name in names if not any(other.startswith(name) for other in taken))
        there = self.database.exists()
        for file in self.database_files():
            if file.exists():
                file.rename(file.with_name(name + file.name.removeprefix(self.database.name)))
        sync_folder(self.folder)
        return self.database.with_name(name) if there else None

    @contextmanager
    def locked(self, who: str) -> Generator[None, None, None]:
        """The home for the length of the block; `HomeInUse` if another process has it."""
        try:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise HomeUnusable(f"{self.lock} cannot be opened: {error.strerror}; whose is that folder?") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EACCES}:
                    raise HomeUnusable(f"{self.lock} cannot be locked: {error.strerror}") from error
                raise self._in_use(os.pread(descriptor, 256, 0).decode(errors="replace")) from None
            give_to_owner(descriptor, of=self.folder)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {who}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def locked_by_service(self, *, patience: float) -> AsyncGenerator[None, None]:
        """As `locked`, for the coordinator: a command that has the home for a moment is waited for."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self.locked(SERVICE))
                    break
                except HomeInUse as error:
                    if error.by_service or loop.time() > until:
                        raise
                await asyncio.sleep(LOOK_AGAIN)
            yield

    def _in_use(self, holder: str) -> HomeInUse:
        pid, _, who = holder.strip().partition(" ")
        process = f"{who} (process {pid})" if pid.isdecimal() else "another process"
        return HomeInUse(
            f"{self.folder} is in use by {process}; end that one, or choose another --home", by_service=who == SERVICE
        )


def made_folder(path: Path) -> None:
    """Makes the folder, for its owner alone, if it is missing."""
    try:
        path.mkdir(mode=PRIVATE_FOLDER)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileExistsError:
        return
    except OSError as error:
        raise HomeUnusable(f"{path} cannot be made: {error.strerror}") from error
    try:
        give_to_owner(descriptor, of=path.parent)
    finally:
        os.close(descriptor)


def give_to_owner(descriptor: int, *, of: Path) -> None:
    """What root makes in somebody's home is theirs: the coordinator that runs as them has to read it."""
    if os.geteuid() == 0:
        owner = of.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def sync_folder(folder: Path) -> None:
    """The names in it are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

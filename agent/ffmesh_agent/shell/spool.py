"""Results that the coordinator has not settled, on disk; and the lock that makes a home one agent's.

A result is told only after it is here, file and folder synced, so that a crash loses none. Results that come while
others are written share a file, one a line, named after the first; it goes when the last of them is settled. One that
was settled earlier is told once more after a crash, which changes nothing.

What cannot be read is set aside, a file or one line of it, never a reason not to start. `spool id` is random and made
once: with the boot id it tells a restart on the same machine from a copy of the folder, here or elsewhere, which makes
an id of its own.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.durable import content_unless_copied, synced_folder, written_once, written_whole
from ffmesh_protocol import codec
from ffmesh_protocol.errors import BadConfig, MalformedMessage
from ffmesh_protocol.messages.reports import Result
from ffmesh_protocol.wire import Told

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

TRIES: Final = 3
RETRY_SECONDS: Final = 1.0
"""A disk that is full may have room again. After the tries the result is told without being kept: were the agent to
crash before it is settled, it would be lost; were it not told, its job would stay open for ever."""

_Order: TypeAlias = Result | str
"""Keep this, or drop the one of this attempt."""


@contextmanager
def owned(home: Path) -> Generator[None, None, None]:
    """The home is ours alone, until the block is left or the process ends in whatever way."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadConfig(f"{home} cannot be an agent's home: {error.strerror}; whose is that folder?") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "another one"
            raise BadConfig(
                f"an agent (pid {owner}) runs with {home} already; stop it, or give this one a folder of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


class Spool:
    """Keeps results in the order in which it is told, those that wait together with one sync of file and folder."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._orders: asyncio.Queue[_Order] = asyncio.Queue()
        self._files: dict[Path, set[str]] = {}
        """The attempts in each whose results are not settled."""
        self._file_of: dict[str, Path] = {}

    def opened(self) -> tuple[str, tuple[Result, ...]]:
        """Its id, and the results that were never settled. Before anything else, and without a loop."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        restored: list[Result] = []
        for file, results in _restored(self._folder):
            self._note(file, results)
            restored += results
        return _spool_id(self._folder), tuple(restored)

    def keep(self, result: Result) -> None:
        self._orders.put_nowait(result)

    def drop(self, attempt: str) -> None:
        self._orders.put_nowait(attempt)

    async def run(self, kept: Callable[[str], None]) -> None:
        """Carries out what it was told; says of each attempt when its result is on disk."""
        while True:
            orders = [await self._orders.get()]
            while not self._orders.empty():
                orders.append(self._orders.get_nowait())
            await self._carry_out(orders)
            for order in orders:
                if isinstance(order, Result):
                    kept(order.attempt)

    async def _carry_out(self, orders: Sequence[_Order]) -> None:
        dropped = {order for order in orders if isinstance(order, str)}
        results = [order for order in orders if isinstance(order, Result) and order.attempt not in dropped]
        empty = [file for attempt in dropped if (file := self._without(attempt)) is not None]
        if results:
            self._note(_file_for(self._folder, results), results)
        if not results and not empty:
            return
        for _ in range(TRIES):
            try:
                await self._disk.did(_carried_out, self._folder, results, empty)
            except OSError as error:
                log.warning("%s cannot be written: %s", self._folder, error.strerror)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
        log.error("results are told without being kept; make room for %s", self._folder)

    def _note(self, file: Path, results: Sequence[Result]) -> None:
        self._files[file] = {result.attempt for result in results}
        self._file_of.update((result.attempt, file) for result in results)

    def _without(self, attempt: str) -> Path | None:
        """The file that is of no more use without this attempt."""
        file = self._file_of.pop(attempt, None)
        if file is None:
            return None
        self._files[file].discard(attempt)
        if self._files[file]:
            return None
        del self._files[file]
        return file


def _file_for(folder: Path, results: Sequence[Result]) -> Path:
    return folder / f"{results[0].attempt}.json"


def _carried_out(folder: Path, results: Sequence[Result], empty: Sequence[Path]) -> None:
    if results:
        written_whole(_file_for(folder, results), b"\n".join(codec.encode(result) for result in results))
        synced_folder(folder)
    for file in empty:
        file.unlink(missing_ok=True)


def _spool_id(folder: Path) -> str:
    file = folder / "id"
    known = content_unless_copied(file)
    if known is not None and len(known) == 32:
        return known
    fresh = secrets.token_hex(16)
    written_once(file, fresh)
    return fresh


def _restored(folder: Path) -> Iterator[tuple[Path, list[Result]]]:
    for half_written in folder.glob("*.new"):
        half_written.unlink(missing_ok=True)
    for file in sorted(folder.glob("*.json")):
        try:
            results = _read(file)
        except (OSError, MalformedMessage) as error:
            log.warning("%s is no result (%s); set aside as %s.damaged", file, error, file.name)
            with contextlib.suppress(OSError):
                file.replace(_damaged(file))
        else:
            yield file, results


def _read(file: Path) -> list[Result]:
    """Its results, at least one. A copy of each line that is none is set aside; the file goes when the others do."""
    read = [_result_of(line) for line in file.read_bytes().split(b"\n")]
    results = [each for each in read if isinstance(each, Result)]
    bad = [each for each in read if not isinstance(each, Result)]
    if not results:
        raise bad[0].why
    if isinstance(read[0], Result) and file.stem != results[0].attempt:
        raise MalformedMessage("it is another attempt's")
    if bad:
        log.warning("a line of %s is no result (%s); set aside as %s.damaged", file, bad[0].why, file.name)
        with contextlib.suppress(OSError):
            _damaged(file).write_bytes(b"\n".join(each.line for each in bad))
    return results


class _NoResult(Told, frozen=True):
    line: bytes
    why: MalformedMessage


def _result_of(line: bytes) -> Result | _NoResult:
    try:
        return codec.decode(Result, line)
    except MalformedMessage as error:
        return _NoResult(line=line, why=error)


def _damaged(file: Path) -> Path:
    return file.with_name(f"{file.name}.damaged")

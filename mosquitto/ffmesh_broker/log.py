"""Mosquitto's log: a file that it writes by itself, so that it never waits for us, and that we read when we need it."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ffmesh_broker.errors import BrokerFailed
from ffmesh_broker.files import PRIVATE_FILE, give, ownership_of_new

KEPT_BYTES: Final = 1024 * 1024
"""A longer log is put aside at the next start, in the place of the one that was put aside before."""

QUOTED_LINES: Final = 3
_READ_BYTES: Final = 64 * 1024

_ROUTINE: Final = "does not contain '%c' or '%u'"
"""Mosquitto warns of each line of the access list that is the same for everybody, which is what it is meant to be."""


class Log:
    """One start's part of it. What stood there before belongs to earlier starts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begins = 0

    @contextmanager
    def open_for_writing(self) -> Generator[int, None, None]:
        """A descriptor for the program's standard error."""
        self._put_aside_if_long()
        # Never through a link: as root we write into a folder that may be somebody else's.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, PRIVATE_FILE)
        except OSError as error:
            raise BrokerFailed(f"the broker's log {self._path} cannot be written: {error.strerror}") from error
        try:
            if os.fstat(descriptor).st_size == 0:
                give(descriptor, ownership_of_new(self._path.parent), self._path)
            self._begins = os.fstat(descriptor).st_size
            yield descriptor
        finally:
            os.close(descriptor)

    def size(self) -> int:
        return self._path.stat().st_size

    def says_running(self) -> bool:
        return any("mosquitto version" in line and line.endswith("running") for line in self._lines(self._begins))

    def says_port_taken(self) -> bool:
        return any(line.endswith("Error: Address already in use") for line in self._lines(self._begins))

    def says_reloading(self, *, since: int) -> bool:
        """`since` is a `size` of earlier. It says so before it reads, and does nothing else in between."""
        return any(line.endswith("Reloading config.") for line in self._lines(since))

    def last_words(self) -> str:
        """The end of this start's part, as the rest of a sentence."""
        lines = [line for line in self._lines(self._begins) if _ROUTINE not in line]
        quoted = " | ".join(lines[-QUOTED_LINES:])
        return f"; the end of {self._path}: {quoted}" if quoted else f"; {self._path} says nothing about it"

    def _lines(self, since: int) -> list[str]:
        with self._path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since, end - _READ_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()

    def _put_aside_if_long(self) -> None:
        if self._path.exists() and self._path.stat().st_size > KEPT_BYTES:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))

"""What a part says on standard output and error: one file each, kept short, quoted when the part fails."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ffmesh_client.writing import PRIVATE_FILE, give
from ffmesh_protocol.errors import BadConfig

KEPT_BYTES: Final = 1024 * 1024
"""A longer log is put aside at the next start, in the place of the one that was put aside before."""

QUOTED_LINES: Final = 12
_QUOTED_BYTES: Final = 4096


class PartLog:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._begins = 0

    @contextmanager
    def opened(self) -> Generator[int, None, None]:
        """A descriptor for a part that starts now."""
        try:
            if self.path.exists() and self.path.stat().st_size > KEPT_BYTES:
                self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, PRIVATE_FILE)
        except OSError as error:
            raise BadConfig(f"the log {self.path} cannot be written: {error.strerror or error}") from error
        try:
            give(descriptor, self.path.parent)
            self._begins = os.fstat(descriptor).st_size
            yield descriptor
        finally:
            os.close(descriptor)

    def last_words(self) -> list[str]:
        """The end of what was said since the last start."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(self._begins, end - _QUOTED_BYTES))
                return file.read().decode("utf-8", "replace").splitlines()[-QUOTED_LINES:]
        except OSError:
            return []

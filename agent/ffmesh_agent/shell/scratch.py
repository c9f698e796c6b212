"""A private folder for each attempt, gone after its end, and swept at the start if an earlier life could not.

It lies in the agent's home, which is the agent's alone. A program that runs as somebody else could not enter it there:
such a one has its folder where temporary files are, in a folder of ours that everybody may pass through and nobody but
us may change.
"""

import asyncio
import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.removing import removed

__all__ = ["Scratch", "removed"]


class Scratch:
    """`name` is one that no other home has."""

    def __init__(self, folder: Path, disk: Disk, name: str | None = None) -> None:
        self._folder = folder
        self._disk = disk
        self._elsewhere = Path(tempfile.gettempdir(), f"ffmesh-{name}") if name is not None else None
        self._leaving: list[Path] = []
        self._removing = asyncio.Lock()

    def left(self) -> list[Path]:
        """What is there now. At the start of a life all of it is an earlier one's."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        left = list(self._folder.iterdir())
        if self._elsewhere is not None and _is_ours(self._elsewhere):
            left += self._elsewhere.iterdir()
        return left

    async def sweep(self, left: list[Path]) -> None:
        for place in left:
            await self._disk.did(removed, place)

    def made(self, attempt: str, give: Callable[[Path], None] | None = None) -> Path:
        """`give` hands it over to somebody else; it is theirs then, and where they can reach it."""
        folder = (self._folder if give is None else self._passage()) / attempt
        folder.mkdir(mode=0o700)
        if give is not None:
            try:
                give(folder)
            except OSError:
                folder.rmdir()
                raise
        return folder

    def _passage(self) -> Path:
        place = self._elsewhere or self._folder
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o711)
            place.chmod(0o711)  # whatever our umask is
        if not _is_ours(place):
            raise PermissionError(errno.EPERM, f"{place} is somebody else's")
        return place

    async def remove(self, folder: Path) -> None:
        """With all others that wait for it: where a disk syncs, a removal may have to wait for that."""
        self._leaving.append(folder)
        async with self._removing:
            if self._leaving:
                leaving, self._leaving = self._leaving, []
                await self._disk.did(_removed_all, leaving)
        if folder.parent == self._elsewhere:
            with contextlib.suppress(OSError):
                folder.parent.rmdir()  # the last one


def _removed_all(places: Sequence[Path]) -> None:
    for place in places:
        removed(place)


def _is_ours(place: Path) -> bool:
    try:
        status = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()

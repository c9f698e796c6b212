"""A private folder for each attempt, gone after its end, and swept at the start if an earlier life could not."""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ffmesh_agent.shell.disk import Disk

log = logging.getLogger(__name__)


class Scratch:
    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._leaving: list[Path] = []
        self._removing = asyncio.Lock()

    def left(self) -> list[Path]:
        """What is there now. At the start of a life all of it is an earlier one's."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return list(self._folder.iterdir())

    async def sweep(self, left: list[Path]) -> None:
        for place in left:
            await self._disk.did(removed, place)

    def made(self, attempt: str) -> Path:
        folder = self._folder / attempt
        folder.mkdir(mode=0o700)
        return folder

    async def remove(self, folder: Path) -> None:
        """With all others that wait for it: where a disk syncs, a removal may have to wait for that."""
        self._leaving.append(folder)
        async with self._removing:
            if self._leaving:
                leaving, self._leaving = self._leaving, []
                await self._disk.did(_removed_all, leaving)


def _removed_all(places: Sequence[Path]) -> None:
    for place in places:
        removed(place)


def removed(place: Path) -> None:
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
        return
    with contextlib.suppress(OSError):
        place.rmdir()  # most programs leave nothing there
        return
    # A program may have taken our rights to its own folders away. Each is opened before the walk goes into it.
    with contextlib.suppress(OSError):
        place.chmod(0o700)
    for parent, names, _ in os.walk(place):
        for folder in (Path(parent, name) for name in names):
            with contextlib.suppress(OSError):
                if not folder.is_symlink():
                    folder.chmod(0o700)
    shutil.rmtree(place, ignore_errors=True)
    if place.exists():
        log.warning("%s could not be removed", place)

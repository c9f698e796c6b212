"""What is mounted here. The table is the kernel's own: reading it asks no file system, and hangs on no dead one."""

import asyncio
import contextlib
import os
import re
import select
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_TABLE: Final = Path("/proc/self/mountinfo")
_MOUNT_POINT: Final = 4
_escaped: Final = re.compile(rb"\\([0-7]{3})")
_mount_id: Final = re.compile(rb"^mnt_id:\s*(\d+)", re.MULTILINE)

_ONLY_NAMED: Final = getattr(os, "O_PATH", os.O_RDONLY)
"""Opened without being read, where there is such a thing."""


class MountTable:
    """As it was when it was read last. Empty where the kernel has none."""

    def __init__(self) -> None:
        self._lines: list[tuple[bytes, bytes]] = []
        self.read()

    def read(self) -> None:
        try:
            lines = _TABLE.read_bytes().splitlines()
        except OSError:
            return
        self._lines = [(_plain(line.split(b" ", 5)[_MOUNT_POINT]), line) for line in lines if line.count(b" ") > 5]

    def over(self, place: str) -> tuple[bytes, ...]:
        """Everything that this path, which holds no link, leads through: changes when something is mounted or unmounted
        on the way to it."""
        path = os.fsencode(place)
        return tuple(line for point, line in self._lines if point == path or path.startswith(point.rstrip(b"/") + b"/"))


def _plain(escaped: bytes) -> bytes:
    return _escaped.sub(lambda found: bytes([int(found[1], 8)]), escaped)


@contextmanager
def told_of_changes(tell: Callable[[], None]) -> Generator[None, None, None]:
    """In the block, `tell` is called soon after something was mounted or unmounted, where the kernel says so."""
    if not hasattr(select, "epoll"):
        yield
        return
    with contextlib.ExitStack() as stack:
        try:
            table = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            yield
            return
        stack.callback(os.close, table)
        # The table can always be read, so that the loop itself would never rest on it. A change is its “priority”.
        changes = stack.enter_context(select.epoll())
        changes.register(table, select.EPOLLPRI | select.EPOLLET)

        def changed() -> None:
            changes.poll(0)
            tell()

        loop = asyncio.get_running_loop()
        loop.add_reader(changes.fileno(), changed)
        stack.callback(loop.remove_reader, changes.fileno())
        yield


def is_mount_point(folder: int) -> bool:
    """Whether this open folder is the top of what is mounted there; a folder that was bound there counts too."""
    above = os.open("..", _ONLY_NAMED | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        here, there = os.fstat(folder), os.fstat(above)
        if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino):
            return True  # nothing is above /
        ours, theirs = _mount_of(folder), _mount_of(above)
        return here.st_dev != there.st_dev if ours is None or theirs is None else ours != theirs
    finally:
        os.close(above)


def _mount_of(descriptor: int) -> bytes | None:
    """Its number in the table. Two folders of one file system may have different ones."""
    try:
        found = _mount_id.search(Path(f"/proc/self/fdinfo/{descriptor}").read_bytes())
    except OSError:
        return None
    return found[1] if found else None

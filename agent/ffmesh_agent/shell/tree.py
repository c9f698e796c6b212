"""Folders with all that is in them: looked through, synced, copied to another file system.

Every function here may wait for a dead mount for ever, and belongs in a thread of its own.
"""

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

_KNOWS_NO_SYNC: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_IS_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


def status(place: Path) -> os.stat_result | None:
    """Of the place itself, not of what it may point to; None: there is nothing."""
    try:
        return place.lstat()
    except OSError as error:
        if error.errno in _IS_GONE:
            return None
        raise


def names_in(folder: Path) -> list[str]:
    """In order."""
    return sorted(each.name for each in folder.iterdir())


def entries(folder: Path, below: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Everything in it that is no folder, by its name relative to `folder`, in order."""
    for name in names_in(folder / below):
        path = f"{below}/{name}" if below else name
        there = (folder / path).lstat()
        if stat.S_ISDIR(there.st_mode):
            yield from entries(folder, path)
        else:
            yield path, there


def has_file(place: Path) -> bool:
    return next(entries(place), None) is not None


def bytes_in(place: Path) -> int:
    there = place.lstat()
    if not stat.S_ISDIR(there.st_mode):
        return there.st_size
    return sum(each.st_size for _, each in entries(place))


def sync_all(place: Path) -> None:
    """Files, and the folders that hold them. What is neither has no content of its own."""
    if not stat.S_ISDIR(place.lstat().st_mode):
        sync(place)
        return

    def stop(error: OSError) -> None:
        raise error

    for parent, _, names in os.walk(place, onerror=stop):
        for file in (Path(parent, name) for name in names):
            if stat.S_ISREG(file.lstat().st_mode):
                sync(file)
        sync(Path(parent))


def sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        synced(descriptor)
    finally:
        os.close(descriptor)


def synced(descriptor: int) -> None:
    """Where the file system knows of such a thing."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _KNOWS_NO_SYNC:
            raise


def copied(source: Path, target: Path) -> None:
    """Content, mode and times, into a folder that is there. What is no file, folder or link has none, and stays."""
    there = source.lstat()
    if stat.S_ISDIR(there.st_mode):
        target.mkdir(exist_ok=True)
        for name in names_in(source):
            copied(source / name, target / name)
        shutil.copystat(source, target)
    elif stat.S_ISREG(there.st_mode) or stat.S_ISLNK(there.st_mode):
        shutil.copy2(source, target, follow_symlinks=False)


def copied_between(folder: int, name: str, other_folder: int, other_name: str) -> None:
    """A file, with its mode and times, or a link, from one open folder into another, where there is none of that name.
    What it holds is on disk then."""
    if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.symlink(os.readlink(name, dir_fd=folder), other_name, dir_fd=other_folder)
        return
    with ExitStack() as both:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        reading = both.enter_context(os.fdopen(source, "rb"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writing = both.enter_context(os.fdopen(os.open(other_name, flags, 0o600, dir_fd=other_folder), "wb"))
        shutil.copyfileobj(reading, writing)
        writing.flush()
        _copy_attributes(reading.fileno(), writing.fileno())
        there = os.fstat(reading.fileno())
        os.fchmod(writing.fileno(), stat.S_IMODE(there.st_mode))
        os.utime(writing.fileno(), ns=(there.st_atime_ns, there.st_mtime_ns))
        synced(writing.fileno())


def _copy_attributes(source: int, target: int) -> None:
    """As far as the file system takes them."""
    if sys.platform == "linux":
        with suppress(OSError):
            for name in os.listxattr(source):
                with suppress(OSError):
                    os.setxattr(target, name, os.getxattr(source, name))

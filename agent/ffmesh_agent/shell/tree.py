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

DEPTH_MAX: Final = 200
"""Folders in one another, each of them open."""

_BLOCK_BYTES: Final = 1 << 20
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PART_BYTES: Final = 1 << 30
_CANNOT_SEND: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
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


def names_held(folder: int) -> list[str]:
    """The same of one that is open."""
    with os.scandir(folder) as inside:
        return sorted(each.name for each in inside)


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


def folders_in(folder: int) -> Iterator[tuple[int, list[bytes]]]:
    """An open folder and those in it, each open while it is looked at, and after those in it; with the names of what it
    holds else."""

    def stop(error: OSError) -> None:
        raise error

    for above, _, names, descriptor in os.fwalk(b".", topdown=False, onerror=stop, dir_fd=folder):
        _check_depth(above.count(b"/"))
        yield descriptor, names


def sync_all(folder: int) -> None:
    """An open folder with the files and folders in it. What is neither has no content of its own."""
    for descriptor, names in folders_in(folder):
        for name in names:
            if stat.S_ISREG(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                _sync_file(name, descriptor)
        synced(descriptor)


def _sync_file(name: bytes, folder: int) -> None:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
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


def copied_between(folder: int, name: str, other_folder: int, other_name: str, depth: int = 0) -> None:
    """A file or a folder, with its mode and times, or a link, from one open folder into another, where there is none of
    that name. What a file holds is on disk then. What else is in a folder has no content, and stays."""
    there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(there.st_mode):
        os.symlink(os.readlink(name, dir_fd=folder), other_name, dir_fd=other_folder)
    elif stat.S_ISDIR(there.st_mode):
        _check_depth(depth)
        _copy_folder((folder, name), (other_folder, other_name), depth)
    elif stat.S_ISREG(there.st_mode):
        _copy_file((folder, name), (other_folder, other_name))
    elif depth == 0:
        raise OSError(errno.EINVAL, "it is no plain file")


def _copy_folder(one: tuple[int, str], other: tuple[int, str], depth: int) -> None:
    (folder, name), (other_folder, other_name) = one, other
    os.mkdir(other_name, dir_fd=other_folder)
    with ExitStack() as both:
        source = os.open(name, _FOLDER, dir_fd=folder)
        both.callback(os.close, source)
        target = os.open(other_name, _FOLDER, dir_fd=other_folder)
        both.callback(os.close, target)
        for each in names_held(source):
            copied_between(source, each, target, each, depth + 1)
        _copy_status(source, target)


def _copy_file(one: tuple[int, str], other: tuple[int, str]) -> None:
    (folder, name), (other_folder, other_name) = one, other
    with ExitStack() as both:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        both.callback(os.close, source)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(other_name, flags, 0o600, dir_fd=other_folder)
        both.callback(os.close, target)
        _copy_content(source, target)
        _copy_status(source, target)
        synced(target)


def _copy_content(source: int, target: int) -> None:
    """By the kernel alone, where it can: a film is many gigabytes."""
    if not _sent(source, target):
        with os.fdopen(os.dup(source), "rb") as reading, os.fdopen(os.dup(target), "wb") as writing:
            shutil.copyfileobj(reading, writing, _BLOCK_BYTES)


def _sent(source: int, target: int) -> bool:
    """False, and nothing is written: the kernel cannot, between these two."""
    if sys.platform != "linux":
        return False
    try:
        while os.sendfile(target, source, None, _PART_BYTES):
            pass
    except OSError as error:
        if error.errno not in _CANNOT_SEND or os.lseek(target, 0, os.SEEK_CUR):
            raise
        return False
    return True


def _copy_status(source: int, target: int) -> None:
    _copy_attributes(source, target)
    there = os.fstat(source)
    os.fchmod(target, stat.S_IMODE(there.st_mode))
    os.utime(target, ns=(there.st_atime_ns, there.st_mtime_ns))


def _copy_attributes(source: int, target: int) -> None:
    """As far as the file system takes them."""
    if sys.platform == "linux":
        with suppress(OSError):
            for name in os.listxattr(source):
                with suppress(OSError):
                    os.setxattr(target, name, os.getxattr(source, name))


def _check_depth(folders: int) -> None:
    if folders > DEPTH_MAX:
        raise OSError(errno.ENAMETOOLONG, f"more than {DEPTH_MAX} folders lie in one another")

"""Two places of one file system change what they hold, at one moment: Linux's renameat2(RENAME_EXCHANGE)."""

import errno
import os
from contextlib import suppress
from typing import Final, TypeAlias

_EXCHANGE: Final = 2


class CannotExchange(Exception):
    """Neither this system nor this file system does it."""


Spot: TypeAlias = tuple[int, str]
"""A name in an open folder."""


def exchanged(one: Spot, other: Spot) -> None:
    """`OSError` as of `os.rename`, or `CannotExchange`."""
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        renameat2 = libc.renameat2
    except (ImportError, OSError, AttributeError):
        raise CannotExchange from None
    (folder, name), (other_folder, other_name) = one, other
    names = (ctypes.c_char_p(os.fsencode(name)), ctypes.c_char_p(os.fsencode(other_name)))
    if renameat2(folder, names[0], other_folder, names[1], ctypes.c_uint(_EXCHANGE)) == 0:
        return
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        raise CannotExchange
    raise OSError(number, os.strerror(number), name, None, other_name)


def probed(folder: int) -> tuple[bool, bool]:
    """Whether this file system exchanges, and whether its files keep their numbers when they are renamed: by these one
    knows what was exchanged. The folder is open, and has nothing that is called `one` or `other`."""
    one, other = "one", "other"
    for name in (one, other):
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder))
    numbers = _number(one, folder), _number(other, folder)
    try:
        exchanged((folder, one), (folder, other))
        last = (_number(other, folder), _number(one, folder)) == numbers
        return last, last
    except CannotExchange:
        os.replace(one, other, src_dir_fd=folder, dst_dir_fd=folder)
        return False, _number(other, folder) == numbers[0]
    finally:
        for name in (one, other):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def _number(name: str, folder: int) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino

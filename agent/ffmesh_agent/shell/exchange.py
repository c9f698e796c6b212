"""Two places of one file system change what they hold, at one moment: Linux's renameat2(RENAME_EXCHANGE)."""

import errno
import os
from pathlib import Path
from typing import Final

_FROM_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2


class CannotExchange(Exception):
    """Neither this system nor this file system does it."""


def exchanged(one: Path, other: Path) -> None:
    """`OSError` as of `os.rename`, or `CannotExchange`."""
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        renameat2 = libc.renameat2
    except (ImportError, OSError, AttributeError):
        raise CannotExchange from None
    names = (ctypes.c_char_p(os.fsencode(one)), ctypes.c_char_p(os.fsencode(other)))
    if renameat2(_FROM_HERE, names[0], _FROM_HERE, names[1], ctypes.c_uint(_EXCHANGE)) == 0:
        return
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}:
        raise CannotExchange
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def probed(folder: Path) -> tuple[bool, bool]:
    """Whether this file system exchanges, and whether its files keep their numbers when they are renamed: by these one
    knows what was exchanged."""
    one, other = folder / "one", folder / "other"
    one.touch()
    other.touch()
    numbers = one.stat().st_ino, other.stat().st_ino
    try:
        exchanged(one, other)
        last = (other.stat().st_ino, one.stat().st_ino) == numbers
        return last, last
    except CannotExchange:
        one.replace(other)
        return False, other.stat().st_ino == numbers[0]
    finally:
        one.unlink(missing_ok=True)
        other.unlink(missing_ok=True)

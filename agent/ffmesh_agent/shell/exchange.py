"""Two places of one file system change what they hold, at one moment: Linux's renameat2(RENAME_EXCHANGE)."""

import os
from pathlib import Path
from typing import Final

_FROM_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2


class CannotExchange(Exception):
    """Neither this system nor this file system does it."""


def exchanged(one: Path, other: Path) -> None:
    """`OSError` as of `os.rename`, or `CannotExchange`."""
    import errno

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

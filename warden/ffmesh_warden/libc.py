"""The C library, for what Linux can and Python's os module has no name for.

Loaded once, when the first fence is ordered, and before any fork: a child finds it ready. A Python without ctypes has
no fences, and says so as ImportError.
"""

from __future__ import annotations

import ctypes
import os

_library = ctypes.CDLL(None, use_errno=True)
_syscall = _library.syscall
_syscall.restype = ctypes.c_long

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47


def called(number: int, *arguments: int | bytes | None) -> int:
    """A system call by its number. Raises OSError; bytes are handed over by their address."""
    return _checked(_syscall(ctypes.c_long(number), *map(_wide, arguments)))


def prctl(option: int, *arguments: int | bytes) -> int:
    # The kernel refuses some options unless all five are there and the unused ones zero.
    given = [*map(_wide, arguments), *[ctypes.c_ulong(0)] * (4 - len(arguments))]
    return _checked(_library.prctl(ctypes.c_int(option), *given))


def capabilities(call: str, header: bytes, data: bytes | ctypes.Array[ctypes.c_char]) -> None:
    """`capget` or `capset`."""
    _checked(getattr(_library, call)(header, data))


def enter_namespace(descriptor: int) -> None:
    _checked(_library.setns(ctypes.c_int(descriptor), ctypes.c_int(0)))


def address(data: bytes) -> int:
    """Valid as long as the caller keeps these bytes."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def _wide(argument: int | bytes | None) -> ctypes.c_ulong | ctypes.c_char_p:
    # These calls are variadic: without their width, the upper halves of the registers are whatever was there.
    return ctypes.c_ulong(argument) if isinstance(argument, int) else ctypes.c_char_p(argument)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

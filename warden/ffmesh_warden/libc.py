"""The C library, for what Linux can and Python's os module has no name for.

Loaded once, when the first fence is ordered, and before any fork: a child finds it ready. A Python without ctypes has
no fences, and says so as ImportError.
"""

from __future__ import annotations

import ctypes
import os

_library = ctypes.CDLL(None, use_errno=True)
_WORD = ctypes.c_void_p
"""As wide as a register, and either a number or the address of some bytes. Both calls are variadic: of anything
narrower, the upper halves of the registers are whatever was there."""

_syscall = _library.syscall
_syscall.argtypes = (ctypes.c_long, *[_WORD] * 6)
_syscall.restype = ctypes.c_long
_prctl = _library.prctl
_prctl.argtypes = (ctypes.c_int, *[_WORD] * 4)
_REST = tuple((0,) * unused for unused in range(7))
"""The kernel refuses some calls unless all arguments are there and the unused ones zero."""

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47


def called(number: int, *arguments: int | bytes | None) -> int:
    """A system call by its number. Raises OSError; bytes are handed over by their address."""
    return _checked(_syscall(number, *arguments, *_REST[6 - len(arguments)]))


def prctl(option: int, *arguments: int | bytes) -> int:
    return _checked(_prctl(option, *arguments, *_REST[4 - len(arguments)]))


def capabilities(call: str, header: bytes, data: bytes | ctypes.Array[ctypes.c_char]) -> None:
    """`capget` or `capset`."""
    _checked(getattr(_library, call)(header, data))


def enter_namespace(descriptor: int) -> None:
    _checked(_library.setns(ctypes.c_int(descriptor), ctypes.c_int(0)))


def address(data: bytes) -> int:
    """Valid as long as the caller keeps these bytes."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

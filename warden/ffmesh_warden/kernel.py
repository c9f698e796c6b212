"""What Linux does for a warden beyond Python's os module. Each function returns whether the kernel agreed.

Elsewhere, and in a Python without ctypes, all of them return False and nothing else changes.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36


def _loaded() -> Callable[[int, int | bytes], bool]:
    if sys.platform != "linux":
        return _nothing
    try:
        import ctypes

        libc = ctypes.CDLL(None)
    except (ImportError, OSError):
        return _nothing

    def prctl(option: int, value: int | bytes) -> bool:
        # prctl is variadic: without their width, the upper halves of the registers are whatever was there.
        argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
        nothing = ctypes.c_ulong(0)
        return bool(libc.prctl(option, argument, nothing, nothing, nothing) == 0)

    return prctl


def _nothing(option: int, value: int | bytes) -> bool:
    del option, value
    return False


_prctl = _loaded()
"""Once, and not in each child before its program: to open the library takes longer than the call."""


def die_with_parent(signal_number: int) -> bool:
    """The calling process gets this signal when its parent dies (0 lifts it).

    "Parent" is the thread that forked it, so the parent must have one thread only. A change of user and a program
    with set-user-ID or file capabilities lift it too.
    """
    return _prctl(PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> bool:
    """Descendants that lose their parent become children of the calling process, not of init."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def be_called(name: bytes) -> bool:
    """What `ps` and `top` show; 15 bytes at most."""
    return _prctl(PR_SET_NAME, name)

"""What Linux does for a warden beyond Python's os module. Each function returns whether the kernel agreed.

Elsewhere, and in a Python without ctypes, all of them return False and nothing else changes.
"""

from __future__ import annotations

import os
import signal
import struct
import sys

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    import ctypes

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

IO_LEVEL = 4
"""Of a process that was given none: the middle."""

_IO_CLASSES = {"best-effort": 2, "idle": 3}
_THIS_PROCESS = 1
_NUMBERS_OF_IOPRIO_SET = {
    "x86_64": 251,
    "i386": 289,
    "i686": 289,
    "aarch64": 30,
    "riscv64": 30,
    "loongarch64": 30,
    "armv6l": 314,
    "armv7l": 314,
    "ppc64le": 273,
    "s390x": 282,
}
"""By what uname calls the machine: no C library has a function for it."""

_CLONE3 = 435
"""On every machine that Linux runs on, but for alpha."""
_INTO_CGROUP = 1 << 33
_HOW = struct.Struct("=4Q Q 5Q Q")
"""Flags and three addresses; the signal of its end; stack, thread-local storage and numbers; the cgroup."""


def _loaded() -> ctypes.PyDLL | None:
    if sys.platform != "linux":
        return None
    try:
        import ctypes

        return ctypes.PyDLL(None)
    except (ImportError, OSError):
        return None


_library = _loaded()
"""Once, and not in each child before its program: to open it takes longer than the calls. None of them waits, so that
Python's lock is held all the while: a child that is forked by it has nobody to give it back."""


def _prctl(option: int, value: int | bytes) -> bool:
    if _library is None:
        return False
    import ctypes

    # prctl is variadic: without their width, the upper halves of the registers are whatever was there.
    argument = ctypes.c_char_p(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    nothing = ctypes.c_ulong(0)
    return bool(_library.prctl(option, argument, nothing, nothing, nothing) == 0)


def die_with_parent(signal_number: int) -> bool:
    """The calling process gets this signal when its parent dies (0 lifts it).

    "Parent" is the thread that forked it, so the parent must have one thread only. A change of user and a program
    with set-user-ID or file capabilities lift it too.
    """
    return _prctl(PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> bool:
    """Descendants that lose their parent become children of the calling process, not of init."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def forked_into(cgroup: int) -> int | None:
    """As `os.fork`, with the child in this cgroup (its open folder) from its first moment. None: nothing was forked.

    Only for a process with one thread, and a child that soon becomes a program: Python is not told of this fork.
    """
    if _library is None:
        return None
    import ctypes

    how = _HOW.pack(_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, cgroup)
    pid: int = _library.syscall(ctypes.c_long(_CLONE3), ctypes.c_char_p(how), ctypes.c_size_t(len(how)))
    return pid if pid >= 0 else None


def be_called(name: bytes) -> bool:
    """What `ps` and `top` show; 15 bytes at most."""
    return _prctl(PR_SET_NAME, name)


def set_io_priority(kind: str, level: int) -> bool:
    """Of the calling process and what it starts: `best-effort` with a level from 0, the first, to 7, or `idle`."""
    # A process of 32 bits counts in its own way also on a machine of 64.
    machine = os.uname().machine
    if sys.maxsize < 2**32:
        machine = {"x86_64": "i386", "aarch64": "armv7l"}.get(machine, machine)
    number = _NUMBERS_OF_IOPRIO_SET.get(machine)
    if _library is None or number is None:
        return False
    import ctypes

    priority = _IO_CLASSES[kind] << 13 | (level if kind == "best-effort" else 0)
    words = [ctypes.c_long(word) for word in (number, _THIS_PROCESS, 0, priority)]
    return bool(_library.syscall(*words) == 0)

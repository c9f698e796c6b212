"""What a program of root's may not take behind a fence: the powers over the machine (capabilities).

No rule for files stops a root that loads a kernel module, makes a device node or opens a file by its number. What is
left to it are the powers over files themselves, within its fence: media libraries belong to all kinds of users.
"""

from __future__ import annotations

import ctypes
import struct

from ffmesh_warden import libc

_CHOWN, _DAC_OVERRIDE, _FOWNER, _FSETID = 0, 1, 3, 4
_KEPT = 1 << _CHOWN | 1 << _DAC_OVERRIDE | 1 << _FOWNER | 1 << _FSETID
"""Not DAC_READ_SEARCH, which opens files by their numbers; that DAC_OVERRIDE reads and searches is enough."""

_DROPPED = tuple(power for power in range(64) if not 1 << power & _KEPT)

_HEADER = struct.pack("=Ii", 0x20080522, 0)
_SETS = struct.Struct("=IIIIII")  # effective, permitted, inheritable: the lower halves, then the upper ones
_AMBIENT_CLEAR_ALL = 4


def give_up() -> None:
    """For this process and all that it starts. Does nothing for one that has none."""
    held = ctypes.create_string_buffer(_SETS.size)
    libc.capabilities("capget", _HEADER, held)
    effective, permitted, inheritable, *upper = _SETS.unpack(held.raw)
    if not (permitted or inheritable or any(upper)):
        return
    _lower_the_bound()
    libc.prctl(libc.PR_CAP_AMBIENT, _AMBIENT_CLEAR_ALL)
    libc.capabilities("capset", _HEADER, _SETS.pack(effective & _KEPT, permitted & _KEPT, 0, 0, 0, 0))


def _lower_the_bound() -> None:
    """Root gets all within this bound anew with each program that it starts."""
    for power in _DROPPED:
        try:
            libc.prctl(libc.PR_CAPBSET_DROP, power)
        except OSError:
            # Past the kernel's last one; or we may not, as in a container that was left hardly any.
            return

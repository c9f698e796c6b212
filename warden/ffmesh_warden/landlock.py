"""A fence by Landlock: the kernel's own, needs no package and no privilege, and every child inherits it.

Promises: after `put_up` the calling process, and all that it starts, can open, list, execute, make, rename and remove
only what the fence names, until they end. Nobody can take it down, and a second one inside only narrows it. Sockets
and powers, of which Landlock knows little, are the business of `calls` and `powers`.

Refuses device nodes of the program's own making: what may make them could open any disk by a name inside its fence.
Names that lead nowhere, or to what we may not reach ourselves, are left out: a fence less wide is still a fence.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

from ffmesh_warden import libc
from ffmesh_warden.wire import as_bytes

TYPE_CHECKING = False  # see wire.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ffmesh_warden.wire import Message

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""The same numbers on every processor: whatever came after 2019 has one table."""

_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHARACTER_DEVICE, _MAKE_BLOCK_DEVICE = 1 << 6, 1 << 11
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15

_FILES_BY_ABI = ((1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
"""Which rights to files a kernel knows: REFER came second, TRUNCATE third, IOCTL_DEV fifth."""
_TCP_SINCE, _TCP = 4, 3
CUTS_SINCE = 3
"""Before, `truncate` is nothing to Landlock: calls.py closes it."""

_SCOPES_SINCE, _SCOPES = 6, 3
"""Abstract unix sockets and signals: none to whom is outside. Inside, a program signals its children as ever."""

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = (1 << 15) - 1 & ~(_MAKE_CHARACTER_DEVICE | _MAKE_BLOCK_DEVICE)
_DEVICE = _READ_FILE | _READ_DIR | _WRITE_FILE | _IOCTL_DEVICE
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEVICE

HARMLESS = (b"/dev/null", b"/dev/zero", b"/dev/full", b"/dev/random", b"/dev/urandom")
"""Every fence has these. What is read from or written to them is nobody's."""

NOWHERE: Mapping[bytes, bytes] = {}

_OUR_OWN_TROUBLE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


_RULESET = struct.Struct("=QQQ")  # handled: rights to files, rights to the network, scopes
_BENEATH = struct.Struct("=Qi")  # rights, folder or file; packed, the kernel says


def abi() -> int:
    """Of this kernel. Raises OSError where there is none."""
    return libc.called(_CREATE_RULESET, None, 0, _VERSION)


def put_up(fence: Message) -> int:
    """Returns which Landlock it is. Raises OSError if the kernel refuses; then nothing is fenced."""
    known = abi()
    files = _FILES_BY_ABI[min(known, len(_FILES_BY_ABI)) - 1]
    tcp = _TCP if known >= _TCP_SINCE and not fence["network"] else 0
    # An older kernel takes the newer, longer structure as long as what it does not know is zero.
    handled = _RULESET.pack(files, tcp, _SCOPES if known >= _SCOPES_SINCE else 0)
    ruleset = libc.called(_CREATE_RULESET, handled, len(handled), 0)
    try:
        leads = chosen(fence)
        _allow(ruleset, map(as_bytes, fence["read"]), _READ & files, leads)
        _allow(ruleset, map(as_bytes, fence["write"]), _WRITE & files, leads)
        devices = [as_bytes(name) for name in fence["devices"]]
        _allow(ruleset, devices, _DEVICE & files)
        _allow(ruleset, (name for name in HARMLESS if name not in devices), _DEVICE & ~_IOCTL_DEVICE)
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
        libc.called(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return known


def chosen(fence: Message) -> dict[bytes, bytes]:
    """Where some of its names led when they were chosen."""
    return {as_bytes(name): as_bytes(place) for name, place in fence.get("leads", {}).items()}


def leads_to(descriptor: int, place: bytes) -> bool:
    """Whether what is open is still what this name, free of links, was chosen for."""
    return os.readlink(b"/proc/self/fd/%d" % descriptor) == place  # noqa: PTH115  # bytes


def _allow(ruleset: int, names: Iterable[bytes], rights: int, leads: Mapping[bytes, bytes] = NOWHERE) -> None:
    for name in names:
        try:
            place = os.open(name, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in _OUR_OWN_TROUBLE:
                raise
            continue
        try:
            if name in leads and not leads_to(place, leads[name]):
                continue
            # The kernel refuses a right to what folders hold for what is none.
            is_folder = stat.S_ISDIR(os.fstat(place).st_mode)
            rule = _BENEATH.pack(rights if is_folder else rights & _OF_A_FILE, place)
            libc.called(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
        finally:
            os.close(place)

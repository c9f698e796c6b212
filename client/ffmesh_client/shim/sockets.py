"""What helpers of an installation have in the folders of sockets, of whichever user: ended and taken away.

A helper lies in the folder of the user for whom a server calls it, and that is seldom who removes the shim. Root clears
the folders of all users, anybody else only their own. These folders belong to their users, so nothing in them is
believed: no link is followed, and no process is signalled that its user could not have signalled.
"""

import contextlib
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

FOLDERS: Final = (("/run/user", "[0-9]*"), ("/tmp", "ffmesh-[0-9]*"))  # noqa: S108 - front.py says which it takes
CREDENTIALS: Final = struct.Struct("3i")
LET_GO_SECONDS: Final = 5.0
"""A helper that is to end lets go at once, and does what it has to do without its socket."""

PAUSE_SECONDS: Final = 0.01


def taken_away(key: str) -> Iterator[str]:
    """What could not be, in sentences."""
    for above, pattern in FOLDERS:
        for folder in Path(above).glob(pattern):
            with contextlib.suppress(OSError):  # it is nobody's, or not ours
                yield from _cleared(folder, key)


def _cleared(folder: Path, key: str) -> Iterator[str]:
    there = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        owner = os.fstat(there).st_uid
        if os.geteuid() not in (owner, 0):
            return
        with contextlib.suppress(OSError):  # nobody listens there
            _ask_to_end(there, key, owner)
        way = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(f"{key}.lock", way, dir_fd=there)
            try:
                if not _is_free(lock):
                    yield f"a helper does not let go of {folder / key}: it stays"
                    return
                os.unlink(f"{key}.lock", dir_fd=there)  # under the lock, as helpers do
            finally:
                os.close(lock)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(key, dir_fd=there)
    finally:
        os.close(there)


def _ask_to_end(there: int, key: str, owner: int) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(LET_GO_SECONDS)
        line.connect(f"/proc/self/fd/{there}/{key}")
        pid, *_ = CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    process = os.pidfd_open(pid)
    try:
        if Path(f"/proc/{pid}").stat().st_uid == owner:
            signal.pidfd_send_signal(process, signal.SIGTERM)
    finally:
        os.close(process)


def _is_free(lock: int) -> bool:
    """And ours, until it is closed."""
    until = time.monotonic() + LET_GO_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(PAUSE_SECONDS)
        else:
            return True

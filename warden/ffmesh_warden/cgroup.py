"""A cgroup (version 2) of one program: whatever the program starts is in it, also what leaves its session and wipes its
environment, and one word to the kernel kills all of it.

Its owner makes the folder and says how much the program may take; the warden lets the program enter it, kills what is
in it and removes it. What the kernel refuses is not told here: whether something is left says `is_inhabited`.
"""

from __future__ import annotations

import contextlib
import os
import signal

from ffmesh_warden import kernel


def forked_into(folder: bytes) -> int | None:
    """As `os.fork`, with the child in it; None: nothing was forked, the child of a plain fork may `enter` it.

    To move a process the kernel waits until no other one forks or ends, and none may meanwhile: ten to twenty
    milliseconds for the whole machine. To be born in it costs nothing.
    """
    try:
        cgroup = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return kernel.forked_into(cgroup)
    finally:
        os.close(cgroup)


def enter(folder: bytes) -> None:
    """The calling process, and what it will start. `OSError` if the kernel does not let it."""
    _write(folder + b"/cgroup.procs", b"0")


def kill(folder: bytes) -> None:
    """SIGKILL to all that is in it now, and to what those fork meanwhile."""
    try:
        _write(folder + b"/cgroup.kill", b"1")
    except FileNotFoundError:  # Linux before 5.14 has no such file, and a folder that is gone has nothing in it
        for pid in _members(folder):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
    except OSError:
        pass


def is_inhabited(folder: bytes) -> bool:
    """Something in it, or in a cgroup below it, lives. A zombie does not."""
    try:
        return b"populated 1" in _read(folder + b"/cgroup.events")
    except OSError:
        return False


def has_been_killed_by_its_limit(folder: bytes) -> bool:
    """The kernel has killed something in it because it may not have more memory. Where the whole machine has none left,
    there is a kill, but its own limit was not reached."""
    try:
        counts = _read(folder + b"/memory.events").splitlines()
    except OSError:  # no limits of memory here
        return False
    happened = {count.partition(b" ")[0] for count in counts if not count.endswith(b" 0")}
    return {b"oom", b"oom_kill"} <= happened


def remove(folder: bytes) -> None:
    """It, and those that the program made below it, if nothing lives in them."""
    with contextlib.suppress(OSError):
        if not _is_removed(folder):  # most programs make none
            for name in os.listdir(folder):  # noqa: PTH208  # see strays.program_of
                if os.path.isdir(below := folder + b"/" + name):  # noqa: PTH112
                    remove(below)
            _is_removed(folder)


def _is_removed(folder: bytes) -> bool:
    try:
        os.rmdir(folder)  # noqa: PTH106
    except OSError:
        return False
    return True


def _members(folder: bytes) -> list[int]:
    try:
        return [int(pid) for pid in _read(folder + b"/cgroup.procs").split()]
    except OSError:
        return []


def _read(file: bytes) -> bytes:
    with open(file, "rb") as opened:  # noqa: PTH123
        return opened.read()


def _write(file: bytes, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)

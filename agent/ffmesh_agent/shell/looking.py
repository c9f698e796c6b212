"""One look at one root: is it there, can it be written, how much room has it. May never return: see hanging.py.

What it says names no place of the machine, because everybody may read it.
"""

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffmesh_agent.roots import RootPlace, kept_free
from ffmesh_agent.shell.mounts import is_mount_point
from ffmesh_agent.shell.storage import NONCE_FILE, found_nonce, made_nonce
from ffmesh_protocol.messages.capability import RootState
from ffmesh_protocol.sizes import size_shown

PROBE_FILE: Final = ".ffmesh-probe"
"""Made and removed at once, where a file cannot be made without a name. Always the same one, so that none are left."""

_SENTENCES: Final = {
    errno.ENOENT: "there is no such folder",
    errno.ENOTDIR: "there is no folder, but something else",
    errno.ENOTCONN: "its mount has lost its server",
    errno.ESTALE: "its mount has lost its server",
    errno.EROFS: "it cannot be written: it is mounted for reading only",
    errno.ENOSPC: "it cannot be written: there is no room left in it",
    errno.EDQUOT: "it cannot be written: there is no room left in it",
}

_TEMPORARY: Final = getattr(os, "O_TMPFILE", None)
_KNOWS_NO_TEMPORARY: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS})
_AS_WE_ARE: Final = os.access in os.supports_effective_ids


class NotThere(Exception):
    """Why not, in words that stand after the root's name."""


@dataclass(frozen=True, slots=True)
class Sight:
    """`place`: where it is without links, if it is there. `device`: the number of its file system."""

    state: RootState
    place: str | None = None
    device: int | None = None


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """While these are the same, a root that could be written can be."""

    device: int
    inode: int
    flags: int
    allowed: bool


class Eyes:
    """For one root. Remembers whether it could be written, so that a sleeping disk is not woken by each look.

    `nonce` is the one that it had before, if it keeps one. Without `may_write` nothing is tried there or made.
    """

    def __init__(self, place: RootPlace, nonce: str | None, *, may_write: bool = True) -> None:
        self._place = place
        self._may_write = may_write and not place.read_only
        self._nonce = nonce
        self._wrote_under: _Circumstances | None = None

    def look(self) -> Sight:
        try:
            folder = os.open(self._place.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                return Sight(state=self._inside(folder), place=_real(folder), device=os.fstat(folder).st_dev)
            finally:
                os.close(folder)
        except NotThere as reason:
            return Sight(state=RootState(mounted=False, why=str(reason)))
        except OSError as error:
            return Sight(state=RootState(mounted=False, why=_why(error, "it cannot be read")))

    def _inside(self, folder: int) -> RootState:
        place = self._place
        if not os.access(".", os.R_OK | os.X_OK, dir_fd=folder, effective_ids=_AS_WE_ARE):
            raise NotThere("it cannot be read: Permission denied")
        if place.mount_point and not is_mount_point(folder):
            raise NotThere("nothing is mounted there")
        if place.sentinel is not None and not _has(folder, place.sentinel):
            raise NotThere(f"the file {place.sentinel} is missing in it")
        storage = self._known_storage(folder) if place.storage else None
        room = os.fstatvfs(folder)
        free, total = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
        obstacle = self._obstacle(folder, room.f_flag)
        if place.storage and self._may_write and storage is None and obstacle is None:
            with contextlib.suppress(OSError):  # tried again at the next look
                storage = self._nonce = made_nonce(folder)
        why = "nothing is written there, as its agent is configured" if place.read_only else obstacle
        kept = kept_free(place, total)
        if why is None and free < kept:
            why = f"it has {size_shown(free)} free, and no new job writes there below {size_shown(kept)}"
        return RootState(
            mounted=True,
            writable=obstacle is None and not place.read_only,
            free_bytes=free,
            total_bytes=total,
            why=why,
            storage=storage,
        )

    def _known_storage(self, folder: int) -> str | None:
        found = found_nonce(folder)
        if found is None and self._nonce is not None:
            raise NotThere(f"the storage that was there is not: {NONCE_FILE} is missing in it")
        self._nonce = found
        return found

    def _obstacle(self, folder: int, flags: int) -> str | None:
        """Why nothing can be written there. Really tried once, and again when something about it has changed."""
        if self._place.read_only:
            return None
        there = os.fstat(folder)
        allowed = os.access(".", os.W_OK | os.X_OK, dir_fd=folder, effective_ids=_AS_WE_ARE)
        now = _Circumstances(there.st_dev, there.st_ino, flags & os.ST_RDONLY, allowed)
        if flags & os.ST_RDONLY:
            return _SENTENCES[errno.EROFS]
        if not allowed:
            return f"it cannot be written: {os.strerror(errno.EACCES)}"
        if now == self._wrote_under or not self._may_write:
            return None
        try:
            _write(folder)
        except OSError as error:
            return _why(error, "it cannot be written")
        self._wrote_under = now
        return None


def _write(folder: int) -> None:
    """A file without a name, which leaves the folder as it is; else one that is removed at once."""
    if _TEMPORARY is not None:
        try:
            os.close(os.open(".", _TEMPORARY | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder))
        except OSError as error:
            if error.errno not in _KNOWS_NO_TEMPORARY:
                raise
        else:
            return
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    os.close(os.open(PROBE_FILE, flags, 0o600, dir_fd=folder))
    with contextlib.suppress(FileNotFoundError):  # another agent looks at the same place
        os.unlink(PROBE_FILE, dir_fd=folder)


def _has(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _real(folder: int) -> str | None:
    """Where an open folder lies."""
    try:
        return str(Path(f"/proc/self/fd/{folder}").readlink())
    except OSError:
        return None


def _why(error: OSError, what: str) -> str:
    """No path: `str(error)` would name one."""
    number = error.errno or 0
    return _SENTENCES.get(number, f"{what}: {os.strerror(number)}")

"""Where a path below a root leads, found from the root's own descriptor: no link and no `..` gets out of it.

The kernel does it in one call where it can (`openat2` with `RESOLVE_BENEATH`). Elsewhere, and for absolute links, which
that call refuses also when they stay inside, each name is looked at in the folder that is already open, and no link is
followed but by us: whoever changes names meanwhile changes what is found, never whether it lies below the root.

What is found holds for that moment. Between it and the program's own look another program may swap a folder for a link;
what such a link leads to is closed to the program by its fence.

Every function here may wait for a dead mount for ever, and belongs in a thread of its own.
"""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LINKS: Final = 40
"""As many as the kernel follows."""

_OPENAT2: Final = 437
"""On every machine that Linux runs on, but for alpha."""

_NO_MAGICLINKS: Final = 0x02
_BENEATH: Final = 0x08
_PATH: Final[int] = getattr(os, "O_PATH", os.O_RDONLY)
FOLDER_REACHED: Final = _PATH | os.O_DIRECTORY | os.O_CLOEXEC
"""Opened for what is in it, without being read; through links."""
FOLDER_ITSELF: Final = FOLDER_REACHED | os.O_NOFOLLOW
FOLDER_READ: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


class LeadsOut(Exception):
    """Of its root, through a link or `..`."""


@dataclass(frozen=True, slots=True)
class Found:
    """`name` is relative to the root, without links and `..`; "" is the root itself. It ends with what is there."""

    name: bytes
    is_folder: bool
    is_whole: bool
    """Else the last part of the path is not there (yet), and `name` is the nearest folder that is."""


def found(root: bytes, path: bytes, *, openat2: bool = True) -> Found:
    """`LeadsOut`, or OSError where this process may not look, or there is no root."""
    with _opened(root) as top:
        return (_at_once(top, path) if openat2 else None) or _Walk(top, root).to(path)


def opened(top: int, root: bytes, path: bytes, *, openat2: bool = True) -> int:
    """A descriptor of the folder there, in which names may be made and renamed: whatever becomes of its own name, it is
    below the root, which is open as `top`. `LeadsOut`, or OSError if there is no such folder."""
    descriptor = _reached(top, path, os.O_DIRECTORY) if openat2 else None
    if descriptor is not None:
        return descriptor
    place = _Walk(top, root).to(path)
    if not place.is_whole:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    return opened_without_links(top, place.name)


def opened_without_links(folder: int, path: bytes) -> int:
    """The same, of one below an open folder, where no name on the way may be a link."""
    with ExitStack() as opened_before:
        here = os.open(b".", FOLDER_ITSELF, dir_fd=folder)
        for name in filter(None, path.split(b"/")):
            opened_before.callback(os.close, here)
            here = os.open(name, FOLDER_ITSELF, dir_fd=here)
    return here


@contextmanager
def _opened(root: bytes) -> Generator[int, None, None]:
    """The root itself may be reached through links: its owner wrote them."""
    top = os.open(root, FOLDER_REACHED)
    try:
        yield top
    finally:
        os.close(top)


# At once


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _at_once(top: int, path: bytes) -> Found | None:
    """None: it is not there, leaves its root, or this kernel does not tell. The walk finds out which."""
    descriptor = _reached(top, path)
    if descriptor is None:
        return None
    try:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        name = _below(_called(descriptor), _called(top))
    except OSError:  # no /proc here
        return None
    finally:
        os.close(descriptor)
    return Found(name=name, is_folder=is_folder, is_whole=True) if name is not None else None


def _reached(top: int, path: bytes, more: int = 0) -> int | None:
    if sys.platform != "linux":
        return None
    how = _How(os.O_PATH | os.O_CLOEXEC | more, 0, _BENEATH | _NO_MAGICLINKS)
    call = ctypes.CDLL(None, use_errno=True).syscall
    descriptor: int = call(
        ctypes.c_long(_OPENAT2),
        ctypes.c_int(top),
        ctypes.c_char_p(path.lstrip(b"/") or b"."),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    return descriptor if descriptor >= 0 else None


def _called(descriptor: int) -> bytes:
    return os.fsencode(Path(f"/proc/self/fd/{descriptor}").readlink())


def _below(name: bytes, top: bytes) -> bytes | None:
    if name == top:
        return b""
    prefix = top.rstrip(b"/") + b"/"
    return name[len(prefix) :] if name.startswith(prefix) else None


# Step by step


class _Walk:
    def __init__(self, top: int, root: bytes) -> None:
        self._top = top
        self._called = (os.path.normpath(root), os.path.realpath(root))
        self._names: list[bytes] = []
        self._folders: list[int] = []
        self._open = ExitStack()

    def to(self, path: bytes) -> Found:
        with self._open:
            return self._to(path)

    def _to(self, path: bytes) -> Found:
        ahead = _steps(path)
        links = 0
        while ahead:
            name = ahead.pop()
            if name == b"..":
                self._up()
                continue
            try:
                target = self._link(name)
                if target is None and not self._into(name):
                    return self._at_a_file(name, ahead)
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise
                return self._missing(ahead)
            if target is not None:
                links += 1
                if links > LINKS:
                    return self._missing([])
                ahead += self._followed(target)
        return Found(name=b"/".join(self._names), is_folder=True, is_whole=True)

    @property
    def _here(self) -> int:
        return self._folders[-1] if self._folders else self._top

    def _up(self) -> None:
        if not self._names:
            raise LeadsOut
        self._names.pop()
        os.close(self._folders.pop())

    def _link(self, name: bytes) -> bytes | None:
        try:
            return os.readlink(name, dir_fd=self._here)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def _into(self, name: bytes) -> bool:
        """False: it is no folder. What has become a link since we looked is not there for us."""
        if not stat.S_ISDIR(os.stat(name, dir_fd=self._here, follow_symlinks=False).st_mode):
            return False
        self._folders.append(os.open(name, FOLDER_ITSELF, dir_fd=self._here))
        if len(self._folders) == 1:
            self._open.callback(self._close)
        self._names.append(name)
        return True

    def _at_a_file(self, name: bytes, ahead: list[bytes]) -> Found:
        if ahead:
            return self._missing(ahead)
        return Found(name=b"/".join([*self._names, name]), is_folder=False, is_whole=True)

    def _missing(self, ahead: list[bytes]) -> Found:
        """A name that is made later may lead on: what follows it counts by its letters."""
        depth = len(self._names) + 1
        for name in reversed(ahead):
            depth += -1 if name == b".." else 1
            if depth < 0:
                raise LeadsOut
        return Found(name=b"/".join(self._names), is_folder=True, is_whole=False)

    def _followed(self, target: bytes) -> list[bytes]:
        if not target.startswith(b"/"):
            return _steps(target)
        for called in self._called:
            below = _below(target, called)
            if below is not None:
                self._close()
                self._names.clear()
                return _steps(below)
        raise LeadsOut

    def _close(self) -> None:
        while self._folders:
            os.close(self._folders.pop())


def _steps(path: bytes) -> list[bytes]:
    """The next one last."""
    return [name for name in reversed(path.split(b"/")) if name not in (b"", b".")]

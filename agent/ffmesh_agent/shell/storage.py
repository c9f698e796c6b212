"""The nonce of a storage: a small hidden file in a root. Two machines that read the same one see the same storage.

It is made once. An agent remembers which one it has seen: where it is missing later, something is not mounted, and no
second one is made in the empty folder that is left. To begin anew on purpose, remove `storage.json` from the agent's
home while the agent is stopped.
"""

import contextlib
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from ffmesh_agent.shell.durable import written_whole
from ffmesh_protocol.wire import Told

NONCE_FILE: Final = ".ffmesh-storage"

_nonce: Final = re.compile(rb"[0-9A-Za-z]{1,64}\Z")
_LONGEST: Final = 128

_HALF_MADE_SECONDS: Final = 60.0
"""One that is still empty after this time was left by somebody who died while making it."""

log = logging.getLogger(__name__)


class _Remembered(Told, frozen=True):
    path: str
    nonce: str


class StorageMemory:
    """Which nonce each root had, over restarts. A root that has been given another place is another one."""

    def __init__(self, file: Path, paths: Mapping[str, str], *, may_learn: bool = True) -> None:
        self._file = file
        self._may_learn = may_learn
        self._paths = paths
        known = self._read()
        self._known = {name: known[name] for name, path in paths.items() if name in known and known[name].path == path}

    def nonce(self, root: str) -> str | None:
        known = self._known.get(root)
        return known.nonce if known is not None else None

    def learn(self, root: str, nonce: str) -> None:
        if self.nonce(root) == nonce or not self._may_learn:
            return
        self._known[root] = _Remembered(path=self._paths[root], nonce=nonce)
        try:
            written_whole(self._file, msgspec.json.encode(self._known))
        except OSError as error:
            log.warning("%s cannot be written: %s", self._file, error.strerror)

    def _read(self) -> dict[str, _Remembered]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, _Remembered])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("%s says nothing: %s; it is made anew", self._file, error)
            return {}


def found_nonce(folder: int) -> str | None:
    """What lies in this open folder; None: nothing, or nothing that is a nonce."""
    try:
        file = os.open(NONCE_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        said = os.read(file, _LONGEST).strip()
    finally:
        os.close(file)
    return said.decode() if _nonce.match(said) else None


def made_nonce(folder: int) -> str | None:
    """A new one, unless another machine was first; None: that one is not done yet."""
    nonce = os.urandom(16).hex()
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(NONCE_FILE, flags, 0o644, dir_fd=folder)
    except FileExistsError:
        _forget_half_made(folder)
        return found_nonce(folder)
    try:
        os.write(file, nonce.encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
    return nonce


def _forget_half_made(folder: int) -> None:
    with contextlib.suppress(OSError):
        there = os.stat(NONCE_FILE, dir_fd=folder, follow_symlinks=False)
        if there.st_size == 0 and time.time() - there.st_mtime > _HALF_MADE_SECONDS:
            os.unlink(NONCE_FILE, dir_fd=folder)

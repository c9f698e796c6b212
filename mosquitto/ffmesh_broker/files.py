"""Files that another process may read at any moment: they are replaced whole, and stay whose they were.

Mosquitto reads its password file again at SIGHUP, as the user it runs as. A file rewritten by root that then belongs
to root shuts out everybody; half a file shuts out some.
"""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffmesh_broker.errors import BrokerFailed

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


@dataclass(frozen=True, slots=True)
class Ownership:
    user: int
    group: int
    mode: int


def replace_file(path: Path, content: str) -> None:
    """Owner and mode stay; a new file belongs to the owner of its folder, who alone may read it."""
    try:
        wanted = _ownership(path)
        temporary = _written_beside(path, content, wanted)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise BrokerFailed(f"{path} cannot be written: {error.strerror}") from error


def _written_beside(path: Path, content: str, wanted: Ownership) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            give(file.fileno(), wanted, path)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink()
        raise
    return temporary


def give(descriptor: int, wanted: Ownership, path: Path) -> None:
    """`path` is for the sentence when that is not allowed."""
    there = os.fstat(descriptor)
    if (there.st_uid, there.st_gid) != (wanted.user, wanted.group):
        try:
            os.fchown(descriptor, wanted.user, wanted.group)
        except PermissionError:
            raise BrokerFailed(
                f"{path} belongs to user {wanted.user} and group {wanted.group}, and only they or root may change it"
            ) from None
    os.fchmod(descriptor, wanted.mode)  # last: a change of owner may take bits away


def ownership_of_new(folder: Path) -> Ownership:
    there = folder.stat()
    return Ownership(there.st_uid, there.st_gid, PRIVATE_FILE)


def _ownership(path: Path) -> Ownership:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return ownership_of_new(path.parent)
    if not stat.S_ISREG(there.st_mode):
        # A link would be replaced, and what it points to would stay as it was.
        raise BrokerFailed(f"{path} is not a plain file; remove it or put the file itself there")
    return Ownership(there.st_uid, there.st_gid, stat.S_IMODE(there.st_mode))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

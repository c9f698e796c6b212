"""Removes a folder with whatever a program left in it: folders in folders without end, links, names of any kind.

No more than two folders are open at a time and no more than one entry of each is in memory: what is a folder in a
folder of the one that goes is moved up into that, so that nothing is ever deep. Links are not followed, whatever
somebody else makes of them meanwhile, for every folder is opened by its name in one that is open.
"""

import contextlib
import logging
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def removed(place: Path, within: int | None = None) -> None:
    """A file or a folder, if it is there; `within` a folder that is open, or by its whole name. What cannot be removed
    stays, and is warned of."""
    try:
        if not stat.S_ISDIR(os.stat(place, dir_fd=within, follow_symlinks=False).st_mode):
            os.unlink(place, dir_fd=within)
            return
        with contextlib.suppress(OSError):
            os.rmdir(place, dir_fd=within)  # most programs leave nothing there
            return
        _open_up(place, within)
        top = os.open(place, _FOLDER, dir_fd=within)
        try:
            while _emptied(top):
                pass  # as long as something went: what was moved up may have been passed by
        finally:
            os.close(top)
        os.rmdir(place, dir_fd=within)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("%s could not be removed: %s", place, error.strerror)


def _emptied(top: int) -> bool:
    """Whether anything in it went, or was moved."""
    went = False
    for entry in _entries(top):
        if _is_folder(entry):
            went |= _gone(top, entry.name)
        else:
            went |= _unlinked(entry.name, top)
    return went


def _gone(top: int, name: str) -> bool:
    if _is_gone(name, top):
        return True
    went = False
    _open_up(name, top)
    try:
        folder = os.open(name, _FOLDER, dir_fd=top)
    except OSError:
        return False
    try:
        for entry in _entries(folder):
            if not _is_folder(entry):
                went |= _unlinked(entry.name, folder)
            elif not _is_gone(entry.name, folder):
                went |= _moved_up(entry.name, folder, top)
            else:
                went = True
    finally:
        os.close(folder)
    return _is_gone(name, top) or went


def _entries(folder: int) -> Iterator["os.DirEntry[str]"]:
    """Of what is removed meanwhile some may be passed by."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    with contextlib.suppress(OSError):
        return entry.is_dir(follow_symlinks=False)
    return False


def _unlinked(name: str, folder: int) -> bool:
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
        return True
    return False


def _is_gone(name: str, folder: int) -> bool:
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=folder)
        return True
    return False


def _moved_up(name: str, folder: int, top: int) -> bool:
    _open_up(name, folder)
    with contextlib.suppress(OSError):
        os.rename(name, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=top)
        return True
    return False


def _open_up(name: str | Path, folder: int | None = None) -> None:
    """A program may have taken our rights to its own folders away.

    Not as root, who needs none. What somebody else has made a link meanwhile stays as it is, and so does what that
    points to."""
    if os.geteuid() != 0:
        with contextlib.suppress(OSError):
            _opened_up(name, folder)


def _opened_up(name: str | Path, folder: int | None) -> None:
    if os.chmod in os.supports_follow_symlinks:
        os.chmod(name, 0o700, dir_fd=folder, follow_symlinks=False)
        return
    itself = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        Path(f"/proc/self/fd/{itself}").chmod(0o700)
    finally:
        os.close(itself)

"""Hidden folders of attempts whose notes cannot be read any more, as a version that wrote them otherwise has left them.

They go at a start when they are provably ours and old. Ours: the note was written in this home, by its own spool's id,
and what it names is called after its attempt, belongs to our user and is a folder. Old: nobody has written the note for
a week, in which every coordinator has given the job to somebody else. Whatever may hold the only copy of something (an
attempt that was putting its outputs in place) stays, and is warned of; and so does what is not understood.

Waits for disks, as staging.py does.
"""

import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from ffmesh_agent.ffmpeg.aside import HIDDEN
from ffmesh_agent.shell.journal import Journal, Stage
from ffmesh_agent.shell.removing import removed

log = logging.getLogger(__name__)

OLD_SECONDS: Final = 7 * 24 * 3600.0

_HARMLESS: Final = frozenset({Stage.BEGUN, Stage.SEALED, Stage.IN_PLACE, Stage.OVER})
"""What stands aside then is nobody's only copy of what was there before."""


class _Landing(msgspec.Struct, frozen=True):
    hidden: bytes


class _Place(msgspec.Struct, frozen=True):
    made: bytes
    landings: tuple[_Landing, ...] = ()


class _Note(msgspec.Struct, frozen=True):
    """As much as every version has written alike."""

    attempt: str
    spool: str
    stage: str
    places: tuple[_Place, ...] = ()


def swept(journal: Journal, now: float | None = None) -> None:
    """`now`: of the same clock as files have."""
    for file in journal.set_aside():
        try:
            if (time.time() if now is None else now) - file.stat().st_mtime >= OLD_SECONDS:
                _swept(file, journal.spool)
        except OSError as error:
            log.warning("%s: what it tells of cannot be looked at: %s", file.name, error.strerror)
        except Exception:  # it waits for another start
            log.exception("%s: what it tells of cannot be looked at", file.name)


def _swept(file: Path, spool: str) -> None:
    try:
        note = msgspec.json.decode(file.read_bytes(), type=_Note)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    if note.spool != spool or file.name != f"{note.attempt}.json.damaged":
        return
    folders = list(_folders(note))
    if note.stage not in _HARMLESS:
        log.warning("%s: %s may hold what was in place before; it stays", file.name, ", ".join(map(str, folders)))
        return
    for folder in folders:
        if _is_ours(folder):
            log.info("%s goes: an attempt of a week ago has left it", folder)
            removed(folder)
    if folders and not any(os.path.lexists(folder) for folder in folders):
        file.unlink(missing_ok=True)


def _folders(note: _Note) -> Iterator[Path]:
    """Those that are called after the attempt; what is made in scratch lies in such a one."""
    for place in note.places:
        for name in (place.made, *(landing.hidden for landing in place.landings)):
            folder = Path(os.fsdecode(name))
            candidates = (folder, folder.parent)
            yield from (each for each in candidates if each.is_absolute() and each.name == f"{HIDDEN}{note.attempt}")


def _is_ours(folder: Path) -> bool:
    """A link in its place is not."""
    try:
        there = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(there.st_mode) and (there.st_uid == os.geteuid() or os.geteuid() == 0)

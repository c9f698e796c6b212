"""Outputs that are written aside and take their places whole: what is done on the disk, step by step.

    begun ─seal→ sealed ─commit→ committing → in place         whenever: drop

Each step notes in the journal what it is about to do before it does it, so that after a crash between any two of them
the note and the disk together say where things stand. Until the rename the destination is not touched; the rename is
one, and before it stands a last look at the clock.

Taking a place is what `mv -T` does: a link at the destination is itself replaced, and what it points to stays as it
was; owner and mode are those of the new file. A folder that is not empty changes places with the new one, which few
network file systems can. Links in the folders above are followed.

Every function here may wait for a dead mount for ever, and belongs in a thread of its own. `NotStaged` says why not.
"""

import errno
import logging
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Final

from msgspec import structs

from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.exchange import CannotExchange, exchanged
from ffmesh_agent.shell.journal import Journal, Output, Stage, StagedNote
from ffmesh_agent.shell.scratch import removed
from ffmesh_protocol.messages.reports import FailureKind, Result

log = logging.getLogger(__name__)

_KNOWS_NO_SYNC: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_IS_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_ASKED_WRONGLY: Final = frozenset({errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})


class NotStaged(Exception):
    """With a sentence that names no place of this machine."""

    def __init__(self, sentence: str, failure: FailureKind) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.failure = failure


class TooLate(Exception):
    """Nothing was renamed, and nothing will be without a new word."""


class Standing(Enum):
    ASIDE = auto()
    IN_PLACE = auto()
    GONE = auto()


def begin(journal: Journal, note: StagedNote, *, umask: int | None, may_replace: bool) -> StagedNote:
    """Makes the hidden folder that the program is to write into."""
    output = note.output
    if output is None:
        with _explained("the agent could not note it in its own folder"):
            return journal.keep(note)
    _check_destination(output, may_replace=may_replace)
    with _explained(f"{output.shown} could not be begun"):
        journal.keep(note)
        hidden = _path(output.hidden)
        removed(hidden)
        hidden.mkdir(mode=0o700)
        if output.is_folder:
            staged = _path(output.staged)
            staged.mkdir()
            if umask is not None:
                special = stat.S_IMODE(staged.stat().st_mode) & 0o7000  # inherited, for the group's sake
                staged.chmod(special | 0o777 & ~umask)
    return note


def _check_destination(output: Output, *, may_replace: bool) -> None:
    """What the program would have found out itself, or the rename too late."""
    with _explained(f"{output.shown} could not be looked at"):
        destination = _path(output.destination)
        if not destination.parent.is_dir():
            raise NotStaged(f"there is no folder {output.folder_shown} for its output", FailureKind.INPUT)
        there = _status(destination)
        is_empty = output.is_folder and destination.is_dir() and not any(destination.iterdir())
    if there is None or stat.S_ISLNK(there.st_mode):
        return
    if stat.S_ISDIR(there.st_mode) != output.is_folder:
        what = "a folder" if stat.S_ISDIR(there.st_mode) else "no folder"
        raise NotStaged(f"its output {output.shown} is {what} already", FailureKind.PERMANENT)
    if not may_replace and not is_empty:
        raise NotStaged(f"{output.shown} exists already; say -y to replace it", FailureKind.PERMANENT)


def seal(journal: Journal, note: StagedNote, result: Result) -> StagedNote:
    """Its program has ended well: sees that the output is there, whole and on disk, and notes the result."""
    output = note.output
    inode = None
    if output is not None:
        with _explained(f"{output.shown} could not be kept"):
            inode = _checked(output).st_ino
            _sync_all(_path(output.staged))
            _sync(_path(output.hidden))
            _sync(_path(output.hidden).parent)
    with _explained("the agent could not note it in its own folder"):
        return journal.keep(structs.replace(note, stage=Stage.SEALED, result=result, inode=inode))


def _checked(output: Output) -> os.stat_result:
    staged = _path(output.staged)
    there = _status(staged)
    if there is None:
        raise NotStaged(f"it ended well and wrote no {output.shown}", FailureKind.PERMANENT)
    if output.is_folder:
        if not stat.S_ISDIR(there.st_mode):
            raise NotStaged(f"it ended well, and its output {output.shown} is no folder", FailureKind.PERMANENT)
        if not any(staged.iterdir()):
            raise NotStaged(f"it ended well and wrote nothing into {output.shown}", FailureKind.PERMANENT)
    elif not stat.S_ISREG(there.st_mode):
        raise NotStaged(f"it ended well, and its output {output.shown} is no plain file", FailureKind.PERMANENT)
    others = sorted(each.name for each in _path(output.hidden).iterdir() if each.name != staged.name)
    if others:
        more = f"{others[0]!a}" if len(others) == 1 else f"{others[0]!a} and {len(others) - 1} more"
        sentence = f"beside {output.shown} it wrote {more}; name their folder as its output"
        raise NotStaged(sentence, FailureKind.PERMANENT)
    return there


def commit(journal: Journal, note: StagedNote, until: float) -> StagedNote:
    """Puts the output in place, unless `until` has passed: `TooLate`."""
    output = note.output
    if output is None:
        _in_time(until)
        return note
    with _explained(f"{output.shown} could not be looked at"):
        is_in_place = note.stage is Stage.COMMITTING and standing(note) is Standing.IN_PLACE  # by an earlier life
    if not is_in_place:
        note = _committed(journal, note, output, until)
    try:
        _sync(_path(output.destination).parent)
    except OSError as error:
        log.warning("%s: %s is in place, but may not outlive a crash: %s", note.attempt, output.shown, error.strerror)
    return note


def _committed(journal: Journal, note: StagedNote, output: Output, until: float) -> StagedNote:
    with _explained("the agent could not note it in its own folder"):
        committing = journal.moved(note, Stage.COMMITTING)
    try:
        with _explained(f"{output.shown} could not be put in place"):
            _rename(output, until)
    except (NotStaged, TooLate):
        try:
            journal.moved(note, Stage.SEALED)
        except OSError as error:  # what stands aside tells the same
            log.warning("%s: cannot be noted: %s", note.attempt, error.strerror)
        raise
    return committing


def _rename(output: Output, until: float) -> None:
    staged, destination = _path(output.staged), _path(output.destination)
    if _status(staged) is None:
        raise NotStaged(f"what was written aside for {output.shown} is gone", FailureKind.NODE)
    if output.is_folder and _holds_something(output, destination):
        _in_time(until)
        try:
            exchanged(staged, destination)
        except CannotExchange:
            sentence = f"{output.shown} holds something, and the file system there cannot exchange two folders"
            raise NotStaged(f"{sentence}; empty it, or name a new one", FailureKind.NODE) from None
    else:
        _in_time(until)
        staged.replace(destination)


def _holds_something(output: Output, destination: Path) -> bool:
    """Whether the destination is not just free for a folder. A link is in the way too."""
    there = _status(destination)
    if there is None:
        return False
    if stat.S_ISDIR(there.st_mode):
        return any(destination.iterdir())
    if not stat.S_ISLNK(there.st_mode):
        raise NotStaged(f"its output {output.shown} is no folder already", FailureKind.PERMANENT)
    return True


def _in_time(until: float) -> None:
    if boottime() >= until:
        raise TooLate


def standing(note: StagedNote) -> Standing:
    """Where a sealed output is.

    After two folders have changed places something stands aside as before, but it is what was in place. Which is which
    is known by their numbers; where those do not last, neither folder can be told from the other, and both are left.
    """
    output = note.output
    if output is None:
        return Standing.ASIDE
    aside, there = _status(_path(output.staged)), _status(_path(output.destination))
    if note.stage is not Stage.COMMITTING:
        return Standing.ASIDE if aside is not None else Standing.GONE
    if aside is not None and (not output.is_folder or aside.st_ino == note.inode):
        return Standing.ASIDE
    is_ours = there is not None and (aside is None or there.st_ino == note.inode)
    return Standing.IN_PLACE if is_ours else Standing.GONE


def drop(journal: Journal, note: StagedNote) -> None:
    """Whatever stands aside goes, then the note."""
    if note.output is not None:
        if note.stage is not Stage.OVER:
            journal.moved(note, Stage.OVER)
        hidden = _path(note.output.hidden)
        removed(hidden)
        if _status(hidden) is not None:
            return  # tried again at the next start
    journal.forget(note.attempt)


@contextmanager
def _explained(what: str) -> Generator[None, None, None]:
    try:
        yield
    except OSError as error:
        raise NotStaged(f"{what}: {error.strerror}", _kind(error)) from error


def _kind(error: OSError) -> FailureKind:
    if error.errno in _IS_GONE:
        return FailureKind.INPUT
    return FailureKind.PERMANENT if error.errno in _ASKED_WRONGLY else FailureKind.NODE


def _path(name: bytes) -> Path:
    return Path(os.fsdecode(name))


def _status(place: Path) -> os.stat_result | None:
    """Of the place itself, not of what it may point to; None: there is nothing."""
    try:
        return place.lstat()
    except OSError as error:
        if error.errno in _IS_GONE:
            return None
        raise


def _sync_all(place: Path) -> None:
    """Files, and the folders that hold them. What is neither has no content of its own."""
    if not stat.S_ISDIR(place.lstat().st_mode):
        _sync(place)
        return

    def stop(error: OSError) -> None:
        raise error

    for parent, _, names in os.walk(place, onerror=stop):
        for file in (Path(parent, name) for name in names):
            if stat.S_ISREG(file.lstat().st_mode):
                _sync(file)
        _sync(Path(parent))


def _sync(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _KNOWS_NO_SYNC:
            raise
    finally:
        os.close(descriptor)

"""What stands of each staged output, on disk in `HOME/staged`, so that after any crash it is found again.

A note is there before anything is written aside, and goes after all of it has gone. One that cannot be read is set
aside, never a reason not to start; so is one of another home, whose folder was copied: its outputs are not ours.
"""

import contextlib
import logging
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from msgspec import structs

from ffmesh_agent.shell.durable import synced_folder, written_whole
from ffmesh_protocol import codec
from ffmesh_protocol.errors import MalformedMessage
from ffmesh_protocol.messages.reports import Result
from ffmesh_protocol.names import Ulid
from ffmesh_protocol.wire import Told

log = logging.getLogger(__name__)


class Stage(StrEnum):
    BEGUN = "begun"
    """Its program may write. Found at the start of a life: it is half an output, and goes."""

    SEALED = "sealed"
    """Whole and on disk, with the result that it will have."""

    COMMITTING = "committing"
    """A rename may have been done. If nothing stands aside any more, it was."""

    OVER = "over"
    """Its result is in the spool: what is left aside can go."""


class Output(Told, frozen=True):
    """Absolute, as this machine had its roots then, in bytes: a root's name may be no UTF-8."""

    destination: bytes
    hidden: bytes
    staged: bytes
    is_folder: bool
    shown: str
    """For sentences: they never name places of this machine."""
    folder_shown: str


class StagedNote(Told, frozen=True):
    attempt: Ulid
    spool: str
    output: Output | None
    """None: a staged job that writes no file; it is asked for permission all the same."""
    stage: Stage = Stage.BEGUN
    result: Result | None = None
    inode: int | None = None
    """Of the sealed output, by which it is known when it has changed places with an older one."""


class Journal:
    """Its methods wait for the disk: for a thread, or for the time before there is a loop."""

    def __init__(self, folder: Path, spool: str) -> None:
        self._folder = folder
        self._spool = spool

    def fresh(self, attempt: str, output: Output | None) -> StagedNote:
        return StagedNote(attempt=attempt, spool=self._spool, output=output)

    def keep(self, note: StagedNote) -> StagedNote:
        """In place of the attempt's last one; on disk when this returns."""
        written_whole(self._file(note.attempt), codec.encode(note))
        synced_folder(self._folder)
        return note

    def moved(self, note: StagedNote, stage: Stage) -> StagedNote:
        return self.keep(structs.replace(note, stage=stage))

    def forget(self, attempt: str) -> None:
        self._file(attempt).unlink(missing_ok=True)

    def found(self) -> Iterator[StagedNote]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half_written in self._folder.glob("*.new"):
            half_written.unlink(missing_ok=True)
        for file in sorted(self._folder.glob("*.json")):
            try:
                yield self._read(file)
            except (OSError, MalformedMessage) as error:
                log.warning("%s is no note of ours (%s); set aside as %s.damaged", file, error, file.name)
                with contextlib.suppress(OSError):
                    file.replace(file.with_name(f"{file.name}.damaged"))

    def _file(self, attempt: str) -> Path:
        return self._folder / f"{attempt}.json"

    def _read(self, file: Path) -> StagedNote:
        note = codec.decode(StagedNote, file.read_bytes())
        if file.stem != note.attempt or (note.result is not None and note.result.attempt != note.attempt):
            raise MalformedMessage("it is another attempt's")
        if note.spool != self._spool:
            raise MalformedMessage("it is another home's, and this one a copy")
        if note.result is None and note.stage in (Stage.SEALED, Stage.COMMITTING):
            raise MalformedMessage("it has no result")
        return note

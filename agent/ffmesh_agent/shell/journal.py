"""What stands of each staged attempt, on disk in `HOME/staged`, so that after any crash it is found again.

A note is there before anything is written aside, and goes after all of it has gone. One that cannot be read is set
aside, never a reason not to start; so is one of another home, whose folder was copied: its outputs are not ours.
"""

import contextlib
import logging
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.shell.durable import synced_folder, written_whole
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
    """Some of its steps may have been done. Each of them says by what it finds on the disk whether it was."""

    IN_PLACE = "in place"
    """All of them were."""

    OVER = "over"
    """Its result is in the spool: what is left aside can go."""


class Target(Told, frozen=True):
    """One output. `name` is relative to the root, in bytes: it may be no UTF-8."""

    name: bytes
    kind: Kind
    shown: str
    """For sentences: they never name places of this machine."""


class Landing(Told, frozen=True):
    """A folder, and the hidden one in it where outputs stand before they take their places below that folder: both are
    on one file system. Names are absolute, as this machine had its roots then."""

    base: bytes
    hidden: bytes


class Place(Told, frozen=True):
    """The outputs in one root."""

    root: bytes
    base: bytes
    """The nearest folder that holds them all, relative to the root."""
    made: bytes
    """Where the program writes: the first landing's hidden folder, or one in the scratch place."""
    targets: tuple[Target, ...]
    landings: tuple[Landing, ...]
    """The first is the one at `base`. Others are mounts below it that have outputs."""
    folder_shown: str


class Made(Told, frozen=True):
    """A folder of the attempt's own. Its number is 0 where numbers do not last."""

    folder: bytes
    inode: int


class Way(StrEnum):
    MAKE = "make"
    """A folder that is not there yet, for what is going to be in it. Done if it is there."""

    TAKE = "take"
    """Renamed to its place. Done if nothing stands aside any more."""

    EXCHANGE = "exchange"
    """Changes places with what was there. Done if what is in place is what was made."""

    LEAVE = "leave"
    """What was there, and the job has not made again, is put aside. Done if it is there no more."""


class Step(Told, frozen=True):
    """One rename. `place` and `landing` count those of the note; `name` is relative to the landing's base."""

    place: int
    landing: int
    name: bytes
    way: Way
    inode: int = 0
    """Of what was made, or, where something leaves, of that. 0 where numbers do not last."""
    bytes: int | None = None
    modified_ns: int | None = None
    """The same of what was made, for where its number does not tell it."""
    kept: bool = False
    """What is overwritten has another name aside, too."""
    was_folder: bool = False
    """An empty folder is overwritten."""


class StagedNote(Told, frozen=True):
    attempt: Ulid
    spool: str
    places: tuple[Place, ...]
    """None: a staged job that writes no file; it is asked for permission all the same."""
    stage: Stage = Stage.BEGUN
    result: Result | None = None
    files: int = 0
    """How many were sealed."""
    steps: tuple[Step, ...] = ()
    made: tuple[Made, ...] = ()


_decoder: Final = msgspec.json.Decoder(StagedNote)


class Journal:
    """All but `fresh` and `last` waits for the disk: for a thread, or for the time before there is a loop."""

    def __init__(self, folder: Path, spool: str) -> None:
        self._folder = folder
        self._spool = spool
        self._last: dict[str, StagedNote] = {}

    def fresh(self, attempt: str, places: tuple[Place, ...]) -> StagedNote:
        """On no disk yet."""
        note = self._last[attempt] = StagedNote(attempt=attempt, spool=self._spool, places=places)
        return note

    def last(self, attempt: str) -> StagedNote | None:
        """As it stands on the disk, or as fresh as it is."""
        return self._last.get(attempt)

    def keep(self, note: StagedNote) -> StagedNote:
        """In place of the attempt's last one; on disk when this returns. A long ladder's is longer than a message."""
        written_whole(self._file(note.attempt), msgspec.json.encode(note))
        synced_folder(self._folder)
        self._last[note.attempt] = note
        return note

    def moved(self, note: StagedNote, stage: Stage, steps: tuple[Step, ...] = ()) -> StagedNote:
        return self.keep(structs.replace(note, stage=stage, steps=steps))

    def forget(self, attempt: str) -> None:
        self._file(attempt).unlink(missing_ok=True)
        self._last.pop(attempt, None)

    def found(self) -> Iterator[StagedNote]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half_written in self._folder.glob("*.new"):
            half_written.unlink(missing_ok=True)
        for file in sorted(self._folder.glob("*.json")):
            try:
                note = self._read(file)
                self._last[note.attempt] = note
                yield note
            except (OSError, MalformedMessage) as error:
                log.warning("%s is no note of ours (%s); set aside as %s.damaged", file, error, file.name)
                with contextlib.suppress(OSError):
                    file.replace(file.with_name(f"{file.name}.damaged"))

    @property
    def spool(self) -> str:
        return self._spool

    def set_aside(self) -> list[Path]:
        """Notes that could not be read, in this life or an earlier one."""
        return sorted(self._folder.glob("*.json.damaged"))

    def _file(self, attempt: str) -> Path:
        return self._folder / f"{attempt}.json"

    def _read(self, file: Path) -> StagedNote:
        try:
            note = _decoder.decode(file.read_bytes())
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise MalformedMessage(str(error)[:200]) from error
        if file.stem != note.attempt or (note.result is not None and note.result.attempt != note.attempt):
            raise MalformedMessage("it is another attempt's")
        if note.spool != self._spool:
            raise MalformedMessage("it is another home's, and this one a copy")
        if note.result is None and note.stage in (Stage.SEALED, Stage.COMMITTING, Stage.IN_PLACE):
            raise MalformedMessage("it has no result")
        return note

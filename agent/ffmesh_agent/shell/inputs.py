"""The inputs of a job, looked at before its program starts: what is missing is told at once, and in one sentence.

Only of jobs that nobody is attached to, and only files that the command line plainly names; whoever is attached hears
it from the program itself. Nothing is opened. A look may never return, and belongs in a thread of its own.
"""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ffmesh_agent.ffmpeg.command_line import File
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.reasons import ReasonCode

_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_ASKED_WRONGLY: Final = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL})
_AS_WE_ARE: Final = os.access in os.supports_effective_ids


class NotReady(Exception):
    """With a sentence that names no place of this machine.

    `code` is `REFUSED_BY_AGENT` where the machine knows itself best and nothing is wrong with it.
    """

    def __init__(self, sentence: str, failure: FailureKind, code: ReasonCode = ReasonCode.NOT_STARTED) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.failure = failure
        self.code = code


def sizes_of(inputs: Iterable[File]) -> tuple[int | None, ...]:
    """Of each, None where it is no plain file that could be told; `NotReady` if one cannot be read."""
    return tuple(_size(file) for file in inputs)


def _size(file: File) -> int | None:
    if file.named is None:
        return None
    shown, place = file.named.shown, Path(os.fsdecode(file.named.place))
    try:
        there = place.stat()
        may_read = os.access(place, os.R_OK, effective_ids=_AS_WE_ARE)
    except OSError as error:
        raise _not_ready(shown, error) from error
    if stat.S_ISDIR(there.st_mode):
        if file.has("f"):
            return None  # some formats are folders
        raise NotReady(f"input file is a folder: {shown}", FailureKind.INPUT)
    if not may_read:
        raise NotReady(f"input file may not be read: {shown}", FailureKind.INPUT)
    return there.st_size if stat.S_ISREG(there.st_mode) else None


def _not_ready(shown: str, error: OSError) -> NotReady:
    if error.errno in _NOT_THERE:
        return NotReady(f"input file does not exist: {shown}", FailureKind.INPUT)
    if error.errno == errno.EACCES:
        return NotReady(f"input file may not be read: {shown}", FailureKind.INPUT)
    if error.errno in _ASKED_WRONGLY:
        return NotReady(f"input file cannot be opened: {shown}: {error.strerror}", FailureKind.INPUT)
    return NotReady(f"input file cannot be looked at: {shown}: {error.strerror}", FailureKind.NODE)

"""Carries out what the core orders of staged outputs: seal, commit, drop; and finds those that earlier lives left.

Each step has a thread of its own, because a root may lie on a mount that never answers; the steps of one attempt follow
each other, and nobody waits for another's. A rename that hangs in the kernel may be done when its mount comes back: no
one can call it off. Until then this process keeps its home, also when it was told to end.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias, TypeVar, assert_never

from msgspec import structs

from ffmesh_agent.core.effects import CommitOutput, DropOutput, SealOutput
from ffmesh_agent.core.events import (
    Event,
    OutputCommitted,
    OutputNotCommitted,
    OutputNotSealed,
    OutputSealed,
    StagedOutput,
)
from ffmesh_agent.ffmpeg.aside import Aside, may_replace
from ffmesh_agent.shell import hanging, staging
from ffmesh_agent.shell.journal import Journal, Output, Stage, StagedNote
from ffmesh_agent.shell.staging import NotStaged, Standing, TooLate
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.limits import SENTENCE_CHARS
from ffmesh_protocol.media import printable
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind

T = TypeVar("T")

LOOK_SECONDS: Final = 5.0
"""A start waits so long for roots to say what they hold of earlier lives."""

BEGIN_SECONDS: Final = 20.0
"""A root that does not take a folder within this time is not there for a job either."""

_WHOLE: Final = frozenset({Stage.SEALED, Stage.COMMITTING})

OutputOrder: TypeAlias = SealOutput | CommitOutput | DropOutput

log = logging.getLogger(__name__)


class Outputs:
    def __init__(
        self, journal: Journal, roots: Mapping[str, str], tasks: asyncio.TaskGroup, tell: Callable[[Event], None]
    ) -> None:
        self._journal = journal
        self._roots = roots
        self._tasks = tasks
        self._tell = tell
        self._notes: dict[str, StagedNote] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._beginning: dict[str, asyncio.Future[NotStaged | None]] = {}

    # --- earlier lives ------------------------------------------------------------------------------------------------

    async def restored(self) -> tuple[StagedOutput, ...]:
        """What they left whole. What they left half goes, now or, if a root is slow, as soon as it answers."""
        notes = list(self._journal.found())
        looks = [hanging.started(f"staged {note.attempt}", partial(self._looked, note)) for note in notes]
        if looks:
            await asyncio.wait(looks, timeout=LOOK_SECONDS)
        left = [self._left(note, look) for note, look in zip(notes, looks, strict=True)]
        return tuple(each for each in left if each is not None)

    def _looked(self, note: StagedNote) -> Standing:
        try:
            if note.stage in _WHOLE:
                return staging.standing(note)
            staging.drop(self._journal, note)
        except OSError as error:
            log.warning("%s: what an earlier life left cannot be looked at: %s", note.attempt, error.strerror)
        return Standing.ASIDE

    def _left(self, note: StagedNote, look: asyncio.Future[Standing]) -> StagedOutput | None:
        if note.result is None or note.stage not in _WHOLE:
            return None
        self._notes[note.attempt] = note
        found = look.result() if look.done() else Standing.ASIDE  # the commit will find out
        if found is Standing.GONE:
            shown = note.output.shown if note.output is not None else "it"
            log.warning("%s: what was written aside for %s is gone; the attempt is lost", note.attempt, shown)
            self.carry_out(DropOutput(attempt=note.attempt))
            return None
        return StagedOutput(result=note.result, committed=found is Standing.IN_PLACE)

    # --- this life ----------------------------------------------------------------------------------------------------

    async def begin(self, grant: Grant, place: Aside | None) -> None:
        """Returns when its program may write aside. `NotStaged`, also if the root does not answer."""
        attempt = grant.attempt
        note = self._journal.fresh(attempt, self._output(place) if place is not None else None)
        self._notes[attempt] = note
        begun: asyncio.Future[NotStaged | None] = asyncio.get_running_loop().create_future()
        self._beginning[attempt] = begun
        work = partial(staging.begin, self._journal, note, umask=grant.umask, may_replace=may_replace(grant))
        self._tasks.create_task(self._begin(attempt, work, begun), name=f"begin output of {attempt}")
        await asyncio.wait({begun}, timeout=BEGIN_SECONDS)
        del self._beginning[attempt]
        if not begun.done():
            begun.set_result(
                NotStaged(f"{place.folder_shown if place else 'its place'} does not answer", FailureKind.NODE)
            )
        if (refusal := begun.result()) is not None:
            raise refusal

    def give_up(self, attempt: str) -> None:
        """Its program is not wanted any more. What hangs is waited for by nobody."""
        begun = self._beginning.get(attempt)
        if begun is not None and not begun.done():
            begun.set_result(NotStaged("it was stopped before it began", FailureKind.TRANSIENT))

    async def _begin(self, attempt: str, work: Callable[[], object], begun: asyncio.Future[NotStaged | None]) -> None:
        refusal: NotStaged | None = None
        try:
            await self._in_turn(attempt, work)
        except NotStaged as error:
            refusal = error
        if not begun.done():
            begun.set_result(refusal)

    def carry_out(self, order: OutputOrder) -> None:
        match order:
            case SealOutput():
                work = self._seal(order)
            case CommitOutput():
                work = self._commit(order)
            case DropOutput(attempt=attempt):
                work = self._drop(attempt)
            case _:
                assert_never(order)
        self._tasks.create_task(work, name=f"{type(order).__name__} in its turn")

    async def _seal(self, order: SealOutput) -> None:
        attempt, result = order.result.attempt, order.result
        note = self._notes[attempt]
        try:
            self._notes[attempt] = await self._in_turn(attempt, partial(staging.seal, self._journal, note, result))
        except NotStaged as refusal:
            sentence = refusal.sentence[:SENTENCE_CHARS]
            self._tell(OutputNotSealed(attempt=attempt, sentence=sentence, failure=refusal.failure))
        else:
            self._tell(OutputSealed(attempt=attempt))

    async def _commit(self, order: CommitOutput) -> None:
        attempt = order.attempt
        work = partial(staging.commit, self._journal, self._notes[attempt], order.until)
        try:
            self._notes[attempt] = await self._in_turn(attempt, work)
        except TooLate:
            self._not_committed(attempt, "its lease was over", FailureKind.TRANSIENT, too_late=True)
        except NotStaged as refusal:
            self._not_committed(attempt, refusal.sentence, refusal.failure)
        else:
            self._tell(OutputCommitted(attempt=attempt))

    def _not_committed(self, attempt: str, sentence: str, failure: FailureKind, *, too_late: bool = False) -> None:
        self._notes[attempt] = structs.replace(self._notes[attempt], stage=Stage.SEALED)
        sentence = sentence[:SENTENCE_CHARS]
        self._tell(OutputNotCommitted(attempt=attempt, sentence=sentence, failure=failure, too_late=too_late))

    async def _drop(self, attempt: str) -> None:
        note = self._notes.pop(attempt, None)
        if note is None:
            return
        try:
            await self._in_turn(attempt, partial(staging.drop, self._journal, note))
        except OSError as error:
            log.warning("%s: what it left aside stays until the next start: %s", attempt, error.strerror)
        self._turns.pop(attempt, None)

    async def _in_turn(self, attempt: str, work: Callable[[], T]) -> T:
        """After what was begun for this attempt before, also if nobody waits for that any more."""
        async with self._turns.setdefault(attempt, asyncio.Lock()):
            return await hanging.started(f"output of {attempt}", work)

    def _output(self, place: Aside) -> Output:
        root = self._roots.get(place.root)
        if root is None:
            raise PathRefused(f"there is no root ${place.root} here")
        return Output(
            destination=os.fsencode(Path(root, place.output)),
            hidden=os.fsencode(Path(root, place.hidden)),
            staged=os.fsencode(Path(root, place.staged)),
            is_folder=place.is_folder,
            shown=printable(place.shown),
            folder_shown=printable(place.folder_shown),
        )

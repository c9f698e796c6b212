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
from ffmesh_agent.ffmpeg.aside import SCRATCH, Aside, Place, aside, may_replace
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell import hanging, journal, leftovers, sealing, staging, unexpected
from ffmesh_agent.shell.journal import Journal, Landing, Stage, StagedNote, Target
from ffmesh_agent.shell.noted import NotStaged, shown
from ffmesh_agent.shell.owners import NewFiles, new_files
from ffmesh_agent.shell.staging import Standing, TooLate
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.limits import SENTENCE_CHARS
from ffmesh_protocol.media import RootPath, printable
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind

T = TypeVar("T")

LOOK_SECONDS: Final = 5.0
"""A start waits so long for roots to say what they hold of earlier lives."""

BEGIN_SECONDS: Final = 20.0
"""A root that does not take a folder within this time is not there for a job either."""

_WHOLE: Final = frozenset({Stage.SEALED, Stage.COMMITTING, Stage.IN_PLACE})

OutputOrder: TypeAlias = SealOutput | CommitOutput | DropOutput

log = logging.getLogger(__name__)


class Outputs:
    def __init__(
        self,
        notes: Journal,
        roots: Mapping[str, str],
        tasks: asyncio.TaskGroup,
        tell: Callable[[Event], None],
        *,
        places: Mapping[str, RootPlace] | None = None,
        scratch: str | None = None,
    ) -> None:
        """`places`: what else is said of these roots. `scratch`: where outputs are made of those that say so."""
        self._journal = notes
        self._roots = roots
        self._tasks = tasks
        self._tell = tell
        self._rules = places or {}
        self._in_scratch = {name for name, place in self._rules.items() if place.scratch and scratch is not None}
        self.roots: dict[str, str] = {**roots, **({SCRATCH: scratch} if scratch is not None else {})}
        """With the one that redirected arguments may name, where outputs are made on another file system."""
        self._new: dict[str, tuple[NewFiles, ...]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._beginning: dict[str, asyncio.Future[NotStaged | None]] = {}

    # --- earlier lives ------------------------------------------------------------------------------------------------

    async def restored(self) -> tuple[StagedOutput, ...]:
        """What they left whole. What they left half goes, now or, if a root is slow, as soon as it answers."""
        notes = list(self._journal.found())
        looks = [await self._look(note) for note in notes]
        if looks:
            await asyncio.wait(looks, timeout=LOOK_SECONDS)
        left = [self._left(note, look) for note, look in zip(notes, looks, strict=True)]
        sweep = hanging.started("folders of notes that cannot be read", partial(leftovers.swept, self._journal))
        sweep.add_done_callback(hanging.heard)
        return tuple(each for each in left if each is not None)

    async def _look(self, note: StagedNote) -> asyncio.Future[Standing]:
        """Whatever is ordered of it meanwhile has to wait until it has been looked at."""
        turn = self._turns.setdefault(note.attempt, asyncio.Lock())
        await turn.acquire()
        look = hanging.started(f"staged {note.attempt}", partial(self._looked, note))
        look.add_done_callback(lambda _: turn.release())
        return look

    def _looked(self, note: StagedNote) -> Standing:
        try:
            if note.stage in _WHOLE:
                return staging.standing(self._journal, note)
            staging.drop(self._journal, note)
        except NotStaged as refusal:
            log.warning("%s: what an earlier life left half done: %s", note.attempt, refusal.sentence)
        except OSError as error:
            log.warning("%s: what an earlier life left cannot be looked at: %s", note.attempt, error.strerror)
        except Exception:
            log.exception("%s: what an earlier life left cannot be looked at", note.attempt)
        return Standing.ASIDE

    def _left(self, note: StagedNote, look: asyncio.Future[Standing]) -> StagedOutput | None:
        if note.result is None or note.stage not in _WHOLE:
            return None
        found = look.result() if look.done() else Standing.ASIDE  # the commit will find out
        if found is Standing.GONE:
            log.warning("%s: what was written aside for %s is gone; the attempt is lost", note.attempt, shown(note))
            self.carry_out(DropOutput(attempt=note.attempt))
            return None
        return StagedOutput(result=note.result, committed=found is Standing.IN_PLACE)

    # --- this life ----------------------------------------------------------------------------------------------------

    def aside(self, grant: Grant) -> Aside | None:
        """Where this attempt is to write; `PathRefused`."""
        return aside(grant, self._in_scratch)

    async def begin(self, grant: Grant, place: Aside | None) -> None:
        """Returns when its program may write aside. `NotStaged`, also if the root does not answer."""
        attempt = grant.attempt
        note = self._journal.fresh(attempt, self._places(place) if place is not None else ())
        new = self._new[attempt] = self._owners(grant, place)
        begun: asyncio.Future[NotStaged | None] = asyncio.get_running_loop().create_future()
        self._beginning[attempt] = begun
        replaces = may_replace(grant)
        work = partial(staging.begin, self._journal, note, umask=grant.umask, may_replace=replaces, new=new)
        self._tasks.create_task(self._begin(attempt, work, begun), name=f"begin output of {attempt}")
        await asyncio.wait({begun}, timeout=BEGIN_SECONDS)
        del self._beginning[attempt]
        if not begun.done():
            begun.set_result(
                NotStaged(f"{place.folder_shown if place else 'its place'} does not answer", FailureKind.NODE)
            )
        if (refusal := begun.result()) is not None:
            raise refusal

    def made_in(self, attempt: str) -> tuple[bytes, ...]:
        """The folders of one that has begun, in which its program makes its outputs."""
        note = self._journal.last(attempt)
        return tuple(place.made for place in note.places) if note is not None else ()

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
        except Exception as error:  # noqa: BLE001  # of one job's, whatever it is
            refusal = NotStaged(unexpected.told(attempt, error), FailureKind.NODE)
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
        new = self._new.pop(attempt, ())
        try:
            note = await self._in_turn(attempt, lambda: sealing.seal(self._journal, self._note(attempt), result, new))
        except NotStaged as refusal:
            sentence = refusal.sentence[:SENTENCE_CHARS]
            self._tell(OutputNotSealed(attempt=attempt, sentence=sentence, failure=refusal.failure))
        except Exception as error:  # noqa: BLE001  # of one job's, whatever it is
            sentence = unexpected.told(attempt, error)
            self._tell(OutputNotSealed(attempt=attempt, sentence=sentence, failure=FailureKind.NODE))
        else:
            assert note.result is not None
            self._tell(OutputSealed(attempt=attempt, outputs=note.result.outputs))

    async def _commit(self, order: CommitOutput) -> None:
        attempt, until = order.attempt, order.until
        try:
            await self._in_turn(attempt, lambda: staging.commit(self._journal, self._note(attempt), until))
        except TooLate:
            self._not_committed(attempt, "its lease was over", FailureKind.TRANSIENT, too_late=True)
        except NotStaged as refusal:
            self._not_committed(attempt, refusal.sentence, refusal.failure)
        except Exception as error:  # noqa: BLE001  # of one job's, whatever it is
            self._not_committed(attempt, unexpected.told(attempt, error), FailureKind.NODE)
        else:
            self._tell(OutputCommitted(attempt=attempt))

    def _not_committed(self, attempt: str, sentence: str, failure: FailureKind, *, too_late: bool = False) -> None:
        sentence = sentence[:SENTENCE_CHARS]
        self._tell(OutputNotCommitted(attempt=attempt, sentence=sentence, failure=failure, too_late=too_late))

    async def _drop(self, attempt: str) -> None:
        def work() -> None:
            note = self._journal.last(attempt)
            if note is not None:
                staging.drop(self._journal, note)

        try:
            await self._in_turn(attempt, work)
        except NotStaged as refusal:
            log.warning("%s: what it left aside stays: %s", attempt, refusal.sentence)
        except OSError as error:
            log.warning("%s: what it left aside stays until the next start: %s", attempt, error.strerror)
        except Exception:
            log.exception("%s: what it left aside stays until the next start", attempt)
        self._turns.pop(attempt, None)
        self._new.pop(attempt, None)

    async def _in_turn(self, attempt: str, work: Callable[[], T]) -> T:
        """After what was begun for this attempt before, also if nobody waits for that any more."""
        async with self._turns.setdefault(attempt, asyncio.Lock()):
            return await hanging.started(f"output of {attempt}", work)

    def _note(self, attempt: str) -> StagedNote:
        note = self._journal.last(attempt)
        assert note is not None, "it was begun, or found"
        return note

    # --- places -------------------------------------------------------------------------------------------------------

    def _owners(self, grant: Grant, whole: Aside | None) -> tuple[NewFiles, ...]:
        """Of what is new in each place."""
        roots = [place.root for place in whole.places] if whole is not None else []
        as_if_alone = [structs.replace(grant, outputs=(RootPath(root=root, path=""),)) for root in roots]
        return tuple(new_files(each, self._rules) for each in as_if_alone)

    def _places(self, whole: Aside) -> tuple[journal.Place, ...]:
        places = tuple(self._place(each) for each in whole.places)
        if len({each.landings[0].hidden for each in places}) < len(places):
            raise PathRefused("two of its outputs' roots are one folder here")
        return places

    def _place(self, place: Place) -> journal.Place:
        root = self._roots.get(place.root)
        if root is None:
            raise PathRefused(f"there is no root ${place.root} here")
        targets = tuple(
            Target(name=os.fsencode(each.path), kind=each.kind, shown=printable(place.shown(each.shown_path)))
            for each in place.targets
        )
        return journal.Place(
            root=os.fsencode(Path(root)),
            base=os.fsencode(place.base),
            made=os.fsencode(Path(self.roots[place.made_root], place.made)),
            targets=targets,
            landings=(Landing(base=os.fsencode(Path(root, place.base)), hidden=os.fsencode(Path(root, place.hidden))),),
            folder_shown=printable(place.shown(place.base)),
        )

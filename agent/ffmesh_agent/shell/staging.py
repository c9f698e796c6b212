"""Outputs that are written aside and take their places whole: what is done on the disk, step by step.

    begun ─seal→ sealed ─commit→ committing → in place         whenever: drop
                   ↑______________undone______|

Each stage notes in the journal what it is about to do before it does it, so that after a crash between any two steps
the note and the disk together say where things stand. Until the first rename the destination is not touched.

One output is one rename: done or not. Several (a ladder of playlists and segments) are several, in this order: what
nobody names, then playlists, then what names playlists, then old segments that are left over. Everything that is
overwritten is kept until the last one is done, and who looks meanwhile sees a mixture only as long as the renames take.
What cannot be finished is undone, in the reverse order:

- a rename that fails (no space, a read-only or broken disk) undoes those before it, and the attempt has failed;
- no rename begins after `until`, the end of the lease. So several begin only when the lease has time for all of them,
  and go on only as long as it has time to undo what was done. A disk that stalls all the same stops them where they
  are: the journal says `committing`, and the next word of the coordinator goes on from there;
- what a crash left half done is undone at the next start, before anything else, and waits aside for a fresh permission;
- when that is refused, what is still half done is undone.

Undoing may come after the lease's end, when another attempt has its turn. So it never trusts the journal alone: it
takes away only what is still the very file that this attempt had put there, looks at what it took, and puts it back if
that was another's. So nothing of another attempt is ever undone.

Taking a place is what `mv -T` does: a link at the destination is itself replaced, and what it points to stays as it
was. A folder that is not empty changes places with the new one, which few network file systems can. Links in the
folders above are followed, as long as they do not lead out of the root.

Where outputs are made on another file system (local scratch, or a mount below the folder that holds them all), sealing
copies them into a hidden folder beside their places, and syncs them there; then a rename is enough.

Whoever may write in a root can swap the hidden folder, or a folder above a destination, for a link. So before anything
is sealed, renamed, undone or dropped these are looked at: nothing is touched where one is not the folder that was made,
or leads out of its root. And what is made, copied, given away, renamed, undone or removed is named in folders that are
held open (see `held`): no swap meanwhile leads any of it out of the root. It is noticed at the end; what was renamed is
undone then.

Every function here may wait for a dead mount for ever, and belongs in a thread of its own. `NotStaged` says why not.
"""

import errno
import logging
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Final

from msgspec import structs

from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.ffmpeg.names import Names
from ffmesh_agent.shell import making, tree
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.exchange import CannotExchange
from ffmesh_agent.shell.held import Folder, Held, Spot
from ffmesh_agent.shell.journal import Journal, Landing, Place, Stage, StagedNote, Target, Way
from ffmesh_agent.shell.noted import (
    KEPT,
    NotStaged,
    below_root,
    explained,
    files_of,
    folder_of,
    folder_shown,
    joined,
    path,
    shown,
)
from ffmesh_agent.shell.owners import NewFiles
from ffmesh_agent.shell.steps import Move, State, moves, planned, there_of
from ffmesh_agent.shell.unswapped import check_inside, check_own, check_places
from ffmesh_protocol.messages.reports import FailureKind

log = logging.getLogger(__name__)

BATCH_SECONDS: Final = 1.0
RENAME_SECONDS: Final = 0.01
MOST_SECONDS: Final = 20.0
"""Several renames begin when the lease has so much time left, and so much for each of them; never more than the last,
which every fresh lease has. A rename takes a tenth of a millisecond here, and five on a share."""

UNDO_SECONDS: Final = 0.25
"""They go on while there is so much time left, and twice as much as they have taken."""


class TooLate(Exception):
    """Nothing is renamed without a new word."""


class Standing(Enum):
    ASIDE = auto()
    IN_PLACE = auto()
    GONE = auto()


# Begin


def begin(
    journal: Journal, note: StagedNote, *, umask: int | None, may_replace: bool, new: Sequence[NewFiles] = ()
) -> StagedNote:
    """Makes the hidden folders that the program is to write into. The first of `new` is whom the program runs as."""
    if not note.places:
        with explained("the agent could not note it in its own folder"):
            return journal.keep(note)
    for place in note.places:
        for target in place.targets:
            _check_destination(place, target, may_replace=may_replace)
    with explained(f"{shown(note)} could not be begun"):
        note = structs.replace(note, places=tuple(_with_landings(place) for place in note.places))
        journal.keep(note)
        with Held(note) as held:
            note = journal.keep(structs.replace(note, made=making.make(note, held, umask)))
            if new:
                making.give(note, held, new[0])
            held.check_names()
    return note


def _check_destination(place: Place, target: Target, *, may_replace: bool) -> None:
    """What the program would have found out itself, or a rename too late."""
    root, name = path(place.root), os.fsdecode(target.name)
    folder = folder_of(target)
    with explained(f"{target.shown} could not be looked at"):
        if not (root / folder).is_dir():
            raise NotStaged(f"there is no folder {folder_shown(place, folder)} for its output", FailureKind.INPUT)
        check_inside(place, folder)
        if target.kind is Kind.SET:
            exists = None if may_replace else next(there_of(place, Names(name)), None)
            if exists is not None:
                sentence = f"{folder_shown(place, exists)} exists already; say -y to replace it"
                raise NotStaged(sentence, FailureKind.PERMANENT)
            return
        destination = root / name
        there = tree.status(destination)
        is_folder = target.kind is Kind.FOLDER
        is_empty = is_folder and destination.is_dir() and not any(destination.iterdir())
    if there is None or stat.S_ISLNK(there.st_mode):
        return
    if stat.S_ISDIR(there.st_mode) != is_folder:
        what = "a folder" if stat.S_ISDIR(there.st_mode) else "no folder"
        raise NotStaged(f"its output {target.shown} is {what} already", FailureKind.PERMANENT)
    if not may_replace and not is_empty:
        raise NotStaged(f"{target.shown} exists already; say -y to replace it", FailureKind.PERMANENT)


def _with_landings(place: Place) -> Place:
    """Each mount below the common folder that has outputs gets a hidden folder of its own."""
    first = place.landings[0]
    base, hidden = path(first.base), path(first.hidden).name
    device = base.stat().st_dev
    tops: list[Path] = []
    for target in place.targets:
        top = path(place.root) / folder_of(target)
        while top != base and top.parent.stat().st_dev == top.stat().st_dev:
            top = top.parent
        if top.stat().st_dev != device and top not in tops:
            tops.append(top)
    more = [Landing(base=os.fsencode(top), hidden=os.fsencode(top / hidden)) for top in tops]
    return structs.replace(place, landings=(first, *more))


# Commit


def commit(journal: Journal, note: StagedNote, until: float) -> StagedNote:
    """Puts all outputs in place, or none: `TooLate` where `until` has passed, or is too near."""
    if not note.places:
        _in_time(until)
        return note
    with Held(note) as held:
        return _committed(journal, note, held, until)


def _committed(journal: Journal, note: StagedNote, held: Held, until: float) -> StagedNote:
    named = shown(note)
    if note.stage is Stage.COMMITTING:
        with explained(f"{named} could not be looked at"):
            check_own(note)
            note = _looked_again(note, held)
        if note.stage is Stage.COMMITTING:
            note = _taken_back(journal, note, held, until)
    if note.stage is Stage.IN_PLACE:
        return _noted(journal, note, held)
    with explained(f"{named} could not be put in place"):
        _check(note)
        if files_of(note) != note.files:
            raise NotStaged(f"what was written aside for {named} is gone", FailureKind.NODE)
        ready = planned(note, held)
        for move in moves(ready, held):
            if move.step.kept:
                move.keep()
        if len(ready.steps) > 1:
            for folder in {Folder(step.place, step.landing, KEPT, is_aside=True) for step in ready.steps}:
                held.sync(folder)
            _in_time(until - min(MOST_SECONDS, BATCH_SECONDS + RENAME_SECONDS * len(ready.steps)))
    with explained("the agent could not note it in its own folder"):
        committing = journal.moved(ready, Stage.COMMITTING, ready.steps)
    try:
        with explained(f"{named} could not be put in place"):
            _check(committing)
            _do_all(moves(committing, held), until)
            held.check_names()
    except (NotStaged, TooLate):
        _taken_back(journal, committing, held, until)
        raise
    return _noted(journal, structs.replace(committing, stage=Stage.IN_PLACE), held)


def _check(note: StagedNote) -> None:
    check_own(note)
    check_places(note)


def _do_all(steps: list[Move], until: float) -> None:
    _in_time(until)
    began = boottime()
    for number, move in enumerate(steps):
        if number:
            now = boottime()
            _in_time(until - UNDO_SECONDS - 2 * (now - began), now)
        try:
            move.do()
        except CannotExchange:
            raise OSError(errno.EINVAL, "the file system there cannot exchange two files any more") from None


def _taken_back(journal: Journal, note: StagedNote, held: Held, until: float) -> StagedNote:
    """What was done is undone. `TooLate`, or `NotStaged`: not all of it could be; the journal says so."""
    with explained(f"{shown(note)} could not be taken back"):
        _undo_all(note, held, until)
    try:
        return journal.moved(note, Stage.SEALED)
    except OSError as error:  # what stands aside tells the same
        log.warning("%s: cannot be noted: %s", note.attempt, error.strerror)
        return structs.replace(note, stage=Stage.SEALED, steps=())


def _undo_all(note: StagedNote, held: Held, until: float) -> None:
    """All that it is about is opened, or refused, before the first of them is undone."""
    states = [(move, move.state()) for move in moves(note, held)]
    is_anothers_turn = any(state is State.ANOTHERS for _, state in states)
    if is_anothers_turn:
        stays = [os.fsdecode(move.step.name) for move, state in states if state is State.ANOTHERS]
        log.warning("%s: what is in the place of %s is not what it had put there, and stays", note.attempt, stays[0])
    for move, state in reversed(states):
        if state not in {State.DONE, State.GIVEN_BACK}:
            continue
        if is_anothers_turn and (move.step.way is Way.LEAVE or state is State.GIVEN_BACK):
            continue
        _in_time(until)
        move.undo()
    for folder in _destinations(note, held):
        with suppress(OSError, NotStaged):
            held.sync(folder)


def _noted(journal: Journal, note: StagedNote, held: Held) -> StagedNote:
    for folder in _destinations(note, held):
        try:
            held.sync(folder)
        except OSError as error:
            named = shown(note)
            log.warning("%s: %s is in place, but may not outlive a crash: %s", note.attempt, named, error.strerror)
    try:
        return journal.moved(note, Stage.IN_PLACE, note.steps)
    except OSError as error:  # what is in place tells the same
        log.warning("%s: cannot be noted: %s", note.attempt, error.strerror)
        return note


def _destinations(note: StagedNote, held: Held) -> list[Folder]:
    return list(dict.fromkeys(move.destination.folder for move in moves(note, held)))


def _in_time(until: float, now: float | None = None) -> None:
    if (boottime() if now is None else now) >= until:
        raise TooLate


# After a crash


def standing(journal: Journal, note: StagedNote) -> Standing:
    """Where sealed outputs are. What is half in place is taken back first.

    What changed places is known by its number. Where numbers do not last, nothing changes places; see `steps`.
    """
    if not note.places:
        return Standing.ASIDE
    with Held(note) as held:
        return _standing(journal, note, held)


def _standing(journal: Journal, note: StagedNote, held: Held) -> Standing:
    if note.stage is not Stage.IN_PLACE:
        check_own(note)
        note = _looked_again(note, held)
    if note.stage is Stage.IN_PLACE:
        return Standing.IN_PLACE
    if note.stage is Stage.COMMITTING:
        is_lost = any(move.state() is State.LOST for move in moves(note, held))
        note = _taken_back(journal, note, held, float("inf"))
        if is_lost:
            return Standing.GONE
    return Standing.ASIDE if files_of(note) == note.files else Standing.GONE


def _looked_again(note: StagedNote, held: Held) -> StagedNote:
    """In place, if no step waits any more, and none was about to be undone."""
    if note.stage is Stage.COMMITTING and note.steps:
        states = {move.state() for move in moves(note, held)}
        if not states & {State.WAITS, State.GIVEN_BACK, State.LOST}:
            return structs.replace(note, stage=Stage.IN_PLACE)
    return note


def drop(journal: Journal, note: StagedNote) -> None:
    """What is half in place is taken back; whatever stands aside goes, then the note. `NotStaged`: nothing is touched,
    for a folder of its own is another's now."""
    if note.places:
        try:
            check_own(note)
        except NotStaged:
            if note.stage is not Stage.COMMITTING:
                journal.moved(note, Stage.OVER, note.steps)  # no later life asks for permission
            raise
        with Held(note) as held:
            if not _dropped(journal, note, held):
                return  # tried again at the next start
    journal.forget(note.attempt)


def _dropped(journal: Journal, note: StagedNote, held: Held) -> bool:
    """Whether all has gone."""
    if _looked_again(note, held).stage is Stage.COMMITTING:
        _undo_all(note, held, float("inf"))
    leaving = [move for move in moves(note, held) if move.step.way is Way.LEAVE]
    if note.stage is not Stage.OVER:
        note = journal.moved(note, Stage.OVER, note.steps)
    if not all(making.is_removed(own) for _, own in making.own_folders(note, held)):
        return False
    for place in note.places:
        if place.made != place.landings[0].hidden:
            with suppress(OSError):
                path(place.made).parent.rmdir()
    for folder in {move.destination.folder for move in leaving}:
        _remove_if_left_empty(folder, note, held)
    return True


def _remove_if_left_empty(folder: Folder, note: StagedNote, held: Held) -> None:
    """A variant's folder, when its last segment has left it. Not one that was there before any variant."""
    place = note.places[folder.place]
    whole = joined(below_root(place, folder.landing), folder.name)
    given = {folder_of(target) for target in place.targets}
    if folder.name and not any(each == whole or each.startswith(f"{whole}/") for each in given):
        above, _, name = folder.name.rpartition("/")
        with suppress(OSError, NotStaged):
            Spot(held, replace(folder, name=above), name).remove_folder()

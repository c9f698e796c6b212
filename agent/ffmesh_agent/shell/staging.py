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

Every function here may wait for a dead mount for ever, and belongs in a thread of its own. `NotStaged` says why not.
"""

import errno
import logging
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from typing import Final

from msgspec import structs

from ffmesh_agent.ffmpeg import playlists
from ffmesh_agent.ffmpeg.aside import HIDDEN, Kind
from ffmesh_agent.ffmpeg.names import Names, fixed_folder
from ffmesh_agent.shell import below, tree
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.exchange import CannotExchange
from ffmesh_agent.shell.journal import Journal, Landing, Place, Stage, StagedNote, Target, Way
from ffmesh_agent.shell.owners import AS_THE_AGENT, NewFiles, given, settled
from ffmesh_agent.shell.scratch import removed
from ffmesh_agent.shell.steps import (
    KEPT,
    Move,
    NotStaged,
    State,
    below_root,
    joined,
    landing_of,
    moves,
    path,
    planned,
    there_of,
)
from ffmesh_protocol.messages.jobs import Written
from ffmesh_protocol.messages.reports import FailureKind, Result
from ffmesh_protocol.sizes import size_shown

log = logging.getLogger(__name__)

_IS_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_ASKED_WRONGLY: Final = frozenset({errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})

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
        with _explained("the agent could not note it in its own folder"):
            return journal.keep(note)
    for place in note.places:
        for target in place.targets:
            _check_destination(place, target, may_replace=may_replace)
    with _explained(f"{shown(note)} could not be begun"):
        note = structs.replace(note, places=tuple(_with_landings(place) for place in note.places))
        journal.keep(note)
        for folder in _folders(note):
            removed(folder)
        for folder in _folders(note):
            if not folder.parent.is_dir():
                folder.parent.mkdir(mode=0o700)  # in the scratch place: of this attempt, with a folder for each root
            folder.mkdir(mode=0o700)
        for place in note.places:
            _make_folders(place, umask)
        for folder in _folders(note) if new else ():
            _give(folder, new[0])
    return note


def _give(folder: Path, new: NewFiles) -> None:
    given(folder, new)
    for inner in (each for each in folder.rglob("*") if each.is_dir()):
        given(inner, new)
    if folder.parent.name.startswith(HIDDEN):
        given(folder.parent, new)


def _check_destination(place: Place, target: Target, *, may_replace: bool) -> None:
    """What the program would have found out itself, or a rename too late."""
    root, name = path(place.root), os.fsdecode(target.name)
    folder = _folder_of(target)
    with _explained(f"{target.shown} could not be looked at"):
        if not (root / folder).is_dir():
            raise NotStaged(f"there is no folder {_folder_shown(place, folder)} for its output", FailureKind.INPUT)
        _check_inside(place, folder)
        if target.kind is Kind.SET:
            exists = None if may_replace else next(there_of(place, Names(name)), None)
            if exists is not None:
                sentence = f"{_folder_shown(place, exists)} exists already; say -y to replace it"
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


def _check_inside(place: Place, folder: str) -> None:
    try:
        below.found(place.root, os.fsencode(folder))
    except below.LeadsOut:
        sentence = f"{_folder_shown(place, folder)} leads out of its root through a link"
        raise NotStaged(sentence, FailureKind.PERMANENT) from None


def _with_landings(place: Place) -> Place:
    """Each mount below the common folder that has outputs gets a hidden folder of its own."""
    first = place.landings[0]
    base, hidden = path(first.base), path(first.hidden).name
    device = base.stat().st_dev
    tops: list[Path] = []
    for target in place.targets:
        top = path(place.root) / _folder_of(target)
        while top != base and top.parent.stat().st_dev == top.stat().st_dev:
            top = top.parent
        if top.stat().st_dev != device and top not in tops:
            tops.append(top)
    more = [Landing(base=os.fsencode(top), hidden=os.fsencode(top / hidden)) for top in tops]
    return structs.replace(place, landings=(first, *more))


def _make_folders(place: Place, umask: int | None) -> None:
    """Those that are at the destination too; and of outputs that are folders."""
    made = path(place.made)
    base = os.fsdecode(place.base)
    for target in place.targets:
        folder = _folder_of(target)
        names = folder.removeprefix(base).strip("/").split("/") if folder != base else []
        for depth in range(len(names)):
            name = "/".join(names[: depth + 1])
            (made / name).mkdir(exist_ok=True)
            (made / name).chmod(stat.S_IMODE((path(place.root) / joined(base, name)).stat().st_mode))
        if target.kind is Kind.FOLDER:
            _make_output(made / _below_base(place, os.fsdecode(target.name)), umask)


def _make_output(folder: Path, umask: int | None) -> None:
    folder.mkdir()
    if umask is not None:
        special = stat.S_IMODE(folder.stat().st_mode) & 0o7000  # inherited, for the group's sake
        folder.chmod(special | 0o777 & ~umask)


# Seal


def seal(journal: Journal, note: StagedNote, result: Result, new: Sequence[NewFiles] = ()) -> StagedNote:
    """Its program has ended well: sees that the outputs are there, whole and on disk, and notes the result.

    `new`: whose the files of each place are to be.
    """
    files = 0
    if note.places:
        with _explained(f"{shown(note)} could not be kept"):
            if all(_is_empty(place) for place in note.places) and not _has_one_plain_output(note):
                raise NotStaged(f"it ended well and wrote nothing of {shown(note)}", FailureKind.PERMANENT)
            for place in note.places:
                _check_made(place, shown(note))
            for place, owner in zip(note.places, new or [AS_THE_AGENT] * len(note.places), strict=True):
                _bring(place)
                for landing in place.landings:
                    for name in tree.names_in(path(landing.hidden)):
                        settled(path(landing.hidden) / name, owner)
                files += _synced(place)
            result = structs.replace(result, outputs=_written(note))
    with _explained("the agent could not note it in its own folder"):
        return journal.keep(structs.replace(note, stage=Stage.SEALED, result=result, files=files))


def _has_one_plain_output(note: StagedNote) -> bool:
    """Whose absence has a sentence of its own."""
    return any(target.kind is not Kind.SET for place in note.places for target in place.targets)


def _is_empty(place: Place) -> bool:
    return not path(place.made).is_dir() or not tree.has_file(path(place.made))


def _check_made(place: Place, named: str) -> None:
    made = path(place.made)
    for target in place.targets:
        if target.kind is not Kind.SET:
            _check_target(made / _below_base(place, os.fsdecode(target.name)), target)
    folders = [os.fsdecode(target.name) for target in place.targets if target.kind is Kind.FOLDER]
    files = {os.fsdecode(target.name) for target in place.targets if target.kind is Kind.FILE}
    sets = [Names(os.fsdecode(target.name)) for target in place.targets if target.kind is Kind.SET]
    strangers: list[str] = []
    for name, there in tree.entries(made) if made.is_dir() else ():
        whole = joined(os.fsdecode(place.base), name)
        if not any(whole.startswith(f"{folder}/") for folder in folders):
            if whole not in files and not any(whole in names for names in sets):
                strangers.append(name)
            elif not stat.S_ISREG(there.st_mode):
                sentence = f"it ended well, and its output {_folder_shown(place, whole)} is no plain file"
                raise NotStaged(sentence, FailureKind.PERMANENT)
        _check_list(made / name, there, _folder_shown(place, whole))
    if strangers:
        more = f"{strangers[0]!a}" if len(strangers) == 1 else f"{strangers[0]!a} and {len(strangers) - 1} more"
        sentence = f"beside {named} it wrote {more}; name them as its output too, or their folder"
        raise NotStaged(sentence, FailureKind.PERMANENT)


def _check_target(made: Path, target: Target) -> None:
    there = tree.status(made)
    if there is None:
        raise NotStaged(f"it ended well and wrote no {target.shown}", FailureKind.PERMANENT)
    if target.kind is Kind.FOLDER:
        if not stat.S_ISDIR(there.st_mode):
            raise NotStaged(f"it ended well, and its output {target.shown} is no folder", FailureKind.PERMANENT)
        if not any(made.iterdir()):
            raise NotStaged(f"it ended well and wrote nothing into {target.shown}", FailureKind.PERMANENT)
    elif not stat.S_ISREG(there.st_mode):
        raise NotStaged(f"it ended well, and its output {target.shown} is no plain file", FailureKind.PERMANENT)


def _check_list(file: Path, there: os.stat_result, named: str) -> None:
    """What a playlist says of the hidden place is not true any more when it has taken its own."""
    if playlists.is_list(file.name) and stat.S_ISREG(there.st_mode):
        with file.open("rb") as opened:
            content = opened.read(playlists.LIST_BYTES)
        if HIDDEN.encode() in content:
            sentence = f"{named} names files by whole paths, which are not theirs yet; lay them below its folder"
            raise NotStaged(sentence, FailureKind.PERMANENT)


def _bring(place: Place) -> None:
    """What was made on another file system than the one where it is to be. It leaves there when it has come here."""
    made, base = path(place.made), os.fsdecode(place.base)
    if not made.is_dir():
        return
    in_scratch = place.made != place.landings[0].hidden
    if not in_scratch and len(place.landings) == 1:
        return
    folders = {os.fsdecode(target.name) for target in place.targets if target.kind is Kind.FOLDER}
    brought: list[tuple[Path, int, str]] = []
    for name in _wholes(made, base, folders):
        at = landing_of(place, joined(base, name))
        if in_scratch or at > 0:
            brought.append((made / name, at, name))
    _check_room(place, brought)
    for source, at, name in brought:
        landing = place.landings[at]
        top = below_root(place, at)
        whole = joined(base, name)
        target = path(landing.hidden) / (whole.removeprefix(f"{top}/") if top else whole)
        target.parent.mkdir(parents=True, exist_ok=True)
        tree.copied(source, target)
        removed(source)


def _wholes(made: Path, base: str, folders: set[str], inside: str = "") -> Iterator[str]:
    """What is brought by itself: files, and folders that are outputs."""
    for name in tree.names_in(made / inside):
        there = joined(inside, name)
        is_folder = stat.S_ISDIR((made / there).lstat().st_mode)
        if is_folder and joined(base, there) not in folders:
            yield from _wholes(made, base, folders, there)
        else:
            yield there


def _check_room(place: Place, brought: list[tuple[Path, int, str]]) -> None:
    for at, landing in enumerate(place.landings):
        needed = sum(tree.bytes_in(source) for source, to, _ in brought if to == at)
        room = os.statvfs(path(landing.base))
        free = room.f_bavail * room.f_frsize
        if needed > free:
            shown = _folder_shown(place, below_root(place, at))
            sentence = f"its output takes {size_shown(needed)} in {shown}, where {size_shown(free)} are free"
            raise NotStaged(sentence, FailureKind.NODE)


def _synced(place: Place) -> int:
    """How many files."""
    files = 0
    for landing in place.landings:
        hidden = path(landing.hidden)
        files += sum(1 for _ in tree.entries(hidden))
        tree.sync_all(hidden)
        tree.sync(hidden.parent)
    return files


def _written(note: StagedNote) -> tuple[Written, ...]:
    return tuple(
        Written(path=target.shown, bytes=_bytes_of(place, target)) for place in note.places for target in place.targets
    )


def _bytes_of(place: Place, target: Target) -> int:
    name = os.fsdecode(target.name)
    if target.kind is not Kind.SET:
        at = landing_of(place, name)
        top = below_root(place, at)
        return tree.bytes_in(path(place.landings[at].hidden) / (name.removeprefix(f"{top}/") if top else name))
    names = Names(name)
    return sum(
        there.st_size
        for at, landing in enumerate(place.landings)
        for each, there in tree.entries(path(landing.hidden))
        if joined(below_root(place, at), each) in names
    )


# Commit


def commit(journal: Journal, note: StagedNote, until: float) -> StagedNote:
    """Puts all outputs in place, or none: `TooLate` where `until` has passed, or is too near."""
    if not note.places:
        _in_time(until)
        return note
    named = shown(note)
    if note.stage is Stage.COMMITTING:
        with _explained(f"{named} could not be looked at"):
            note = _looked_again(note)
        if note.stage is Stage.COMMITTING:
            note = _taken_back(journal, note, until)
    if note.stage is Stage.IN_PLACE:
        return _noted(journal, note)
    with _explained(f"{named} could not be put in place"):
        if _files(note) != note.files:
            raise NotStaged(f"what was written aside for {named} is gone", FailureKind.NODE)
        for place in note.places:
            for target in place.targets:
                _check_inside(place, _folder_of(target))
        ready = planned(note)
        for move in moves(ready):
            if move.step.kept:
                move.keep()
        if len(ready.steps) > 1:
            for landing in _landings(ready):
                tree.sync(path(landing.hidden) / KEPT)
            _in_time(until - min(MOST_SECONDS, BATCH_SECONDS + RENAME_SECONDS * len(ready.steps)))
    with _explained("the agent could not note it in its own folder"):
        committing = journal.moved(ready, Stage.COMMITTING, ready.steps)
    try:
        with _explained(f"{named} could not be put in place"):
            _do_all(moves(committing), until)
    except (NotStaged, TooLate):
        _taken_back(journal, committing, until)
        raise
    return _noted(journal, structs.replace(committing, stage=Stage.IN_PLACE))


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


def _taken_back(journal: Journal, note: StagedNote, until: float) -> StagedNote:
    """What was done is undone. `TooLate`, or `NotStaged`: not all of it could be; the journal says so."""
    with _explained(f"{shown(note)} could not be taken back"):
        _undo_all(note, until)
    try:
        return journal.moved(note, Stage.SEALED)
    except OSError as error:  # what stands aside tells the same
        log.warning("%s: cannot be noted: %s", note.attempt, error.strerror)
        return structs.replace(note, stage=Stage.SEALED, steps=())


def _undo_all(note: StagedNote, until: float) -> None:
    states = [(move, move.state()) for move in moves(note)]
    is_anothers_turn = any(state is State.ANOTHERS for _, state in states)
    for move, state in reversed(states):
        if state is not State.DONE or (move.step.way is Way.LEAVE and is_anothers_turn):
            continue
        _in_time(until)
        move.undo()
    for folder in _destinations(note):
        with suppress(OSError):
            tree.sync(folder)


def _noted(journal: Journal, note: StagedNote) -> StagedNote:
    for folder in _destinations(note):
        try:
            tree.sync(folder)
        except OSError as error:
            named = shown(note)
            log.warning("%s: %s is in place, but may not outlive a crash: %s", note.attempt, named, error.strerror)
    try:
        return journal.moved(note, Stage.IN_PLACE, note.steps)
    except OSError as error:  # what is in place tells the same
        log.warning("%s: cannot be noted: %s", note.attempt, error.strerror)
        return note


def _destinations(note: StagedNote) -> list[Path]:
    return list(dict.fromkeys(move.destination.parent for move in moves(note)))


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
    note = _looked_again(note)
    if note.stage is Stage.IN_PLACE:
        return Standing.IN_PLACE
    if note.stage is Stage.COMMITTING:
        is_lost = any(move.state() is State.LOST for move in moves(note))
        note = _taken_back(journal, note, float("inf"))
        if is_lost:
            return Standing.GONE
    return Standing.ASIDE if _files(note) == note.files else Standing.GONE


def _looked_again(note: StagedNote) -> StagedNote:
    """In place, if no step waits any more."""
    if note.stage is Stage.COMMITTING and note.steps:
        states = {move.state() for move in moves(note)}
        if not states & {State.WAITS, State.LOST}:
            return structs.replace(note, stage=Stage.IN_PLACE)
    return note


def drop(journal: Journal, note: StagedNote) -> None:
    """What is half in place is taken back; whatever stands aside goes, then the note."""
    if note.places:
        if _looked_again(note).stage is Stage.COMMITTING:
            _undo_all(note, float("inf"))
        leaving = [move for move in moves(note) if move.step.way is Way.LEAVE]
        if note.stage is not Stage.OVER:
            note = journal.moved(note, Stage.OVER, note.steps)
        for folder in _folders(note):
            removed(folder)
            if tree.status(folder) is not None:
                return  # tried again at the next start
        for place in note.places:
            if place.made != place.landings[0].hidden:
                with suppress(OSError):
                    path(place.made).parent.rmdir()
        for folder in {move.destination.parent for move in leaving}:
            _remove_if_left_empty(folder, note)
    journal.forget(note.attempt)


def _remove_if_left_empty(folder: Path, note: StagedNote) -> None:
    """A variant's folder, when its last segment has left it. Not one that was there before any variant."""
    given = {path(place.root) / _folder_of(target) for place in note.places for target in place.targets}
    if folder not in given and not any(folder in each.parents for each in given):
        with suppress(OSError):
            folder.rmdir()


# Words and places


def shown(note: StagedNote) -> str:
    targets = [target.shown for place in note.places for target in place.targets]
    return targets[0] if len(targets) == 1 else f"{targets[0]} and {len(targets) - 1} more"


def _folder_shown(place: Place, name: str) -> str:
    root = place.targets[0].shown.partition("/")[0]
    return f"{root}/{name}" if name else root


def _folder_of(target: Target) -> str:
    """That must be there for it, relative to the root."""
    name = os.fsdecode(target.name)
    return fixed_folder(name) if target.kind is Kind.SET else name.rpartition("/")[0]


def _below_base(place: Place, name: str) -> str:
    base = os.fsdecode(place.base)
    return name.removeprefix(f"{base}/") if base else name


def _landings(note: StagedNote) -> Iterator[Landing]:
    for place in note.places:
        yield from place.landings


def _folders(note: StagedNote) -> list[Path]:
    """Those of this attempt alone."""
    made = [path(place.made) for place in note.places]
    hidden = [path(landing.hidden) for landing in _landings(note)]
    return list(dict.fromkeys([*made, *hidden]))


def _files(note: StagedNote) -> int:
    """How many stand aside, what was overwritten not counted."""
    return sum(
        1
        for landing in _landings(note)
        if tree.status(path(landing.hidden)) is not None
        for name, _ in tree.entries(path(landing.hidden))
        if not name.startswith(f"{KEPT}/")
    )


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

"""What a program has made is looked at, brought to the file system where it is to be, and on disk: then it is sealed.

Nothing takes its place here. What is missing, is no plain file, or was named by nobody is refused with a sentence.

Waits for disks, as staging.py does.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import structs

from ffmesh_agent.ffmpeg import playlists
from ffmesh_agent.ffmpeg.aside import HIDDEN, Kind
from ffmesh_agent.ffmpeg.names import Names
from ffmesh_agent.shell import tree
from ffmesh_agent.shell.held import IN_SCRATCH, Folder, Held
from ffmesh_agent.shell.journal import Journal, Place, Stage, StagedNote, Target
from ffmesh_agent.shell.making import made_in
from ffmesh_agent.shell.noted import (
    NotStaged,
    below_base,
    below_root,
    explained,
    folder_shown,
    joined,
    landing_of,
    path,
    shown,
)
from ffmesh_agent.shell.owners import AS_THE_AGENT, NewFiles, settled
from ffmesh_agent.shell.unswapped import check_own
from ffmesh_protocol.messages.jobs import Written
from ffmesh_protocol.messages.reports import FailureKind, Result
from ffmesh_protocol.sizes import size_shown


def seal(journal: Journal, note: StagedNote, result: Result, new: Sequence[NewFiles] = ()) -> StagedNote:
    """Its program has ended well: sees that the outputs are there, whole and on disk, and notes the result.

    `new`: whose the files of each place are to be.
    """
    files = 0
    if note.places:
        with explained(f"{shown(note)} could not be kept"), Held(note) as held:
            check_own(note)
            if all(_is_empty(place) for place in note.places) and not _has_one_plain_output(note):
                raise NotStaged(f"it ended well and wrote nothing of {shown(note)}", FailureKind.PERMANENT)
            for place in note.places:
                _check_made(place, shown(note))
            owners = new or [AS_THE_AGENT] * len(note.places)
            for number, (place, owner) in enumerate(zip(note.places, owners, strict=True)):
                check_own(note)
                _bring(number, place, held)
                files += sum(_settled(Folder(number, at, "", is_aside=True), held, owner) for at in _landings(place))
                for at in _landings(place):
                    held.sync(Folder(number, at, ""))
            held.check_names()
            result = structs.replace(result, outputs=_written(note))
    with explained("the agent could not note it in its own folder"):
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
            _check_target(made / below_base(place, os.fsdecode(target.name)), target)
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
                sentence = f"it ended well, and its output {folder_shown(place, whole)} is no plain file"
                raise NotStaged(sentence, FailureKind.PERMANENT)
        _check_list(made / name, there, folder_shown(place, whole))
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


def _bring(number: int, place: Place, held: Held) -> None:
    """What was made on another file system than the one where it is to be. It leaves there when it has come here."""
    made, base = path(place.made), os.fsdecode(place.base)
    if not made.is_dir():
        return
    is_in_scratch = made_in(place) == IN_SCRATCH
    if not is_in_scratch and len(place.landings) == 1:
        return
    folders = {os.fsdecode(target.name) for target in place.targets if target.kind is Kind.FOLDER}
    brought: list[tuple[str, int]] = []
    for name in _wholes(made, base, folders):
        at = landing_of(place, joined(base, name))
        if is_in_scratch or at > 0:
            brought.append((name, at))
    _check_room(place, brought)
    for name, at in brought:
        top, whole = below_root(place, at), joined(base, name)
        there = whole.removeprefix(f"{top}/") if top else whole
        source = held.spot(Folder(number, made_in(place), name, is_aside=True))
        target = held.spot(Folder(number, at, there, is_aside=True))
        _make_folder(target.folder, source.folder, held)
        source.copy(target)
        source.remove()


def _make_folder(folder: Folder, like: Folder, held: Held) -> None:
    """With those above it that are not there yet, whatever umask the agent has."""
    spot = held.spot(folder)
    if not folder.name or spot.status() is not None:
        return
    _make_folder(spot.folder, held.spot(like).folder, held)
    made = spot.made()
    if made is not None:
        held.take(folder, made)
        os.fchmod(made, stat.S_IMODE(os.fstat(held.opened(like)).st_mode))


def _wholes(made: Path, base: str, folders: set[str], inside: str = "") -> Iterator[str]:
    """What is brought by itself: files, and folders that are outputs."""
    for name in tree.names_in(made / inside):
        there = joined(inside, name)
        is_folder = stat.S_ISDIR((made / there).lstat().st_mode)
        if is_folder and joined(base, there) not in folders:
            yield from _wholes(made, base, folders, there)
        else:
            yield there


def _check_room(place: Place, brought: list[tuple[str, int]]) -> None:
    for at, landing in enumerate(place.landings):
        needed = sum(tree.bytes_in(path(place.made) / name) for name, to in brought if to == at)
        room = os.statvfs(path(landing.base))
        free = room.f_bavail * room.f_frsize
        if needed > free:
            folder = folder_shown(place, below_root(place, at))
            sentence = f"its output takes {size_shown(needed)} in {folder}, where {size_shown(free)} are free"
            raise NotStaged(sentence, FailureKind.NODE)


def _landings(place: Place) -> range:
    return range(len(place.landings))


def _settled(hidden: Folder, held: Held, owner: NewFiles) -> int:
    """Its owner's, and on disk: how many files."""
    with held.read(hidden) as descriptor:
        for name in tree.names_held(descriptor):
            settled(Path(name), owner, descriptor)
        tree.sync_all(descriptor)
    return sum(1 for _ in tree.entries(path(held.own(hidden))))


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

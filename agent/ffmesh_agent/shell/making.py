"""The folders of an attempt's own: made before its program starts, and removed when all is over.

Whoever may write in a root can swap the folder that one of them is made in, at any moment, for a link. So each is made,
changed, given away and removed by its name in a folder that is held open (see `held`): nothing outside the root is.

Waits for disks, as staging.py does.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.shell import exchange, tree
from ffmesh_agent.shell.held import IN_SCRATCH, SWAPPED, Folder, Held, Spot
from ffmesh_agent.shell.journal import Made, Place, StagedNote
from ffmesh_agent.shell.noted import NotStaged, below_base, folder_of, path
from ffmesh_agent.shell.owners import NewFiles, given
from ffmesh_protocol.messages.reports import FailureKind

_OURS_ALONE: Final = 0o700


def made_in(place: Place) -> int:
    """The landing in which its outputs are made, or `IN_SCRATCH`."""
    return 0 if place.made == place.landings[0].hidden else IN_SCRATCH


def own_folders(note: StagedNote, held: Held) -> Iterator[tuple[Folder, Spot]]:
    """Each of them, and where it lies by its name."""
    for number, place in enumerate(note.places):
        landings = (*range(len(place.landings)), *((IN_SCRATCH,) if made_in(place) == IN_SCRATCH else ()))
        for landing in landings:
            folder = Folder(number, landing, "", is_aside=True)
            yield folder, Spot(held, Folder(number, landing, ""), path(held.own(folder)).name)


def make(note: StagedNote, held: Held, umask: int | None) -> tuple[Made, ...]:
    """With the folders in them that are at the destination too, and outputs that are folders."""
    own = list(own_folders(note, held))
    for place in note.places:
        if made_in(place) == IN_SCRATCH:
            with suppress(FileExistsError):  # of this attempt, with a folder for each root
                path(place.made).parent.mkdir(mode=_OURS_ALONE)
    for _, spot in own:
        spot.remove()
    made = tuple(_made(folder, spot, held) for folder, spot in own)
    held.learn(made)
    for number, place in enumerate(note.places):
        _make_inside(number, place, held, umask)
    return made


def _made(folder: Folder, spot: Spot, held: Held) -> Made:
    """Somebody may put a folder of theirs in its place before we have opened it: it would be seen not to be empty."""
    descriptor = spot.made(_OURS_ALONE)
    if descriptor is None:
        raise NotStaged(SWAPPED, FailureKind.NODE)
    held.take(folder, descriptor)
    there, above = os.fstat(descriptor), os.fstat(held.opened(spot.folder))
    if tree.names_held(descriptor) or there.st_dev != above.st_dev:
        raise NotStaged(SWAPPED, FailureKind.NODE)
    numbers_last = exchange.probed(descriptor)[1]
    return Made(folder=held.own(folder), inode=there.st_ino if numbers_last else 0)


def _make_inside(number: int, place: Place, held: Held, umask: int | None) -> None:
    base = os.fsdecode(place.base)
    for target in place.targets:
        folder = folder_of(target)
        names = folder.removeprefix(base).strip("/").split("/") if folder != base else []
        for depth in range(len(names)):
            name = "/".join(names[: depth + 1])
            at_destination = os.fstat(held.opened(Folder(number, 0, name)))
            made = _made_inside(Folder(number, made_in(place), name, is_aside=True), held)
            if made is not None:
                os.fchmod(made, stat.S_IMODE(at_destination.st_mode))
        if target.kind is Kind.FOLDER:
            name = below_base(place, os.fsdecode(target.name))
            made = _made_inside(Folder(number, made_in(place), name, is_aside=True), held)
            if made is not None and umask is not None:
                special = stat.S_IMODE(os.fstat(made).st_mode) & 0o7000  # inherited, for the group's sake
                os.fchmod(made, special | 0o777 & ~umask)


def _made_inside(folder: Folder, held: Held) -> int | None:
    """None: it was made for another output."""
    made = held.spot(folder).made()
    if made is not None:
        held.take(folder, made)
    return made


def give(note: StagedNote, held: Held, new: NewFiles) -> None:
    """To whom the program runs as: what is in them first, as long as nobody else can enter them."""
    for folder, _ in own_folders(note, held):
        for descriptor, _ in tree.folders_in(held.opened(folder)):
            given(descriptor, new)
    for number, place in enumerate(note.places):
        if made_in(place) == IN_SCRATCH:
            with held.read(Folder(number, IN_SCRATCH, "")) as descriptor:
                given(descriptor, new)


def is_removed(own: Spot) -> bool:
    if own.status() is not None:
        own.remove()
    return own.status() is None

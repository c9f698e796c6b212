"""Whether an attempt's own folders are still the ones that were made for it, and its places still below their roots.

Whoever may write in a root can rename a hidden folder away and lay a link in its place. So each is known by the number
that it had when it was made, and by being on the file system of the folder it is in: numbers of devices change when a
machine starts anew. Where numbers do not last, it is at least no link.

Waits for disks, as staging.py does.
"""

import os
import stat

from ffmesh_agent.shell import below, tree
from ffmesh_agent.shell.held import SWAPPED
from ffmesh_agent.shell.journal import Place, StagedNote
from ffmesh_agent.shell.noted import NotStaged, below_root, folder_of, folder_shown, folders_of, joined
from ffmesh_protocol.messages.reports import FailureKind


def check_own(note: StagedNote) -> None:
    """`NotStaged` if one is another's. One that is gone is not."""
    numbers = {each.folder: each.inode for each in note.made}
    for folder in folders_of(note):
        there = tree.status(folder)
        if there is None:
            continue
        is_ours = (
            stat.S_ISDIR(there.st_mode)
            and there.st_dev == folder.parent.stat().st_dev
            and numbers.get(os.fsencode(folder), 0) in (0, there.st_ino)
        )
        if not is_ours:
            raise NotStaged(SWAPPED, FailureKind.NODE)


def check_places(note: StagedNote) -> None:
    """`NotStaged` if a folder that something is to be renamed into leads out of its root."""
    for place in note.places:
        for folder in {folder_of(target) for target in place.targets}:
            check_inside(place, folder)
    parents = {(step.place, step.landing, os.fsdecode(step.name).rpartition("/")[0]) for step in note.steps}
    for number, landing, folder in parents:
        place = note.places[number]
        check_inside(place, joined(below_root(place, landing), folder).rstrip("/"))


def check_inside(place: Place, folder: str) -> None:
    try:
        below.found(place.root, os.fsencode(folder))
    except below.LeadsOut:
        sentence = f"{folder_shown(place, folder)} leads out of its root through a link"
        raise NotStaged(sentence, FailureKind.PERMANENT) from None

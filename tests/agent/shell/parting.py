"""Outputs that are begun, sealed or committed while somebody who may write in the root swaps a folder for a link out of
it, at one moment after the other: before each thing that this asks of the kernel.

`python parting.py WHICH END FOLDER` makes `FOLDER/0`, `FOLDER/2`, … until all is over before the swap. Of each,
`outside` is what the link leads to; a file `touched` is there if anything in it has changed, or has got into the root.
"""

import errno
import os
import sys
from pathlib import Path
from typing import Final

from agent.shell.crashing import (
    ATTEMPT,
    EVERY,
    HIDDEN,
    NEW_LADDER,
    OLD_LADDER,
    SPOOL,
    first_step,
    result_of,
    write_ladder,
)
from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.shell import exchange, sealing, staging
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.journal import Journal, Landing, Place, StagedNote, Target
from ffmesh_agent.shell.noted import NotStaged
from ffmesh_agent.shell.owners import NewFiles
from ffmesh_agent.shell.steps import Move

BASE: Final = "films"
LADDER: Final = {"master.m3u8": Kind.FILE, "%v.m3u8": Kind.SET, "%v/s%d.ts": Kind.SET}
SCRATCH: Final = f"scratch/{HIDDEN}/R"
TARGETS: Final = {"begun": LADDER | {"0/extras": Kind.FOLDER, "0/poster.jpg": Kind.FILE}}
ANOTHERS: Final = "another's"
OF_ANOTHER: Final = NewFiles(user=65534 if os.geteuid() == 0 else None, mode=0o604)


class Swap:
    """Waits for its moment. The folder goes by another name in the same root, as nobody may move it elsewhere."""

    def __init__(self, folder: Path, outside: Path, step: int) -> None:
        self._folder = folder
        self._outside = outside
        self._left = step
        self._is_armed = False
        self.is_done = False
        sys.addaudithook(self._heard)

    def arm(self) -> None:
        self._is_armed = True

    def disarm(self) -> None:
        self._is_armed = False

    def _heard(self, event: str, arguments: object) -> None:
        del arguments
        if self._is_armed and (event == "open" or event.startswith("os.")):
            self._left -= 1
            if self._left == -1:
                self._is_armed = False
                self._swap()
                self._is_armed = True

    def _swap(self) -> None:
        self.is_done = True
        if self._folder.exists():
            self._folder.rename(self._folder.with_name("away"))
        self._folder.symlink_to(self._outside)


def _note(journal: Journal, root: Path, end: str) -> StagedNote:
    base = root / BASE
    wanted = TARGETS.get(end, LADDER)
    targets = tuple(
        Target(name=f"{BASE}/{name}".encode(), kind=kind, shown=f"$R/{BASE}/{name}") for name, kind in wanted.items()
    )
    landing = Landing(base=os.fsencode(base), hidden=os.fsencode(base / HIDDEN))
    place = Place(
        root=os.fsencode(root),
        base=BASE.encode(),
        made=os.fsencode(root.parent / SCRATCH) if end == "brought" else landing.hidden,
        targets=targets,
        landings=(landing,),
        folder_shown="$R",
    )
    return journal.fresh(ATTEMPT, (place,))


def _seen(folder: Path) -> dict[str, tuple[int, int, str]]:
    return {
        str(each.relative_to(folder)): (
            each.lstat().st_mode,
            each.lstat().st_uid,
            each.read_text() if each.is_file() else "",
        )
        for each in (folder, *sorted(folder.rglob("*")))
    }


def _has_got_in(root: Path) -> bool:
    return any(each.is_file() and ANOTHERS in each.read_text() for each in root.rglob("*") if not each.is_symlink())


def _filled(folder: Path) -> None:
    """With whatever could be taken for our own, or for what it is to overwrite."""
    for place in (folder, folder / HIDDEN, folder / HIDDEN / ".ffmesh-kept", folder / "R"):
        place.mkdir()
        write_ladder(place, OLD_LADDER | NEW_LADDER, ANOTHERS)
        (place / "s0.ts").write_text(ANOTHERS)


def _fails_at_its_end() -> None:
    really = Move.do

    def do(self: Move) -> None:
        if self.step.name == b"master.m3u8":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        really(self)

    Move.do = do  # type: ignore[method-assign]  # this process is one commit


def lived(folder: Path, which: str, end: str, step: int) -> bool:
    """Whether somebody came between."""
    root, outside = folder / "root", folder / "outside"
    (root / BASE).mkdir(parents=True)
    (folder / SCRATCH).parent.parent.mkdir()
    write_ladder(root / BASE, OLD_LADDER, "old")
    _filled(outside)
    before = _seen(outside)
    journal = Journal(folder / "staged", SPOOL)
    list(journal.found())
    really = exchange.exchanged

    def exchanged(one: exchange.Spot, other: exchange.Spot) -> None:
        sys.audit("os.exchange")  # the kernel is asked past Python's own functions
        really(one, other)

    exchange.exchanged = exchanged
    swap = Swap(root / which.format(hidden=HIDDEN), outside, step)
    said = end
    try:
        if end == "begun":
            swap.arm()
        note = staging.begin(journal, _note(journal, root, end), umask=0o070, may_replace=True, new=[OF_ANOTHER])
        if end != "begun":
            write_ladder(folder / SCRATCH if end == "brought" else root / BASE / HIDDEN, NEW_LADDER, "new")
            if end in ("sealed", "brought"):
                swap.arm()
            note = sealing.seal(journal, note, result_of(ATTEMPT), [OF_ANOTHER])
        if end == "undone":
            _fails_at_its_end()
        if end in ("committed", "undone"):
            swap.arm()
            staging.commit(journal, note, boottime() + 1000)
            said = "committed"
    except NotStaged as refusal:
        said = refusal.sentence
    try:
        last = journal.last(ATTEMPT)
        assert last is not None
        staging.drop(journal, last)
    except NotStaged:
        pass
    swap.disarm()
    (folder / "said").write_text(said)
    if _seen(outside) != before or _has_got_in(root):
        (folder / "touched").touch()
    return swap.is_done


def main(which: str, end: str, base: Path) -> None:
    step = first_step(which, end)
    while True:
        folder = base / str(step)
        folder.mkdir()
        child = os.fork()
        if child == 0:
            os._exit(0 if lived(folder, which, end, step) else 3)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 3:
            return
        assert status == 0
        step += EVERY


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

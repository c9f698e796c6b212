"""Work on a disk that is killed at one step after the other: before each thing that it asks of the kernel.

`python crashing.py WORK FOLDER` makes `FOLDER/0`, `FOLDER/2`, … until one is not killed any more. What each one had
said to be done stands in `FOLDER/N/said`.
"""

import asyncio
import ctypes
import os
import signal
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.shell import exchange, sealing, staging
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.journal import Journal, Landing, Place, StagedNote, Target
from ffmesh_agent.shell.spool import Spool
from ffmesh_protocol.messages.reports import Result, StreamLengths

assert ctypes, "imported before steps are counted"

SPOOL: Final = "the spool"
ATTEMPTS: Final = [f"01ARZ3NDEKTSV4RRFFQ69G5FA{letter}" for letter in "VWXYZ"]
ATTEMPT: Final = ATTEMPTS[0]
HIDDEN: Final = f".ffmesh-{ATTEMPT}"

Say = Callable[[str], None]


def result_of(attempt: str) -> Result:
    return Result(
        attempt=attempt,
        job=attempt,
        started=True,
        exit_code=0,
        signal=None,
        stopped=None,
        reason_code=None,
        reason=None,
        seconds=1.5,
        lengths=StreamLengths(stdout=1, stderr=2),
    )


def note_of(journal: Journal, root: Path, *, is_folder: bool = False) -> StagedNote:
    kind = Kind.FOLDER if is_folder else Kind.FILE
    return journal.fresh(ATTEMPT, (place_of(root, {"out": kind}),))


def place_of(root: Path, targets: dict[str, Kind], made: Path | None = None) -> Place:
    """Outputs below `root`; made there too, unless said."""
    return Place(
        root=os.fsencode(root),
        base=b"",
        made=os.fsencode(made or root / HIDDEN),
        targets=tuple(
            Target(name=name.encode(), kind=kind, shown=f"$R/{name}/" if kind is Kind.FOLDER else f"$R/{name}")
            for name, kind in targets.items()
        ),
        landings=(Landing(base=os.fsencode(root), hidden=os.fsencode(root / HIDDEN)),),
        folder_shown="$R",
    )


def _staged(folder: Path, say: Say, *, is_folder: bool) -> None:
    journal, root = Journal(folder / "staged", SPOOL), folder / "root"
    note = staging.begin(journal, note_of(journal, root, is_folder=is_folder), umask=None, may_replace=True)
    say("begun")
    names = ["out/a", "out/b"] if is_folder else ["out"]
    for name in names:
        (root / HIDDEN / name).write_text("new")
    note = sealing.seal(journal, note, result_of(ATTEMPT))
    say("sealed")
    note = staging.commit(journal, note, boottime() + 1000)
    say("committed")
    staging.drop(journal, note)
    say("dropped")


def ladder_of(journal: Journal, root: Path, made: Path | None = None) -> StagedNote:
    """A master playlist, one for each variant, and their segments in folders of their own."""
    sets = dict.fromkeys(("%v.m3u8", "%v/s%d.ts"), Kind.SET)
    return journal.fresh(ATTEMPT, (place_of(root, {"master.m3u8": Kind.FILE, **sets}, made),))


def write_ladder(folder: Path, variants: dict[str, int], content: str) -> None:
    """So many segments of each variant."""
    for variant, segments in variants.items():
        (folder / variant).mkdir(exist_ok=True)
        names = [f"s{number}.ts" for number in range(segments)]
        for name in names:
            (folder / variant / name).write_text(content)
        (folder / f"{variant}.m3u8").write_text("\n".join(["#EXTM3U", f"#{content}", *names]))
    lines = [line for variant in variants for line in ("#EXT-X-STREAM-INF:BANDWIDTH=1", f"{variant}.m3u8")]
    (folder / "master.m3u8").write_text("\n".join(["#EXTM3U", f"#{content}", *lines]))


OLD_LADDER: Final = {"0": 2, "1": 1, "2": 1}
NEW_LADDER: Final = {"0": 1, "1": 2, "3": 2}


def knows_no_exchange(folder: int, *, numbers_last: bool = True) -> tuple[bool, bool]:
    """In place of what a file system is asked."""
    del folder
    return False, numbers_last


def _laddered(
    folder: Path, say: Say, *, exchanges: bool = True, numbers_last: bool = True, elsewhere: bool = False
) -> None:
    if not exchanges:
        exchange.probed = partial(knows_no_exchange, numbers_last=numbers_last)
    journal, root = Journal(folder / "staged", SPOOL), folder / "root"
    made = Path.cwd() / f"{HIDDEN}-{folder.name}" / "R" if elsewhere else None
    note = staging.begin(journal, ladder_of(journal, root, made), umask=None, may_replace=True)
    say("begun")
    write_ladder(made or root / HIDDEN, NEW_LADDER, "new")
    note = sealing.seal(journal, note, result_of(ATTEMPT))
    say("sealed")
    note = staging.commit(journal, note, boottime() + 1000)
    say("committed")
    staging.drop(journal, note)
    say("dropped")


async def _kept(folder: Path, say: Say) -> None:
    spool = Spool(folder / "spool", Disk("spool"))
    kept: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(spool.run(kept.put_nowait), name="spool")
        for attempt in ATTEMPTS[:3]:
            spool.keep(result_of(attempt))
            say(f"kept {await kept.get()}")
        spool.drop(ATTEMPTS[0])
        for attempt in ATTEMPTS[3:]:
            spool.keep(result_of(attempt))
        for _ in ATTEMPTS[3:]:
            say(f"kept {await kept.get()}")
        work.cancel()


def _spooled(folder: Path, say: Say) -> None:
    asyncio.run(_kept(folder, say))


WORKS: Final[dict[str, Callable[[Path, Say], None]]] = {
    "file": partial(_staged, is_folder=False),
    "folder": partial(_staged, is_folder=True),
    "ladder": _laddered,
    "linked ladder": partial(_laddered, exchanges=False),
    "ladder without numbers": partial(_laddered, exchanges=False, numbers_last=False),
    "ladder from elsewhere": partial(_laddered, elsewhere=True),
    "spool": _spooled,
}


def _prepared(folder: Path, old: str) -> None:
    for name in ("staged", "spool", "root"):
        (folder / name).mkdir(parents=True)
    if old == "file":
        (folder / "root" / "out").write_text("old")
    if old == "folder":
        (folder / "root" / "out").mkdir()
        (folder / "root" / "out" / "a").write_text("old")
    if old == "ladder":
        write_ladder(folder / "root", OLD_LADDER, "old")
        (folder / "root" / "0" / "poster.jpg").write_text("stays")


def _dies_before(step: int) -> None:
    left = step

    def count(event: str, arguments: object) -> None:
        nonlocal left
        del arguments
        if event == "open" or event.startswith("os."):
            left -= 1
            if left == -1:  # and once only: this is an event too
                os.kill(os.getpid(), signal.SIGKILL)

    def exchanged(one: exchange.Spot, other: exchange.Spot) -> None:
        sys.audit("os.exchange")  # the kernel is asked past Python's own functions
        really(one, other)

    sys.addaudithook(count)
    really, exchange.exchanged = exchange.exchanged, exchanged


EVERY: Final = int(os.environ.get("FFMESH_EVERY", "2"))
"""Every second step is enough for each day, as others of the same kind begin with another one; 1: all of them."""


def first_step(*words: str) -> int:
    return zlib.crc32(" ".join(words).encode()) % EVERY


def main(work: str, old: str, base: Path) -> None:
    step, status = first_step(work, old), -1
    while status != 0:
        folder = base / str(step)
        _prepared(folder, old)
        said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT)

        def say(word: str, said: int = said) -> None:
            os.write(said, f"{word}\n".encode())

        child = os.fork()
        if child == 0:
            _dies_before(step)
            WORKS[work](folder, say)
            os._exit(0)
        os.close(said)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in {0, -signal.SIGKILL}
        step += EVERY


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

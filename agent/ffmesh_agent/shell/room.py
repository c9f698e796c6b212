"""Room on the disks that jobs write to: promised to each before it starts, so that no two count on the same.

A promise is what a job is expected to write, less what it has written so far, and ends with its program. A job begins
only where what is free, without what is promised to others and what its root keeps free, is enough for it; one of which
nothing can be expected begins where that is not used up. What others write there besides, and quotas, nobody knows
before: a disk that fills all the same is told as the fault of this machine.

`looked` asks the file systems and may never return; it belongs in a thread of its own. `promise` decides and keeps, at
one moment: of two jobs that come together the second is judged with the promise to the first.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ffmesh_agent.roots import RootPlace, kept_free
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.sizes import size_shown

FILES_COUNTED: Final = 10_000
"""Of a folder that is written: more are not looked at, and count as not written yet."""


_NO_ROOT: Final = RootPlace(path="/")


@dataclass(frozen=True, slots=True)
class Wish:
    """An output: `place` is where it is written, `root` whose rules hold there, `expected` null where nobody knows.

    What is no root, the agent's scratch, has the rules that a root has unless it says otherwise.
    """

    root: str
    place: bytes
    expected: int | None


@dataclass(frozen=True, slots=True)
class Promise:
    """`grows`: the file or folder by which one sees how much of it is written."""

    device: int
    expected: int
    grows: bytes


@dataclass(frozen=True, slots=True)
class Sight:
    """What the file system of one output says. `written`: how much there is already of what would be overwritten."""

    wish: Wish
    device: int
    free: int
    total: int
    grows: bytes
    written: int
    kept_promises: Mapping[str, int]
    """Of other attempts: how much of what was promised to them on this file system they have not written yet."""


class Room:
    def __init__(self, roots: Mapping[str, RootPlace]) -> None:
        self._roots = roots
        self._promises: dict[str, tuple[Promise, ...]] = {}

    def promises(self) -> dict[str, tuple[Promise, ...]]:
        """A copy, to be handed to a look."""
        return dict(self._promises)

    def promise(self, attempt: str, sights: Iterable[Sight]) -> None:
        """`NotReady` if there is no room for one of them; then nothing is promised."""
        by_device: dict[int, list[Sight]] = {}
        for sight in sights:
            by_device.setdefault(sight.device, []).append(sight)
        for device, there in by_device.items():
            self._check(device, there)
        self._promises[attempt] = tuple(
            Promise(device=sight.device, expected=sight.wish.expected, grows=sight.grows)
            for there in by_device.values()
            for sight in there
            if sight.wish.expected is not None
        )

    def over(self, attempt: str) -> None:
        self._promises.pop(attempt, None)

    def _check(self, device: int, sights: list[Sight]) -> None:
        first = sights[0]
        if first.total == 0:
            return  # a file system that does not say
        promised = sum(self._outstanding(attempt, device, first) for attempt in self._promises)
        kept = max(kept_free(self._roots.get(each.wish.root, _NO_ROOT), each.total) for each in sights)
        expected = [each.wish.expected for each in sights if each.wish.expected is not None]
        needs = sum(max(0, (each.wish.expected or 0) - each.written) for each in sights)
        if first.free - promised - kept >= needs:
            return
        where = f"${first.wish.root}" if first.wish.root in self._roots else first.wish.root
        sentence = f"{where} has {size_shown(first.free)} free, of which {size_shown(kept)} is kept free"
        if promised:
            sentence += f" and {size_shown(promised)} is promised to jobs that run"
        if expected:
            sentence += f"; this job needs about {size_shown(sum(expected))}"
        raise NotReady(sentence, FailureKind.NODE, ReasonCode.REFUSED_BY_AGENT)

    def _outstanding(self, attempt: str, device: int, seen_by: Sight) -> int:
        if attempt in seen_by.kept_promises:
            return seen_by.kept_promises[attempt]
        return sum(each.expected for each in self._promises[attempt] if each.device == device)  # made since that look


def looked(wishes: Iterable[Wish], promises: Mapping[str, tuple[Promise, ...]]) -> tuple[Sight, ...]:
    return tuple(_looked(wish, promises) for wish in wishes)


def _looked(wish: Wish, promises: Mapping[str, tuple[Promise, ...]]) -> Sight:
    folder, grows = _where(Path(os.fsdecode(wish.place)))
    device = folder.stat().st_dev
    disk = os.statvfs(folder)
    return Sight(
        wish=wish,
        device=device,
        free=disk.f_bavail * disk.f_frsize,
        total=disk.f_blocks * disk.f_frsize,
        grows=os.fsencode(grows),
        written=_bytes_in(grows),
        kept_promises={
            attempt: sum(max(0, each.expected - _bytes_in(each.grows)) for each in made if each.device == device)
            for attempt, made in promises.items()
        },
    )


def _where(place: Path) -> tuple[Path, Path]:
    """The nearest folder that is there, and what is to be made in it."""
    while not place.parent.is_dir() and place.parent != place:
        place = place.parent
    return place.parent, place


def _bytes_in(place: Path | bytes) -> int:
    """What a file, or all in a folder, takes of its disk. Some of it may go while we look."""
    taken = 0
    for count, file in enumerate(_files(Path(os.fsdecode(place)))):
        if count == FILES_COUNTED:
            break
        try:
            taken += file.lstat().st_blocks * 512
        except OSError:
            continue
    return taken


def _files(place: Path) -> Iterable[Path]:
    if place.is_symlink() or not place.is_dir():
        yield place
        return
    for parent, _, names in os.walk(place):
        yield from (Path(parent, name) for name in names)

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
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from ffmesh_agent.roots import RootPlace, kept_free
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.sizes import size_shown

FILES_COUNTED: Final = 10_000
"""Of a folder that is written: more are not looked at, and count as not written yet."""
FILES_LOOKED_AT: Final = 30_000
"""In one look, however many folders grow: it has to be over before its root is taken for one that does not answer."""

_LISTS: Final = (".m3u8", ".m3u", ".mpd", ".ffconcat")
"""What a program writes beside these is the larger part."""

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
class Growth:
    """By which one sees how much is written: a file, or a folder with all below it."""

    place: bytes
    is_beside: bool = False
    """What lies right in the folder, where a playlist and its segments go."""
    before: int = 0
    """What was in it at the start, of others or older."""


@dataclass(frozen=True, slots=True)
class Promise:
    device: int
    expected: int
    grows: Growth


@dataclass(frozen=True, slots=True)
class Sight:
    """What the file system of one output says. `written`: how much there is already of what would be overwritten."""

    wish: Wish
    device: int
    free: int
    total: int
    grows: Growth
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
    look = _Look(promises)
    return tuple(look.at(wish) for wish in wishes)


class _Look:
    """Asks for each place once, however many outputs and promises it concerns."""

    def __init__(self, promises: Mapping[str, tuple[Promise, ...]]) -> None:
        self._promises = promises
        self._kept: dict[int, dict[str, int]] = {}
        self._taken: dict[tuple[bytes, bool], int] = {}
        self._files = 0

    def at(self, wish: Wish) -> Sight:
        folder, place = _where(Path(os.fsdecode(wish.place)))
        device = folder.stat().st_dev
        disk = os.statvfs(folder)
        grows = Growth(os.fsencode(place))
        written = self._bytes_in(grows)
        if place.name.lower().endswith(_LISTS) and not place.is_dir():
            beside = Growth(os.fsencode(folder.resolve()), is_beside=True)
            grows = replace(beside, before=self._bytes_in(beside))
        return Sight(
            wish=wish,
            device=device,
            free=disk.f_bavail * disk.f_frsize,
            total=disk.f_blocks * disk.f_frsize,
            grows=grows,
            written=written,
            kept_promises=self._kept_promises(device),
        )

    def _kept_promises(self, device: int) -> Mapping[str, int]:
        if device not in self._kept:
            self._kept[device] = {
                attempt: self._outstanding(each for each in made if each.device == device)
                for attempt, made in self._promises.items()
            }
        return self._kept[device]

    def _outstanding(self, promises: Iterable[Promise]) -> int:
        """What lies in one place is of all that was promised there, once."""
        by_place: dict[Growth, int] = {}
        for each in promises:
            by_place[each.grows] = by_place.get(each.grows, 0) + each.expected
        return sum(
            max(0, expected - max(0, self._bytes_in(grows) - grows.before)) for grows, expected in by_place.items()
        )

    def _bytes_in(self, grows: Growth) -> int:
        key = (grows.place, grows.is_beside)
        if key not in self._taken:
            self._taken[key] = self._counted(grows)
        return self._taken[key]

    def _counted(self, grows: Growth) -> int:
        """What a file, or all in a folder, takes of its disk. Some of it may go while we look."""
        taken = 0
        most = min(FILES_COUNTED, FILES_LOOKED_AT - self._files)
        for file in islice(_files(Path(os.fsdecode(grows.place)), is_beside=grows.is_beside), max(0, most)):
            self._files += 1
            try:
                taken += file.lstat().st_blocks * 512
            except OSError:
                continue
        return taken


def _where(place: Path) -> tuple[Path, Path]:
    """The nearest folder that is there, and what is to be made in it."""
    while not place.parent.is_dir() and place.parent != place:
        place = place.parent
    return place.parent, place


def _files(place: Path, *, is_beside: bool) -> Iterable[Path]:
    if place.is_symlink() or not place.is_dir():
        yield place
        return
    for parent, folders, names in os.walk(place):
        if is_beside:
            folders.clear()
        yield from (Path(parent, name) for name in names)

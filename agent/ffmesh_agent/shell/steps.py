"""The renames by which what stands aside takes its places: which there are, each of them done, and each undone.

What is not there yet takes its place by one rename, in a folder that is made for it where there is none. What
overwrites something changes places with it, where the file system can do that and its files keep their numbers;
elsewhere what is overwritten first gets another name aside (a second link, or a copy), and is then renamed over. Either
way it is kept until the last step is done. A folder that is an output by itself changes places as a whole, or not at
all. What an earlier run left of the same set, and this one has not made again, is put aside last.

Whether a step is done is seen on the disk alone. Who undoes one looks first whether what is in place is still what it
had put there: another attempt may have come since, and its work stays. It is known by its number; where numbers do not
last (FUSE, some shares), by its length and its date, and in doubt it is another's.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Final

from msgspec import structs

from ffmesh_agent.ffmpeg import playlists
from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.ffmpeg.names import Names
from ffmesh_agent.shell import exchange, tree
from ffmesh_agent.shell.held import Folder, Held, Spot
from ffmesh_agent.shell.journal import Place, StagedNote, Step, Target, Way
from ffmesh_agent.shell.noted import KEPT, NotStaged, below_root, joined, landing_of, path
from ffmesh_protocol.messages.reports import FailureKind

COARSE_CLOCK_NS: Final = 2_000_000_000
"""Some file systems keep dates by two seconds, and round them when the file is written back. Another attempt's turn
comes a whole lease later."""

_FIRST: Final = -1
"""Before all files, the folders that they need."""


class State(Enum):
    WAITS = auto()
    DONE = auto()
    ANOTHERS = auto()
    """Something is in place, and it is neither what was there before nor ours."""
    GIVEN_BACK = auto()
    """It stands aside again, and what it had overwritten is not back yet."""
    LOST = auto()
    """Nothing is, and nothing stands aside either."""


class Move:
    """One step, with the places that it is about on this machine."""

    def __init__(self, note: StagedNote, number: int, held: Held) -> None:
        self.step = note.steps[number]
        self.place = note.places[self.step.place]
        self._held = held
        name = os.fsdecode(self.step.name)
        self.staged = self._spot(name, is_aside=True)
        self.destination = self._spot(name)
        self.kept = self._spot(f"{KEPT}/{number}", is_aside=True)

    def _spot(self, name: str, *, is_aside: bool = False) -> Spot:
        above, _, last = name.rpartition("/")
        return Spot(self._held, Folder(self.step.place, self.step.landing, above, is_aside), last)

    def state(self) -> State:
        staged, there = self.staged.status(), self.destination.status()
        match self.step.way:
            case Way.MAKE:
                return State.DONE if there is not None else State.WAITS
            case Way.LEAVE:
                return State.DONE if self.kept.status() is not None else State.WAITS
            case Way.EXCHANGE:
                if staged is not None and staged.st_ino == self.step.inode:
                    return State.WAITS
            case Way.TAKE:
                if staged is not None:
                    return self._not_taken(there)
        if self._is_ours(there):
            return State.DONE
        return State.LOST if there is None else State.ANOTHERS

    def _not_taken(self, there: os.stat_result | None) -> State:
        """What was made stands aside: it was never taken, or somebody was killed who gave it back."""
        if not self.step.kept or self.kept.status() is None:
            return State.WAITS
        if there is None:
            return State.GIVEN_BACK
        is_linked_back = self.step.inode != 0 and there.st_ino == self.step.inode
        return State.DONE if is_linked_back else State.WAITS

    def _is_ours(self, there: os.stat_result | None) -> bool:
        if there is None:
            return False
        return there.st_ino == self.step.inode if self.step.inode else self._looks_like_ours(there)

    def _looks_like_ours(self, there: os.stat_result) -> bool:
        """By what was noted of it before it was renamed. In doubt it is another's, and stays."""
        if self.step.bytes is None or self.step.modified_ns is None:
            return False
        is_as_long = stat.S_ISDIR(there.st_mode) or there.st_size == self.step.bytes
        return is_as_long and abs(there.st_mtime_ns - self.step.modified_ns) <= COARSE_CLOCK_NS

    def keep(self) -> None:
        """Another name for what is going to be overwritten. Where there are no links, a copy."""
        with contextlib.suppress(FileNotFoundError):
            self.kept.unlink()
        try:
            self.destination.link(self.kept)
        except (OSError, NotImplementedError):
            self.destination.copy(self.kept)

    def do(self) -> None:
        match self.step.way:
            case Way.MAKE:
                self._make()
            case Way.TAKE:
                self.staged.replace(self.destination)
            case Way.EXCHANGE:
                self.staged.exchange(self.destination)
            case Way.LEAVE:
                with contextlib.suppress(FileNotFoundError):
                    self.destination.replace(self.kept)

    def undo(self) -> None:
        """Only of one that is done, or given back; what came between our look and our hand is put back."""
        match self.step.way:
            case Way.MAKE:
                with contextlib.suppress(OSError):
                    self.destination.remove_folder()  # unless there is something of another's in it
            case Way.TAKE:
                self._give_back()
            case Way.EXCHANGE:
                self.staged.exchange(self.destination)
                if self.staged.there().st_ino != self.step.inode:
                    self.staged.exchange(self.destination)
            case Way.LEAVE:
                if self.destination.status() is None:
                    self.kept.replace(self.destination)

    def _make(self) -> None:
        like = self.staged.there()
        made = self.destination.made()
        if made is None:
            return
        self._held.take(replace(self.destination.folder, name=os.fsdecode(self.step.name)), made)
        os.fchmod(made, stat.S_IMODE(like.st_mode))
        if os.geteuid() == 0:
            with contextlib.suppress(PermissionError):  # a share may know no owners
                os.fchown(made, like.st_uid, like.st_gid)

    def _give_back(self) -> None:
        if self.staged.status() is None and not (self.step.kept and self.step.inode and self._is_linked()):
            self.destination.replace(self.staged)
        if not self._is_ours(self.staged.there()):
            self.staged.replace(self.destination)
        elif self.step.kept:
            self.kept.replace(self.destination)
        elif self.step.was_folder:
            with contextlib.suppress(FileExistsError):
                self.destination.make_folder()

    def _is_linked(self) -> bool:
        """So that there is no moment without anything in place. By its number it is known then as done."""
        try:
            self.destination.link(self.staged)
        except (OSError, NotImplementedError):
            return False
        return True


def moves(note: StagedNote, held: Held) -> list[Move]:
    return [Move(note, number, held) for number in range(len(note.steps))]


# Which there are


def planned(note: StagedNote, held: Held) -> StagedNote:
    """With the steps that put in place what stands aside now. What they overwrite has no other name yet."""
    taking: list[tuple[int, Step]] = []
    for number, place in enumerate(note.places):
        taking += sorted(_taking(number, place, held), key=lambda each: each[0])
    ordered = [step for _, step in sorted(taking, key=lambda each: each[0])]
    leaving = [step for number, place in enumerate(note.places) for step in _leaving(number, place, ordered)]
    steps = (*ordered, *leaving)
    return structs.replace(note, steps=steps if len(steps) > 1 else tuple(_alone(note, step) for step in steps))


def _alone(note: StagedNote, step: Step) -> Step:
    """One rename is done or not: the file that it overwrites need not be kept."""
    made = path(note.places[step.place].landings[step.landing].hidden) / os.fsdecode(step.name)
    if made.is_dir():
        return step
    return structs.replace(step, way=Way.TAKE, kept=False)


def _taking(number: int, place: Place, held: Held) -> Iterator[tuple[int, Step]]:
    for at in range(len(place.landings)):
        if tree.status(path(place.landings[at].hidden)) is not None:
            yield from _Plan(number, place, at, held).steps("")


class _Plan:
    """Of one landing: what lies in its hidden folder, beside what lies there already."""

    def __init__(self, number: int, place: Place, landing: int, held: Held) -> None:
        self._number = number
        self._place = place
        self._landing = landing
        self._hidden = path(place.landings[landing].hidden)
        self._base = path(place.landings[landing].base)
        self._below_root = below_root(place, landing)
        self._folders = {os.fsdecode(each.name): each for each in place.targets if each.kind is Kind.FOLDER}
        self._exchanges, self._numbers_last = _probed(held, number, landing)

    def steps(self, below: str) -> Iterator[tuple[int, Step]]:
        for name in tree.names_in(self._hidden / below):
            if name == KEPT and not below:
                continue
            there = f"{below}/{name}" if below else name
            yield from self._of(there)

    def _of(self, name: str) -> Iterator[tuple[int, Step]]:
        made = (self._hidden / name).lstat()
        whole = self._folders.get(joined(self._below_root, name))
        if not stat.S_ISDIR(made.st_mode):
            yield self._of_file(name, made)
        elif whole is not None:
            yield self._of_folder(name, made, whole)
        elif not tree.has_file(self._hidden / name):
            return
        elif tree.status(self._base / name) is None:
            yield _FIRST, self._step(name, Way.MAKE, made)
            yield from self.steps(name)
        elif (self._base / name).is_dir():
            yield from self.steps(name)
        else:
            raise NotStaged(f"{self._shown(name)}/ is no folder already", FailureKind.PERMANENT)

    def _of_file(self, name: str, made: os.stat_result) -> tuple[int, Step]:
        there = tree.status(self._base / name)
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise NotStaged(f"its output {self._shown(name)} is a folder already", FailureKind.PERMANENT)
        if there is None:
            return self._rank(name), self._step(name, Way.TAKE, made)
        if self._exchanges:
            return self._rank(name), self._step(name, Way.EXCHANGE, made)
        return self._rank(name), self._step(name, Way.TAKE, made, kept=True)

    def _of_folder(self, name: str, made: os.stat_result, target: Target) -> tuple[int, Step]:
        there = tree.status(self._base / name)
        if there is None:
            return self._rank(name), self._step(name, Way.TAKE, made)
        if stat.S_ISDIR(there.st_mode):
            if not tree.names_in(self._base / name):
                return self._rank(name), self._step(name, Way.TAKE, made, was_folder=True)
        elif not stat.S_ISLNK(there.st_mode):
            raise NotStaged(f"its output {target.shown} is no folder already", FailureKind.PERMANENT)
        if not self._exchanges:
            sentence = f"{target.shown} holds something, and the file system there cannot exchange two folders"
            raise NotStaged(f"{sentence}; empty it, or name a new one", FailureKind.NODE)
        return self._rank(name), self._step(name, Way.EXCHANGE, made)

    def _step(self, name: str, way: Way, made: os.stat_result, *, kept: bool = False, was_folder: bool = False) -> Step:
        return Step(
            place=self._number,
            landing=self._landing,
            name=os.fsencode(name),
            way=way,
            inode=made.st_ino if self._numbers_last else 0,
            bytes=made.st_size,
            modified_ns=made.st_mtime_ns,
            kept=kept,
            was_folder=was_folder,
        )

    def _rank(self, name: str) -> int:
        made = self._hidden / name
        if not made.is_dir() or made.is_symlink():
            return _rank_of(made)
        return max((_rank_of(made / each) for each, _ in tree.entries(made)), default=0)

    def _shown(self, name: str) -> str:
        root = self._place.targets[0].shown.partition("/")[0]
        return f"{root}/{joined(self._below_root, name)}"


def _probed(held: Held, place: int, landing: int) -> tuple[bool, bool]:
    """Where there is nothing else than what is kept."""
    kept = Spot(held, Folder(place, landing, "", is_aside=True), KEPT)
    with contextlib.suppress(FileExistsError):
        kept.make_folder(mode=0o700)
    return exchange.probed(held.opened(Folder(place, landing, KEPT, is_aside=True)))


def _rank_of(file: Path) -> int:
    return playlists.rank(file.name, _content(file)) if playlists.is_list(file.name) else 0


def _content(file: Path) -> bytes:
    if not file.is_file():
        return b""
    with file.open("rb") as opened:
        return opened.read(playlists.LIST_BYTES)


# What an earlier run left of the same sets


def _leaving(number: int, place: Place, taking: Sequence[Step]) -> Iterator[Step]:
    """Old files of a set that the job has not made again: those that a playlist names which it replaces, and what these
    name; where it makes no playlist, those whose numbers follow on the last of the new ones without a gap."""
    sets = [Names(os.fsdecode(target.name)) for target in place.targets if target.kind is Kind.SET]
    if not sets:
        return
    made = set(_made(number, place, taking))
    old = {name for each in sets for name in there_of(place, each)} - made
    listed = [name for name in made if playlists.names_all(name)]
    root = path(place.root)
    gone = (
        _named_by(root, listed, old, sets) if listed else {name for each in sets for name in each.going_on(made, old)}
    )
    for name in sorted(gone):
        at = landing_of(place, name)
        below = name.removeprefix(f"{below_root(place, at)}/") if below_root(place, at) else name
        there = tree.status(root / name)
        if there is not None:
            yield Step(place=number, landing=at, name=os.fsencode(below), way=Way.LEAVE, inode=there.st_ino)


def _named_by(root: Path, lists: Sequence[str], old: set[str], sets: Sequence[Names]) -> set[str]:
    """A name leads on from the folder of its playlist. Where segments have folders of their own, ffmpeg's playlists do
    not say them: a last name that none of the sets can have beside the playlist is one of the same variant."""
    by_variant: dict[tuple[frozenset[str], str], set[str]] = {}
    for name in old:
        by_variant.setdefault((_variants(name, sets), name.rpartition("/")[2]), set()).add(name)
    gone: set[str] = set()
    waiting = list(lists)
    while waiting:
        playlist = waiting.pop()
        variants = _variants(playlist, sets)
        found: set[str] = set()
        for name in playlists.named_in(_content(root / playlist)):
            whole = playlists.named_from(playlist, name)
            if whole in old:
                found.add(whole)
            elif playlists.says_no_folder(name) and not any(whole in names for names in sets):
                found |= by_variant.get((variants, whole.rpartition("/")[2]), set())
        waiting += [name for name in found - gone if playlists.names_all(name)]
        gone |= found
    return gone


def _variants(name: str, sets: Sequence[Names]) -> frozenset[str]:
    return next((names.variants(name) for names in sets if name in names), frozenset[str]())


def _made(number: int, place: Place, taking: Sequence[Step]) -> Iterator[str]:
    """All that takes its place, relative to the root."""
    for step in taking:
        if step.place == number and step.way is not Way.MAKE:
            landing = place.landings[step.landing]
            name = os.fsdecode(step.name)
            staged = path(landing.hidden) / name
            whole = joined(below_root(place, step.landing), name)
            if staged.is_dir() and not staged.is_symlink():
                yield from (f"{whole}/{each}" for each, _ in tree.entries(staged))
            else:
                yield whole


def there_of(place: Place, names: Names) -> Iterator[str]:
    """What is there of a set, relative to the root."""
    yield from _matching(path(place.root), names, "", 0)


def _matching(root: Path, names: Names, below: str, depth: int) -> Iterator[str]:
    try:
        found = tree.names_in(root / below)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in found:
        if not names.has_part(depth, name):
            continue
        there = joined(below, name)
        if depth + 1 < names.depth:
            yield from _matching(root, names, there, depth + 1)
        elif there in names and not (root / there).is_dir():
            yield there

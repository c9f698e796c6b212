"""The folders in which an attempt's outputs are made, and among which they are renamed, held open while that is done.

Whoever may write in a root can swap a folder above a destination, or the hidden folder, for a link, at any moment. So a
folder is opened once, from its root's own descriptor, and whatever is renamed, made or removed in it is named in that
descriptor: a swap moves the name, and not what was opened. What the names lead to in the end is compared at the end.

No more than `MOST_OPEN` are open at a time. One that is opened anew must be the same that it was, where the file system
gives its folders numbers that last.

Every function here may wait for a dead mount for ever, and belongs in a thread of its own.
"""

import errno
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from ffmesh_agent.shell import below, exchange, tree
from ffmesh_agent.shell.journal import Made, Place, StagedNote
from ffmesh_agent.shell.noted import NotStaged, below_root, folder_shown, joined, path
from ffmesh_agent.shell.removing import removed
from ffmesh_protocol.messages.reports import FailureKind

MOST_OPEN: Final = 64
"""Far below what a process may open by default, and above what most ladders have."""

_IS_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_IS_NO_FOLDER: Final = frozenset({errno.ENOTDIR, errno.ELOOP})

SWAPPED: Final = "its hidden folder is not the one that was made"

IN_SCRATCH: Final = -1
"""Stands for a landing: where the outputs of a place are made, if that is none of its landings."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Of a landing: by its name relative to the base, or, of what stands aside, to the hidden folder. In scratch the
    base is the attempt's folder there, in which each root has one."""

    place: int
    landing: int
    name: str
    is_aside: bool = False


class Held:
    """Of the folders of one note."""

    def __init__(self, note: StagedNote) -> None:
        self._places = note.places
        self._numbers = {each.folder: each.inode for each in note.made}
        self._tops: dict[bytes, int] = {}
        self._open: dict[Folder, int] = {}
        """The one that was used last comes last."""
        self._known: dict[Folder, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (*self._open.values(), *self._tops.values()):
            os.close(descriptor)
        self._open.clear()
        self._tops.clear()

    def opened(self, folder: Folder) -> int:
        """Its descriptor, until so many others have been asked for. `NotStaged`, or OSError if it is not there."""
        descriptor = self._open.pop(folder, None)
        if descriptor is None:
            descriptor = self._opened_anew(folder)
            try:
                self._recognise(folder, descriptor)
            except NotStaged:
                os.close(descriptor)
                raise
        self._open[folder] = descriptor
        while len(self._open) > MOST_OPEN:
            os.close(self._open.pop(next(iter(self._open))))
        return descriptor

    def learn(self, made: Sequence[Made]) -> None:
        """By which numbers the attempt's own folders are known from now on."""
        self._numbers |= {each.folder: each.inode for each in made}

    def own(self, folder: Folder) -> bytes:
        """The attempt's own folder that it is in, by its whole name."""
        place = self._places[folder.place]
        return place.made if folder.landing == IN_SCRATCH else place.landings[folder.landing].hidden

    def take(self, folder: Folder, descriptor: int) -> None:
        """One that has just been made, and whose name nobody else has touched yet."""
        self._known[folder] = _identity(descriptor)
        self._open[folder] = descriptor

    def check_names(self) -> None:
        """`NotStaged` if the name of one leads elsewhere by now: what was renamed into it is not where it should be."""
        for folder in list(self._known):
            try:
                descriptor = self._opened_anew(folder)
            except OSError as error:
                if error.errno not in _IS_GONE:
                    raise
                raise self._not_the_same(folder) from None
            try:
                self._recognise(folder, descriptor)
            finally:
                os.close(descriptor)

    def sync(self, folder: Folder) -> None:
        with self.read(folder) as descriptor:
            tree.synced(descriptor)

    @contextmanager
    def read(self, folder: Folder) -> Generator[int, None, None]:
        """A descriptor by which also its names are read, and its owner and mode changed."""
        descriptor = os.open(".", below.FOLDER_READ, dir_fd=self.opened(folder))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def spot(self, folder: Folder) -> "Spot":
        """Where one that is below another lies, by its name."""
        above, _, name = folder.name.rpartition("/")
        return Spot(self, replace(folder, name=above), name)

    # --- opening ------------------------------------------------------------------------------------------------------

    def _opened_anew(self, folder: Folder) -> int:
        if folder.is_aside:
            with self._hidden(folder) as hidden:
                return below.opened_without_links(hidden, os.fsencode(folder.name))
        place = self._places[folder.place]
        if folder.landing == IN_SCRATCH:
            return _in_scratch(path(place.made).parent)
        return self._below_root(place, _whole(place, folder))

    def _below_root(self, place: Place, name: str) -> int:
        if place.root not in self._tops:
            self._tops[place.root] = os.open(place.root, below.FOLDER_REACHED)
        try:
            return below.opened(self._tops[place.root], place.root, os.fsencode(name))
        except below.LeadsOut:
            sentence = f"{folder_shown(place, name)} leads out of its root through a link"
            raise NotStaged(sentence, FailureKind.PERMANENT) from None

    @contextmanager
    def _hidden(self, folder: Folder) -> Generator[int, None, None]:
        """Opened from its base each time, and known by the number that it had when it was made."""
        base, own = self.opened(Folder(folder.place, folder.landing, "")), self.own(folder)
        try:
            descriptor = os.open(path(own).name, below.FOLDER_ITSELF, dir_fd=base)
        except OSError as error:
            if error.errno in _IS_NO_FOLDER:
                raise NotStaged(SWAPPED, FailureKind.NODE) from None
            raise
        try:
            there = os.fstat(descriptor)
            is_ours = self._numbers.get(own, 0) in (0, there.st_ino)
            if not is_ours or there.st_dev != os.fstat(base).st_dev:
                raise NotStaged(SWAPPED, FailureKind.NODE)
            yield descriptor
        finally:
            os.close(descriptor)

    def _recognise(self, folder: Folder, descriptor: int) -> None:
        now = _identity(descriptor)
        before = self._known.setdefault(folder, now)
        if before != now and self._numbers_last(folder):
            raise self._not_the_same(folder)

    def _numbers_last(self, folder: Folder) -> bool:
        return self._numbers.get(self.own(folder), 0) != 0

    def _not_the_same(self, folder: Folder) -> NotStaged:
        if folder.is_aside or folder.landing == IN_SCRATCH:
            return NotStaged(SWAPPED, FailureKind.NODE)
        place = self._places[folder.place]
        named = folder_shown(place, _whole(place, folder))
        return NotStaged(f"{named} became another folder while something was put there", FailureKind.NODE)


class Spot:
    """A name in a folder that is held."""

    def __init__(self, held: Held, folder: Folder, name: str) -> None:
        self.folder = folder
        self.name = name
        self._held = held

    @property
    def at(self) -> tuple[int, str]:
        return self._held.opened(self.folder), self.name

    def status(self) -> os.stat_result | None:
        """Of the place itself, not of what it may point to; None: there is nothing."""
        try:
            return self.there()
        except OSError as error:
            if error.errno in _IS_GONE:
                return None
            raise

    def there(self) -> os.stat_result:
        folder, name = self.at
        return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def replace(self, other: "Spot") -> None:
        """Takes that one's place."""
        (folder, name), (other_folder, other_name) = self.at, other.at
        os.replace(name, other_name, src_dir_fd=folder, dst_dir_fd=other_folder)

    def exchange(self, other: "Spot") -> None:
        exchange.exchanged(self.at, other.at)

    def link(self, other: "Spot") -> None:
        """That one becomes another name of it. `NotImplementedError` too, where there is no such thing."""
        (folder, name), (other_folder, other_name) = self.at, other.at
        os.link(name, other_name, src_dir_fd=folder, dst_dir_fd=other_folder, follow_symlinks=False)

    def copy(self, other: "Spot") -> None:
        """Of a file or a link, and on disk; of a folder, with all that is in it."""
        (folder, name), (other_folder, other_name) = self.at, other.at
        tree.copied_between(folder, name, other_folder, other_name)

    def unlink(self) -> None:
        folder, name = self.at
        os.unlink(name, dir_fd=folder)

    def make_folder(self, mode: int = 0o777) -> None:
        folder, name = self.at
        os.mkdir(name, mode, dir_fd=folder)

    def remove(self) -> None:
        """Whatever it is, with all that is in it; see `removed`."""
        folder, name = self.at
        removed(Path(name), folder)

    def made(self, mode: int = 0o777) -> int | None:
        """A folder has been made there: its descriptor, by which its mode can be changed. None: there was one."""
        try:
            self.make_folder(mode)
        except FileExistsError:
            if not stat.S_ISDIR(self.there().st_mode):
                raise
            return None
        folder, name = self.at
        return os.open(name, below.FOLDER_READ, dir_fd=folder)

    def remove_folder(self) -> None:
        folder, name = self.at
        os.rmdir(name, dir_fd=folder)


def _in_scratch(folder: Path) -> int:
    """The attempt's own there, which its program's owner may own too; what it lies in is the agent's to say."""
    scratch = os.open(folder.parent, below.FOLDER_REACHED)
    try:
        return below.opened_without_links(scratch, os.fsencode(folder.name))
    finally:
        os.close(scratch)


def _whole(place: Place, folder: Folder) -> str:
    """Relative to the root."""
    return joined(below_root(place, folder.landing), folder.name).rstrip("/")


def _identity(descriptor: int) -> tuple[int, int]:
    there = os.fstat(descriptor)
    return there.st_dev, there.st_ino

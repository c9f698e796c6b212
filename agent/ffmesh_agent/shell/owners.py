"""Whose the files are that a program makes: the owner, group and mode of the root that it writes to.

As root, the agent starts the program as that owner, so that everything it makes is theirs from the first byte; the mode
becomes the program's umask. What a staged job wrote is looked at once more before it takes its place: then owner, group
and mode are exactly those of the root. An agent that is not root starts programs as itself, and says at its start which
roots will have other files than they ask for.
"""

import contextlib
import errno
import logging
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell.tree import DEPTH_MAX
from ffmesh_protocol.ffmpeg.tables import FFMPEG
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.wire import Told

if sys.platform != "win32":
    import grp
    import pwd

log = logging.getLogger(__name__)

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ALL: Final = 0o777
_AS_MADE: Final = 0o666
"""What a program asks for when it makes a file; its umask takes away from that."""


class NewFiles(Told, frozen=True):
    """Without `user` and `group` the program runs as the agent, without `mode` with the umask of its caller."""

    user: str | int | None = None
    group: str | int | None = None
    mode: int | None = None

    @property
    def somebody_elses(self) -> bool:
        return (self.user, self.group) != (None, None)

    def umask(self, asked: int | None) -> int | None:
        return asked if self.mode is None else _ALL & ~_of_folders(self.mode)


AS_THE_AGENT: Final = NewFiles()


def new_files(grant: Grant, roots: Mapping[str, RootPlace], *, is_root: bool | None = None) -> NewFiles:
    """Those of the root that the grant's program writes to."""
    name = written_root(grant)
    place = roots.get(name) if name is not None else None
    if place is None:
        return AS_THE_AGENT
    mode = int(place.mode, 8) if place.mode is not None else None
    if os.geteuid() == 0 if is_root is None else is_root:
        return NewFiles(user=place.owner, group=place.group, mode=mode)
    return NewFiles(mode=mode)


def written_root(grant: Grant) -> str | None:
    """The root of a staged job's first output; else the one that it starts in; else the first that an argument names
    which is no input."""
    if grant.kind is JobKind.STAGED and grant.outputs:
        return grant.outputs[0].root
    if grant.cwd is not None:
        return grant.cwd.root
    return next(_named(grant), None)


def _named(grant: Grant) -> Iterator[str]:
    for at, argument in enumerate(grant.args):
        if grant.program == FFMPEG and at > 0 and grant.args[at - 1] == ("-i",):
            continue
        yield from (piece.root for piece in argument if isinstance(piece, RootPath))


def unheeded(roots: Mapping[str, RootPlace]) -> list[str]:
    """What the configuration asks for and this agent cannot do: a sentence a root."""
    return [sentence for name, place in sorted(roots.items()) for sentence in _unheeded(name, place)]


def _unheeded(name: str, place: RootPlace) -> Iterator[str]:
    for what, wanted, number, own in (
        ("owner", place.owner, _user(place.owner), os.geteuid()),
        ("group", place.group, _group(place.group), os.getegid()),
    ):
        if wanted is None:
            continue
        if number is None:
            yield f"[roots.{name}] {what} = {wanted}: there is no such {what} here, so nothing can be written there"
        elif os.geteuid() != 0 and number != own:
            yield (
                f"[roots.{name}] {what} = {wanted}: not heeded, because only an agent that runs as root can give files "
                "to others; new files are this agent's own"
            )


def given(place: Path | int, new: NewFiles) -> None:
    """A file or folder that we made ourselves, or have open, and that the program is to write into. `OSError` if it
    cannot be."""
    user, group = _numbers(new)
    if (user, group) == (-1, -1):
        return
    if isinstance(place, int):
        os.fchown(place, user, group)
    else:
        os.chown(place, user, group, follow_symlinks=False)


def settled(place: Path, new: NewFiles, within: int | None = None) -> None:
    """A file, or a folder and all that is in it, as the root wants them; `within` a folder that is open, or by its
    whole name.

    Only plain files and folders, and each by its descriptor: the owner may put a link there at any moment, and what it
    points to is not theirs. Nor is a file that has a second name. A file system that knows no owners keeps its own.
    """
    if new == AS_THE_AGENT:
        return
    there = os.stat(place, dir_fd=within, follow_symlinks=False)
    if stat.S_ISDIR(there.st_mode):
        _settle_folder(place, within, new)
    if stat.S_ISREG(there.st_mode):
        folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=within)
        try:
            _settle_file(place.name, folder, new)
        finally:
            os.close(folder)


def _settle_folder(place: Path, within: int | None, new: NewFiles) -> None:
    """With all that is in it. As many are open at a time as lie in one another."""
    going: list[tuple[int, Iterator[str]]] = []

    def enter(name: str | Path, above: int | None) -> None:
        if len(going) == DEPTH_MAX:
            raise OSError(errno.ENAMETOOLONG, f"more than {DEPTH_MAX} folders lie in one another")
        try:
            folder = os.open(name, _FOLDER, dir_fd=above)
        except PermissionError as error:
            log.warning("%s: its owner, group or mode cannot be set: %s", name, error.strerror)
            return
        inside: list[str] = []
        going.append((folder, iter(inside)))
        with os.scandir(folder) as entries:
            inside += (entry.name for entry in entries)
        _settle(folder, new)

    try:
        enter(place, within)
        while going:
            folder, names = going[-1]
            name = next(names, None)
            if name is None:
                going.pop()
                os.close(folder)
            elif stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                enter(name, folder)
            else:
                _settle_file(name, folder, new)
    finally:
        for folder, _ in going:
            os.close(folder)


def _settle_file(name: str, folder: int, new: NewFiles) -> None:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return  # opening a device may do something
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        log.warning("%s: its owner, group or mode cannot be set: %s", name, error.strerror)
        return
    try:
        _settle(file, new)
    finally:
        os.close(file)


def _settle(file: int, new: NewFiles) -> None:
    status = os.fstat(file)
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and (not stat.S_ISREG(status.st_mode) or status.st_nlink > 1):
        return
    user, group = _numbers(new)
    try:
        if user not in (-1, status.st_uid) or group not in (-1, status.st_gid):
            os.fchown(file, user, group)
        if new.mode is not None:
            inherited = stat.S_IMODE(status.st_mode) & 0o7000 if is_folder else 0  # for the group's sake
            os.fchmod(file, inherited | (_of_folders(new.mode) if is_folder else new.mode))
    except PermissionError as error:
        log.warning("a new file or folder keeps its owner, group or mode: %s", error.strerror)


def _of_folders(mode: int) -> int:
    """The mode with x for each r; and its owner may always work in it."""
    return mode | (mode & 0o444) >> 2 | 0o300


def _numbers(new: NewFiles) -> tuple[int, int]:
    """-1 is for "as it is". The group of a user without one of its own is that user's."""
    user, group = _user(new.user), _group(new.group)
    if user is not None and group is None:
        with contextlib.suppress(KeyError):
            group = pwd.getpwuid(user).pw_gid
    return -1 if user is None else user, -1 if group is None else group


def _user(name: str | int | None) -> int | None:
    if isinstance(name, str):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            return None
    return name


def _group(name: str | int | None) -> int | None:
    if isinstance(name, str):
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            return None
    return name

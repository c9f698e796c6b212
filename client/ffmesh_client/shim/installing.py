"""The shim in a folder: put there, looked at, taken away.

In the folder lie `ffmesh-shim`, the links `ffmpeg` and `ffprobe` to it, `ffmesh-front` where a compiler was at hand
(compiling.py), and `ffmesh-shim.json`, which says what was there before. That was moved aside, to a name of ours, and
is put back when the shim goes. A server's update may put its own program over a link: that is newer than what we keep,
so it stays when the shim goes.
"""

import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

import msgspec

from ffmesh_client import writing
from ffmesh_client.errors import WrongUsage
from ffmesh_client.shim import compiling
from ffmesh_client.shim.compiling import NotBuilt
from ffmesh_client.shim.sockets import taken_away
from ffmesh_protocol import VERSION
from ffmesh_protocol.media import printable
from ffmesh_protocol.wire import Told

NAMES: Final = ("ffmpeg", "ffprobe")
SCRIPT: Final = "ffmesh-shim"
NOTE: Final = "ffmesh-shim.json"
ASIDE: Final = ".before-ffmesh"
MARK: Final = b"# The shim of ffmesh:"
READ_BYTES: Final = 4096
WANTED_NONE: Final = "it was not wanted"

START: Final = Path(__file__).with_name("start.py")
"""What the launcher starts."""


class Note(Told, frozen=True):
    """`kept`: what was moved aside, by the name that it had. `made_folder`: the folder is ours. `key`: that of its
    helpers; none was noted by the first versions. `no_front`: why calls go through Python; null: they do not."""

    version: str
    local: dict[str, str]
    kept: dict[str, str]
    made_folder: bool
    config: str
    key: str = ""
    no_front: str | None = WANTED_NONE


class Wish(Told, frozen=True):
    """What to install. Without `local`, the program that is in the folder, or else in PATH. `front`: what hands calls
    on; `auto` is that in C where it can be built."""

    folder: str
    config: str
    local: str | None = None
    probes_on_the_mesh: bool = False
    front: Literal["auto", "c", "python"] = "auto"


def install(wish: Wish, environment: Mapping[str, str]) -> Note:
    """Makes it so, also where an earlier shim is. `WrongUsage` before anything has changed; else it is all done."""
    folder = Path(wish.folder)
    was = noted(folder)
    made_folder = was.made_folder if was else not folder.exists()
    local = {name: _local(name, wish, folder, was, environment) for name in NAMES}
    for path in (wish.folder, wish.config, *local.values()):
        _check_can_be_noted(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        no_front = _built(wish, folder, environment, made_folder=made_folder)
        kept = dict(was.kept) if was else {}
        kept |= {name: f"{name}{ASIDE}" for name in NAMES if _is_foreign(folder / name)}
        local = {name: _where_it_will_be(path, folder, kept) for name, path in local.items()}
        note = Note(
            version=VERSION,
            local=local,
            kept=kept,
            made_folder=made_folder,
            config=wish.config,
            key=key_of(wish.config),
            no_front=no_front,
        )
        # The note first: from then on `remove` knows what to put back, however far the rest has come.
        writing.replace(folder / NOTE, msgspec.json.format(msgspec.json.encode(note), indent=2) + b"\n", 0o644)
        writing.replace(folder / SCRIPT, _script(wish, note).encode(errors="surrogateescape"), 0o755)
        for name in NAMES:
            _put(folder, name)
    except OSError as error:
        raise WrongUsage(f"the shim cannot be put into {folder}: {_said(error)}") from error
    if was is not None and _key(was) != note.key:
        list(taken_away(_key(was)))  # nobody calls these helpers any more
    return note


def remove(folder: Path) -> list[str]:
    """Puts back what was there, and ends the helper. What it could not, or should not, is told."""
    note = noted(folder)
    if note is None:
        raise WrongUsage(f"there is no shim in {folder}")
    remarks: list[str] = []
    try:
        for name in NAMES:
            remarks += _take_away(folder, name, note.kept.get(name))
        for name in (SCRIPT, compiling.PROGRAM):
            (folder / name).unlink(missing_ok=True)
        (folder / NOTE).unlink()
        if note.made_folder and not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise WrongUsage(f"the shim cannot be taken out of {folder}: {_said(error)}") from error
    return [*remarks, *taken_away(_key(note))]


def noted(folder: Path) -> Note | None:
    """What was said of it when it was installed; None: there is no shim."""
    try:
        return msgspec.json.decode((folder / NOTE).read_bytes(), type=Note)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise WrongUsage(f"{folder} is no folder") from None
    except OSError as error:
        raise WrongUsage(f"{folder / NOTE} cannot be read: {_said(error)}") from error
    except msgspec.MsgspecError:
        raise WrongUsage(
            f"{folder / NOTE} is damaged; it says which files to put back: those that end in {ASIDE}"
        ) from None


def ails(folder: Path) -> Iterator[str]:
    """What is wrong with an installed shim, in sentences."""
    note = noted(folder)
    if note is None:
        yield f"there is no shim in {folder} any more"
        return
    for name in NAMES:
        if not is_shim(folder / name):
            yield f"{folder / name} is not the shim any more: an update of the server may have put its own there"
        if not os.access(note.local[name], os.X_OK):
            yield f"the program of this machine, {note.local[name]}, is gone"
    if note.no_front is None and not os.access(folder / compiling.PROGRAM, os.X_OK):
        yield f"{folder / compiling.PROGRAM} is gone: calls go through Python, and take a hundredth of a second longer"
    if note.version != VERSION:
        yield f"it was installed by ffmesh {note.version}, and this is {VERSION}"
    for path in (Path(sys.executable), START):
        unreachable = _closed_to_others(path)
        if unreachable is not None:
            yield f"other users cannot reach {path}: {unreachable} is closed to them"


def is_shim(path: Path) -> bool:
    """Whether it is one of ours, of any installation."""
    try:
        with path.open("rb") as file:
            return MARK in file.read(READ_BYTES)
    except OSError:
        return False


def key_of(config: str) -> str:
    """What tells the helpers of different installations apart."""
    return hashlib.sha256("\0".join((VERSION, sys.prefix, os.fspath(START), config)).encode()).hexdigest()[:24]


def _key(note: Note) -> str:
    return note.key or key_of(note.config)


def interpreter() -> str:
    """The program itself, not the launcher of an environment or of a version manager: each link costs a start."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return os.path.realpath(base)


def _built(wish: Wish, folder: Path, environment: Mapping[str, str], *, made_folder: bool) -> str | None:
    """Why there is no front in C."""
    why = WANTED_NONE
    if wish.front != "python":
        try:
            compiling.build(folder, environment)
        except NotBuilt as error:
            why = str(error)
            if wish.front == "c":
                if made_folder:
                    folder.rmdir()
                raise WrongUsage(f"--front c: {why}") from None
        else:
            return None
    (folder / compiling.PROGRAM).unlink(missing_ok=True)
    return why


def _script(wish: Wish, note: Note) -> str:
    values = {
        "FFMPEG": note.local["ffmpeg"],
        "FFPROBE": note.local["ffprobe"],
        "PROBES": "mesh" if wish.probes_on_the_mesh else "local",
        "PYTHON": interpreter(),
        "START": os.fspath(START),
        "OWNER": sys.executable,
        "KEY": key_of(wish.config),
        "CONFIG": wish.config,
        "FRONT": "" if note.no_front is not None else os.fspath(Path(wish.folder, compiling.PROGRAM).absolute()),
    }
    text = files("ffmesh_client.shim").joinpath("launcher.sh").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", shlex.quote(value), 1)
    return text


def _local(name: str, wish: Wish, folder: Path, was: Note | None, environment: Mapping[str, str]) -> str:
    """The program of this machine. Told `--local ffmpeg`, ffprobe lies beside it."""
    if wish.local is not None:
        path = Path(wish.local) if name == "ffmpeg" else Path(wish.local).with_name(name)
        return _runnable(path.absolute(), name)
    if _is_foreign(folder / name):
        return os.fspath((folder / name).absolute())
    if was is not None and os.access(was.local[name], os.X_OK):
        return was.local[name]
    for place in environment.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which(name, path=place)
        if found is not None and not is_shim(Path(found)):
            return os.path.abspath(found)  # noqa: PTH100 - not resolved: an update may lead its link elsewhere
    raise WrongUsage(
        f"there is no {name} on this machine, neither in {folder} nor in PATH; the shim needs one for what is better "
        "done here. Install it (Debian, Ubuntu, Raspberry Pi OS: apt install ffmpeg), or say --local FFMPEG"
    )


def _check_can_be_noted(path: str) -> None:
    """What was installed, where and for whom is written down as text, a folder a line."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise WrongUsage(f"the shim cannot work with {printable(path)}: this path is no UTF-8; rename it") from None
    if "\n" in path:
        raise WrongUsage(f"the shim cannot work with {printable(path)}: there is a line end in this path; rename it")


def _runnable(path: Path, name: str) -> str:
    if not path.is_file() or not os.access(path, os.X_OK):
        raise WrongUsage(f"--local: there is no program {path}; {name} must lie in the same folder")
    if is_shim(path):
        raise WrongUsage(f"--local: {path} is a shim itself; name the program that it stands for")
    return os.fspath(path)


def _is_foreign(path: Path) -> bool:
    return (path.is_file() or path.is_symlink()) and not is_shim(path)


def _where_it_will_be(path: str, folder: Path, kept: Mapping[str, str]) -> str:
    name = Path(path).name
    if name in kept and Path(path).parent == folder.absolute():
        return os.fspath(folder.absolute() / kept[name])
    return path


def _put(folder: Path, name: str) -> None:
    """The link, in one step: a server that looks meanwhile finds one or the other."""
    place = folder / name
    if _is_foreign(place):
        aside = folder / f"{name}{ASIDE}"
        aside.unlink(missing_ok=True)
        aside.hardlink_to(place) if not place.is_symlink() else aside.symlink_to(place.readlink())
    beside = folder / f".{name}.ffmesh"
    beside.unlink(missing_ok=True)
    beside.symlink_to(SCRIPT)
    beside.replace(place)


def _take_away(folder: Path, name: str, kept: str | None) -> Iterator[str]:
    place = folder / name
    aside = folder / kept if kept else None
    if _is_foreign(place):
        if aside is not None and os.path.lexists(aside):
            yield f"{place} is not the shim: it stays, and what was there before stays as {aside}"
        return
    if aside is not None and os.path.lexists(aside):
        aside.replace(place)
        return
    if aside is not None:
        yield f"{aside}, which was there before the shim, is gone"
    place.unlink(missing_ok=True)


def _closed_to_others(path: Path) -> str | None:
    """The first folder on the way, or the file, that users besides its owner cannot enter or read."""
    for each in reversed((path, *path.parents)):
        wanted = 0o001 if each != path else 0o004
        try:
            if not each.stat().st_mode & wanted:
                return os.fspath(each)
        except OSError:
            return os.fspath(each)
    return None


def _said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)

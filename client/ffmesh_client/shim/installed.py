"""Which folders have the shim: noted by `ffmesh shim`, so that `doctor` can look whether an update overwrote it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ffmesh_client import writing
from ffmesh_client.supervisor.home import default_home

LIST: Final = "shims"
NOBODY_IN_PARTICULAR: Final = -1


def folders() -> list[Path]:
    """Those that were noted by this user."""
    try:
        text = _list().read_bytes()
    except OSError:
        return []
    return [Path(os.fsdecode(line)) for line in text.split(b"\n") if line]


def remember(folder: Path) -> None:
    _write(dict.fromkeys([*folders(), folder]))


def forget(folder: Path) -> None:
    there = folders()
    if folder in there:
        _write(each for each in there if each != folder)


def _write(each: Iterable[Path]) -> None:
    place = _list()
    writing.made_folder(place.parent)
    writing.write(place, "".join(f"{folder}\n" for folder in each))


def _list() -> Path:
    """Root's too lies where the states of this session are to lie, if that is said."""
    user = os.geteuid() if not os.environ.get("XDG_STATE_HOME", "").startswith("/") else NOBODY_IN_PARTICULAR
    return default_home(os.environ, user) / LIST

"""By which names a working folder is known."""

import os
from collections.abc import Mapping, Sequence

from ffmesh_client.disk import Disk
from ffmesh_protocol.ffmpeg.pieces import root_path


def names_of_working_folder() -> tuple[str, ...]:
    """Ours. None: it was removed."""
    try:
        physical = os.getcwd()  # noqa: PTH109 - a str; Path would normalise it
    except OSError:
        return ()
    return names_of(physical, os.environ.get("PWD", ""), Disk())


def names_of(physical: str, logical: str, disk: Disk) -> tuple[str, ...]:
    """The one that people use is first, links unresolved, if the shell told it and it is true."""
    is_true = logical.startswith("/") and disk.are_one(logical, physical)
    return (logical, physical) if is_true else (physical,)


def name_in_a_root(names: Sequence[str], roots: Mapping[str, str]) -> str:
    """The first that lies under a root, else any; empty if there is none."""
    return next((name for name in names if root_path(name, roots) is not None), (*names, "")[0])

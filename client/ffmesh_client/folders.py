"""By which names a working folder is known."""

import os
from collections.abc import Mapping, Sequence

from ffmesh_protocol.ffmpeg.pieces import root_path


def names_of_working_folder() -> tuple[str, ...]:
    """Ours. None: it was removed."""
    try:
        physical = os.getcwd()  # noqa: PTH109 - a str; Path would normalise it
    except OSError:
        return ()
    return names_of(physical, os.environ.get("PWD", ""))


def names_of(physical: str, logical: str) -> tuple[str, ...]:
    """The one that people use is first, links unresolved, if the shell told it and it is true."""
    try:
        is_true = logical.startswith("/") and os.path.samefile(logical, physical)  # noqa: PTH121 - as above
    except OSError:
        is_true = False
    return (logical, physical) if is_true else (physical,)


def name_in_a_root(names: Sequence[str], roots: Mapping[str, str]) -> str:
    """The first that lies under a root, else any; empty if there is none."""
    return next((name for name in names if root_path(name, roots) is not None), (*names, "")[0])

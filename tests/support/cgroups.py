"""A cgroup of version 2 that a test may divide, where the machine and our rights allow one."""

import contextlib
import os
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ffmesh_agent.shell.cgroups import NoCgroup, own


@contextmanager
def cgroup_of_a_test(*controllers: str) -> Generator[Path, None, None]:
    """Below the one that the tests run in, or the nearest above it that hands these on; whatever is left in it is
    ended."""
    try:
        folder = _handing_on(own(), controllers) / f"test-{os.getpid()}-{os.urandom(4).hex()}"
        folder.mkdir()
    except (NoCgroup, OSError) as error:
        pytest.skip(f"no cgroup of version 2 can be made here: {error}")
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            (folder / "cgroup.kill").write_text("1")
        ended(folder)


def _handing_on(folder: Path, controllers: Collection[str]) -> Path:
    """The processes in it keep a cgroup from handing on what it has, but for the topmost one."""
    with contextlib.suppress(OSError):
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
    for each in (folder, *folder.parents):
        handed_on = each / "cgroup.subtree_control"
        if handed_on.exists() and set(controllers) <= set(handed_on.read_text().split()):
            return each
    raise NoCgroup(f"none above hands on {' and '.join(controllers)}")


def ended(folder: Path) -> None:
    """Removes it and those below it, as soon as nothing lives in them."""
    for below in [each for each in folder.iterdir() if each.is_dir()]:
        ended(below)
    while "populated 1" in (folder / "cgroup.events").read_text():
        pass
    folder.rmdir()


def members(folder: Path) -> set[int]:
    return {int(pid) for pid in (folder / "cgroup.procs").read_text().split()}

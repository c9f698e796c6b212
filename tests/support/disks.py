"""Small file systems for tests, mounted for one block. Needs root on Linux."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, megabytes: int) -> Generator[Path, None, None]:
    """A tmpfs of this size at `place`; the test is skipped where none can be mounted."""
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "ffmesh-test", place],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {os.fsdecode(mounted.stderr).strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path, *, all_but: int) -> Path:
    """A file that leaves so many bytes free. Its name begins with a dot."""
    room = os.statvfs(disk)
    filler = disk / ".filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - all_but)
    return filler

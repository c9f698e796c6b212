"""Files that are in place whole, and stay there after a crash; and what tells our folder from a copy of it."""

import contextlib
import os
from pathlib import Path


def written_whole(file: Path, content: bytes) -> None:
    """In place whole, or not at all. To stay there after a crash, its folder must be synced too."""
    new = file.with_suffix(".new")
    with new.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)


def written_once(file: Path, content: str) -> None:
    """With a line that tells this file from any copy of it: see `content_unless_copied`."""
    new = file.with_suffix(".new")
    with new.open("w", encoding="ascii") as opened:
        opened.write(f"{content}\n{os.fstat(opened.fileno()).st_ino}\n")
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
    synced_folder(file.parent)


def content_unless_copied(file: Path) -> str | None:
    """None: there is no such file, it is damaged, or it was written elsewhere and brought here."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        lines = file.read_text("ascii").splitlines()
        if len(lines) == 2 and lines[1] == str(file.stat().st_ino):
            return lines[0]
    return None


def synced_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Folders in folders, deeper than any path may be long, and than Python calls itself."""

import os
from pathlib import Path


def nested(top: Path, depth: int, name: str = "d") -> None:
    """Each folder but the last has a file of three bytes in it too."""
    top.mkdir()
    at = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=at)
        file = os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at)
        os.write(file, b"123")
        os.close(file)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)

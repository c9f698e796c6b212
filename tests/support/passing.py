"""A test's folder that other users may pass through, which pytest makes for its own user alone."""

from pathlib import Path

PYTESTS = "pytest-of-"


def passable(folder: Path) -> Path:
    """It, and what of pytest lies above it; nothing else of this machine."""
    above = (folder, *folder.parents)
    ours = next((number for number, each in enumerate(above) if each.name.startswith(PYTESTS)), 0)
    for each in above[: ours + 1]:
        each.chmod(each.stat().st_mode & 0o7777 | 0o111)
    return folder

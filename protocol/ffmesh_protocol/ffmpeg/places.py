"""Where a path stands in an argument, and what the program does with it."""

from typing import Final

from ffmesh_protocol.wire import Told

READ: Final = "read"
WRITTEN: Final = "written"
PREFIX: Final = "prefix"
"""Names that begin with it are written."""
FOLDER: Final = "folder"
"""What lies in it is read."""


class Place(Told, frozen=True):
    """A path, and where it stands in an argument: the characters from `start` to `end`, with the quotes and escapes of
    that place."""

    start: int
    end: int
    path: str
    """As meant: the escapes of that place are taken off, and nothing else is done."""
    quoting: str = "none"
    use: str = READ

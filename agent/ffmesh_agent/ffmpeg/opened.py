"""Which absolute names are open to every program on this machine, besides the roots.

Those of devices and streams, the system's fonts and profiles, and what its owner has made readable: folders with all
below them, or single files. What is said here is a matter of sentences; whether a name can be opened the fence decides.
"""

import posixpath
from collections.abc import Collection
from typing import Final

from ffmesh_protocol.media import is_same_everywhere

_SHARED: Final = ("/usr/share", "/usr/local/share")
_UP: Final = ".."


class Opened:
    def __init__(self, readable: Collection[str] = ()) -> None:
        self._readable = tuple(readable)
        self._places = tuple(posixpath.normpath(place) for place in (*_SHARED, *readable))

    def and_below(self, roots: Collection[str]) -> "Opened":
        """For a job that may read these roots too, where its words name files in them as this machine does."""
        return Opened((*self._readable, *roots))

    def has(self, name: str) -> bool:
        """By its letters: a name with `..` in it is none."""
        if is_same_everywhere(name):
            return True
        if not name.startswith("/") or _UP in name.split("/"):
            return False
        return any(name == place or name.startswith(f"{place.rstrip('/')}/") for place in self._places)


NOTHING_MORE: Final = Opened()
"""Its owner has opened nothing."""

"""What a command line has the disk asked: where links lead, whether two names are one folder, what lists say.

A network mount whose server is gone keeps whoever asks, for ever perhaps. `asked` is the place that was asked last, so
that whoever does not wait for the answer can say where it stays away.
"""

import os
from pathlib import Path


class Disk:
    def __init__(self) -> None:
        self.asked = ""

    def real(self, path: str) -> str:
        """Without links. What is not there is taken as it is."""
        self.asked = path
        return os.path.realpath(path)

    def are_one(self, first: str, second: str) -> bool:
        """False also where there is nothing by one of these names."""
        self.asked = first
        try:
            return os.path.samefile(first, second)  # noqa: PTH121 - a Path would normalise them
        except (OSError, ValueError):
            return False

    def content(self, path: str, at_most: int) -> str | None:
        """Of a file. A pipe is left alone: what is read there, the program would miss."""
        self.asked = path
        place = Path(path)
        try:
            if not place.is_file():
                return None
            with place.open("rb") as file:
                return file.read(at_most).decode(errors="surrogateescape")
        except (OSError, ValueError):
            return None

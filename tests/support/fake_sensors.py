"""Sensors that a test plays: each is a program that prints what a file says, as `sensor` of a table in `[manners]`."""

import shlex
from pathlib import Path


class FakeSensor:
    def __init__(self, folder: Path, name: str) -> None:
        self._file = folder / f"{name}.value"

    @property
    def argv(self) -> tuple[str, ...]:
        return ("/bin/sh", "-c", f"cat {shlex.quote(str(self._file))}")

    def says(self, value: object) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{value}\n")
        new.replace(self._file)

    def dies(self) -> None:
        self._file.unlink()

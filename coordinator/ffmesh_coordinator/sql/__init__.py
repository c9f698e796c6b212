"""SQL lives in `.sql` files; this reads it. Nothing here opens a database.

`queries.sql` holds one query a block, named and described. The files in `migrations` are numbered from 1 without a
gap, and each brings a database from the version before to its own. A migration that was released is never changed.
"""

import re
from collections.abc import Mapping
from importlib import resources
from typing import Final

_folder = resources.files("ffmesh_coordinator.sql")
_heading = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)
_numbered = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql\Z")


def queries(text: str) -> dict[str, str]:
    """Name → SQL, with its description, which SQLite takes for the comment that it is."""
    _, *blocks = _heading.split(text)
    named = list(zip(blocks[::2], blocks[1::2], strict=True))
    found = {name: block.strip() for name, block in named}
    if len(found) != len(named):
        raise ValueError("two queries have one name")
    return found


def _migrations() -> tuple[str, ...]:
    files = {file.name: file for file in _folder.joinpath("migrations").iterdir()}
    numbered = sorted((int(match[1]), name) for name in files if (match := _numbered.match(name)))
    if [number for number, _ in numbered] != list(range(1, len(numbered) + 1)):
        raise ValueError(f"the migrations are not numbered from 1 without a gap: {sorted(files)}")
    return tuple(files[name].read_text(encoding="utf-8") for _, name in numbered)


QUERIES: Final[Mapping[str, str]] = queries(_folder.joinpath("queries.sql").read_text(encoding="utf-8"))
"""Of `queries.sql`."""

MIGRATIONS: Final = _migrations()
"""The first brings a database from version 0, which is an empty file, to version 1."""

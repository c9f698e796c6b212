"""What a command line is, for people: each path in the colour of its root."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ffmesh_client.explaining import Explanation
from ffmesh_client.render import tables, words
from ffmesh_client.shim.rules import MESH

COLOURS: Final = ("cyan", "magenta", "green", "blue", "yellow", "bright_cyan", "bright_magenta", "bright_green")
"""Of the roots, in the order of their names; there are more roots than colours only in a studio."""

UNDER_NO_ROOT: Final = "red"


class Row(NamedTuple):
    name: str
    value: str
    style: str = ""


def show_explanation(explained: Explanation, roots: Mapping[str, str | None]) -> None:
    """`roots` has that of each path, or None."""
    rows = list(_rows(explained, _Colours(explained.needs.roots, roots)))
    if tables.on_terminal():
        _draw(rows)
    else:
        tables.show_facts([(row.name, row.value) for row in rows])


class _Colours:
    def __init__(self, names: Sequence[str], roots: Mapping[str, str | None]) -> None:
        self._roots = roots
        self._of = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}

    def path(self, path: str) -> tuple[str, str]:
        """What is said of it, and its colour."""
        root = self._roots.get(path)
        if root is None:
            return f"{words.text(path)} (under no root)", UNDER_NO_ROOT
        return f"{words.text(path)} (${root})", self._of.get(root, "")


def _rows(explained: Explanation, colours: _Colours) -> Iterator[Row]:
    """What is empty is left out."""
    is_elsewhere = explained.runs == MESH
    runs = "on the mesh" if is_elsewhere else "here"
    why = "" if explained.reason is None else f": {words.text(explained.reason)}"
    yield Row("runs", f"{runs}{why}", "green" if is_elsewhere else "yellow")
    yield Row("program", words.text(explained.program))
    for name, paths in (
        ("input", explained.inputs),
        ("output", explained.outputs),
        ("other file", explained.other_paths),
    ):
        for path in paths:
            yield Row(name, *colours.path(path))
    needs = explained.needs
    for name, wanted in (
        ("roots", needs.roots),
        ("encoders", needs.encoders),
        ("decoders", needs.decoders),
        ("hwaccels", needs.hwaccels),
        ("filters", needs.filters),
    ):
        if wanted:
            yield Row(name, words.joined(wanted))
    streams = [name for name, carries in (("input", explained.stdin), ("output", explained.stdout)) if carries]
    if streams:
        yield Row("streams", f"data on standard {' and '.join(streams)}")
    yield Row("arguments", words.text(shlex.join(explained.args)))


def _draw(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(row.name, Text(row.value, style=row.style))
    Console().print(grid)

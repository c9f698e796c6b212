"""Tables and lists of facts."""

import sys
from collections.abc import Sequence
from typing import NamedTuple

from ffmesh_client.render.words import STYLE_OF_STATE


class Column(NamedTuple):
    """`whole`: never broken into lines, however narrow the terminal."""

    title: str
    right: bool = False
    whole: bool = False


def on_terminal() -> bool:
    return sys.stdout.isatty()


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, none: str) -> None:
    """The rows; on a terminal a sentence if there are none, and in a pipe the head alone."""
    if not on_terminal():
        print("\n".join(plain(columns, rows)))
    elif rows:
        _draw(columns, rows)
    else:
        print(none)


def plain(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns two spaces apart, with the head in capitals."""
    lines = [[column.title.upper() for column in columns], *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    ]


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line."""
    width = max(len(name) for name, _ in facts)
    if not on_terminal():
        print("\n".join(f"{name:<{width}}  {value}" for name, value in facts))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(name, Text(value, style=STYLE_OF_STATE.get(value, "")))
    Console().print(grid)


def _draw(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", no_wrap=column.whole)
    for row in rows:
        table.add_row(*(Text(cell, style=STYLE_OF_STATE.get(cell, "")) for cell in row))
    Console().print(table)

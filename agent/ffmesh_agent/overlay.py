"""Keys of `agent.toml` that the environment says: for containers, and for services whose file is the same everywhere.

    FFMESH_AGENT__KEY=VALUE
    FFMESH_AGENT__slots__cpu=4
    FFMESH_AGENT__roots__Movies=/media/movies
    FFMESH_AGENT__manners__temperature__above=75

After the first two underscores stands the key as in the file, with two more between its parts. What reads as a value of
TOML is one (`4`, `true`, `["ffmpeg"]`); all else is text. It goes before what the file says.
"""

import tomllib
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, cast

PREFIX: Final = "FFMESH_AGENT__"
BETWEEN: Final = "__"

Table: TypeAlias = dict[str, Any]
"""As TOML has it: what is in it is looked at by who knows the keys."""


def said(environment: Mapping[str, str]) -> list[str]:
    """The variables that say a key."""
    return sorted(name for name in environment if name.startswith(PREFIX) and name != PREFIX)


def overlaid(table: Table, environment: Mapping[str, str]) -> Table:
    for name in said(environment):
        table = _with(table, name.removeprefix(PREFIX).split(BETWEEN), _value(environment[name]))
    return table


def _with(table: Table, path: list[str], value: object) -> Table:
    key, *rest = path
    if not rest:
        return {**table, key: value}
    inner = table.get(key)
    return {**table, key: _with(cast(Table, inner) if isinstance(inner, dict) else {}, rest, value)}


def _value(text: str) -> object:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text

"""Writes docs/configuration.md, with every key of every file and what it means: `make pages`.

The keys, their types and defaults come from the structs that read the files; what they mean stands in
configuration.toml, beside this file. Who adds a key says its meaning there and runs `make pages`; a test says which
are missing.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import msgspec
from msgspec import inspect

from ffmesh_agent.config import AgentConfig
from ffmesh_client.config import ClientConfig
from ffmesh_coordinator.config import Config
from ffmesh_protocol.limits import NUMBER_MAX

PAGE: Final = Path(__file__).parent.parent / "docs" / "configuration.md"

STRUCTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "agent.toml": AgentConfig,
    "coordinator.toml": Config,
    "client.toml": ClientConfig,
}

MEANINGS: Final = Path(__file__).with_suffix(".toml")
ABOUT: Final = "about"
ENVIRONMENT: Final = "environment"

INTRODUCTION: Final = """\
# Configuration

Written by `make pages` from the code that reads these files; do not edit it here.

All files are [TOML](https://toml.io). A key that nobody knows is an error, since it is a typing mistake more often than
not. In the tables below, `limits.nice` is the key `nice` of the table `[limits]`, and NAME is a name that you choose.
"""


@dataclass(frozen=True, slots=True)
class Key:
    path: str
    type: str
    default: str


def keys(struct: type[msgspec.Struct]) -> list[Key]:
    found = inspect.type_info(struct)
    assert isinstance(found, inspect.StructType)
    return [*_of_struct(found, "")]


def _of_struct(struct: inspect.StructType, prefix: str) -> Iterator[Key]:
    for field in struct.fields:
        path = f"{prefix}{field.encode_name}"
        if isinstance(field.type, inspect.StructType):
            yield from _of_struct(field.type, f"{path}.")
        else:
            yield from _of_field(path, field.type, _default(field))


def _of_field(path: str, kind: inspect.Type, default: str) -> Iterator[Key]:
    match kind:
        case inspect.StructType():
            yield from _of_struct(kind, f"{path}.")
        case inspect.DictType(value_type=value):
            yield from _of_field(f"{path}.NAME", value, default)
        case _:
            structs = list(_structs_in(kind))
            is_list = isinstance(kind, inspect.ListType | inspect.VarTupleType)
            if not structs or not (is_list or _is_a_table_or_nothing(kind)):
                yield Key(path, _spoken(kind), default)
            for struct in structs:
                yield from _of_struct(struct, f"{path}[]." if is_list else f"{path}.")


def _is_a_table_or_nothing(kind: inspect.Type) -> bool:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return all(isinstance(each, inspect.StructType | inspect.NoneType) for each in kinds)


def _structs_in(kind: inspect.Type) -> Iterator[inspect.StructType]:
    match kind:
        case inspect.StructType():
            yield kind
        case inspect.UnionType(types=types):
            for each in types:
                yield from _structs_in(each)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            yield from _structs_in(item)
        case _:
            pass


def _spoken(kind: inspect.Type) -> str:
    """A type, for people."""
    match kind:
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.IntType() | inspect.FloatType():
            return f"number{_bounds(kind)}"
        case inspect.StrType():
            return "text"
        case inspect.BytesType():
            return "base64"
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{_toml(value)}`" for value in values)
        case inspect.EnumType(cls=enum):
            return ", ".join(f"`{_toml(each.value)}`" for each in enum)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return f"list: {_spoken(item)}"
        case inspect.StructType():
            return "table"
        case inspect.NoneType():
            return ""
        case inspect.UnionType(types=types):
            return " or ".join(filter(None, map(_spoken, types)))
        case _:
            raise TypeError(f"nobody has said how {kind} is spoken")


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.gt is not None:
        least = f" above {kind.gt:g}"
    else:
        least = f" from {kind.ge:g}" if kind.ge is not None else ""
    return f"{least} to {kind.le:.15g}" if kind.le is not None and kind.le < NUMBER_MAX else least


def _default(field: inspect.Field) -> str:
    if field.required:
        return "*must be said*"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return "–" if value is None or value in ({}, ()) else f"`{_toml(value)}`"


def _toml(value: object) -> str:
    match value:
        case dict():
            table = cast("Mapping[str, object]", value)
            return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in table.items()) + " }"
        case str() | bool() | int():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return f"{value:g}"
        case tuple() | list():
            return "[" + ", ".join(map(_toml, cast("Sequence[object]", value))) + "]"
        case _:
            raise TypeError(f"nobody has said how {value!r} is written")


def meanings() -> dict[str, dict[str, str]]:
    """By file, then by key."""
    return msgspec.toml.decode(MEANINGS.read_bytes(), type=dict[str, dict[str, str]])


def meant(path: str, said: Mapping[str, str]) -> str | None:
    """By which name the meaning of this key stands there: its own, or `a.*.c` for all tables in `a` that have it."""
    table, _, name = path.rpartition(".")
    above, _, _ = table.rpartition(".")
    return next((each for each in (path, f"{above}.*.{name}") if each in said), None)


def missing() -> list[str]:
    """What has to be said in configuration.toml, or stands there and is no key any more."""
    gaps: list[str] = []
    for file, struct in STRUCTS.items():
        said = meanings()[file]
        names = {key.path: meant(key.path, said) for key in keys(struct)}
        unsaid = sorted(path for path, name in names.items() if name is None)
        unused = sorted(said.keys() - {ABOUT} - set(names.values()))
        gaps += [f"{file}: {path} has no meaning; say it in {MEANINGS.name}" for path in unsaid]
        gaps += [f"{file}: {name} is no key; take it out of {MEANINGS.name}" for name in unused]
    return gaps


def page() -> str:
    said = meanings()
    parts = [INTRODUCTION]
    for file, struct in STRUCTS.items():
        rows = [_row(key, said[file]) for key in keys(struct)]
        parts.append(f"## {file}\n\n{said[file][ABOUT]}\n\n{_table('key | type | unless said | what it means', rows)}")
    rows = [f"| `{name}` | {meaning} |" for name, meaning in said[ENVIRONMENT].items()]
    parts.append(f"## Environment\n\n{_table('variable | who looks at it, and for what', rows)}")
    return "\n".join(parts)


def _row(key: Key, said: Mapping[str, str]) -> str:
    return f"| `{key.path}` | {key.type} | {key.default} | {said[meant(key.path, said) or key.path]} |"


def _table(heading: str, rows: list[str]) -> str:
    return "\n".join([f"| {heading} |", "|---" * (heading.count("|") + 1) + "|", *rows, ""])


def main() -> int:
    gaps = missing()
    if gaps:
        print("\n".join(gaps), file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

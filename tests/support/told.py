"""Every struct that is told over the wire, found by itself, and values of each to try it with.

A struct that somebody adds is tried from its first day: nobody has to list it.
"""

import importlib
import pkgutil
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from ffmesh_protocol import media, messages, tokens

FEW = 4
"""Items of a list, letters of a text: what goes wrong with many goes wrong with four; limits have their own tests."""


def message_kinds() -> list[type[msgspec.Struct]]:
    """All structs of messages/*, and those that they are made of."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.iter_modules(messages.__path__, prefix=f"{messages.__name__}.")
    ]
    found = {
        kind
        for module in (*modules, media, tokens)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
    }
    return sorted(found, key=lambda kind: f"{kind.__module__}.{kind.__name__}")


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of that type, within the constraints that its annotations state."""
    return _values(inspect.type_info(kind))


def _values(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.StructType():
            return _structs(info.cls)
        case inspect.UnionType():
            return st.one_of([_values(each) for each in info.types])
        case inspect.VarTupleType():
            most = FEW if info.max_length is None else min(FEW, info.max_length)
            return st.lists(_values(info.item_type), max_size=most).map(tuple)
        case inspect.DictType():
            return st.dictionaries(_values(info.key_type), _values(info.value_type), max_size=FEW)
        case inspect.EnumType():
            return st.sampled_from(list(info.cls))
        case _:
            return _plain_values(info)


def _plain_values(info: inspect.Type) -> st.SearchStrategy[Any]:
    match info:
        case inspect.StrType(pattern=None):
            return st.text(min_size=info.min_length or 0, max_size=max(FEW, info.min_length or 0))
        case inspect.StrType(pattern=str() as pattern):
            return st.from_regex(pattern).filter(lambda text: len(text) <= (info.max_length or 1_000))
        case inspect.IntType():
            return st.integers(min_value=info.ge, max_value=info.le)
        case inspect.FloatType():
            above = info.gt is not None
            return st.floats(
                min_value=info.gt if above else info.ge,
                max_value=info.le,
                exclude_min=above,
                allow_nan=False,
                allow_infinity=False,
            )
        case inspect.BoolType():
            return st.booleans()
        case inspect.BytesType():
            return st.binary(max_size=FEW)
        case inspect.NoneType():
            return st.none()
        case _:
            raise NotImplementedError(f"nobody has said yet how to make up a {info}")


@cache
def _structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return st.builds(kind, **{field.name: _values(field.type) for field in info.fields})

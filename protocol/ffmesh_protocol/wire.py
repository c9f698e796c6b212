"""The base of everything that is told: frozen, by keyword, every key always present on the wire.

Unknown fields are ignored, so that old and new versions live together; a missing field that has no default is an error.
"""

from typing import Annotated, TypeAlias, dataclass_transform

import msgspec

from ffmesh_protocol.limits import NUMBER_MAX, SECONDS_MAX

Natural: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=NUMBER_MAX)]
"""A whole number that every part can keep: a database takes no larger one."""

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value. Subclasses write their fields and nothing else."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Directed(Told, frozen=True, kw_only=True):
    """The body of a signed message to one life. Who lacks a feature it requires answers `unsupported`, and no more."""

    requires: tuple[str, ...] = ()

"""What `agent.toml` may say about a root besides its path.

[roots.Movies]
path = "/media/movies"
mount_point = true              # not there while nothing is mounted on it
sentinel = ".mounted"           # nor while this is missing below it
storage = true                  # keeps a nonce in it, so that two machines can tell whether they see the same one
read_only = false               # true: nothing is written there, and it need not be writable
keep_free = "5 GB"              # no new job that writes there while less is free; see `kept_free` below
needs = ["Pool"]                # not there while that one is not
recover = ["mount", "/media/movies"]    # run, once a minute at most, while it is not there
owner = "media"                 # new files are theirs; for an agent that runs as root
group = "media"
mode = "0664"                   # of new files; folders get the x for each r
scratch = true                  # outputs of staged jobs are made in the agent's `scratch`, and brought here whole
"""

import re
from typing import Annotated, Final, TypeAlias, dataclass_transform

import msgspec

Size: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,3})? ?[kMGT]?i?B\Z")]
"""As people write it: `500 MB`, `2 GiB`."""

_size = re.compile(r"([0-9.]+) ?([kMGT]?)(i?)B")
_POWERS: Final = {"": 0, "k": 1, "M": 2, "G": 3, "T": 4}


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class RootPlace(Strict, frozen=True):
    path: str
    mount_point: bool = False
    sentinel: str | None = None
    storage: bool = False
    read_only: bool = False
    keep_free: Size | None = None
    needs: tuple[str, ...] = ()
    recover: tuple[str, ...] = ()
    owner: str | int | None = None
    group: str | int | None = None
    mode: Annotated[str, msgspec.Meta(pattern=r"^0?[0-7]{3}\Z")] | None = None
    scratch: bool = False


KEPT_FREE: Final = 1_000_000_000
KEPT_SHARE: Final = 100


def kept_free(place: RootPlace, total: int) -> int:
    """How many bytes of its file system, which has `total`, no new job may take: 1 GB, or a hundredth if that is less,
    unless `keep_free` says otherwise."""
    return bytes_of(place.keep_free) if place.keep_free is not None else min(KEPT_FREE, total // KEPT_SHARE)


def bytes_of(size: Size) -> int:
    found = _size.fullmatch(size)
    assert found is not None, "its type has checked it"
    number, prefix, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[prefix])

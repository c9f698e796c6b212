"""What a program behind a fence may touch, as its owner says it. All else is closed to it, whatever its arguments say.

`read`, `write` and `devices` are absolute names of files and folders as they are when it starts; a folder stands for
all that is below it. What is not there is left out. Links are followed when the fence is put up, and not after that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["landlock", "bubblewrap"]


@dataclass(frozen=True, slots=True)
class Fence:
    kind: Kind
    read: tuple[bytes, ...]
    """May be read, listed and executed."""
    write: tuple[bytes, ...]
    """May also be written, made, renamed and removed."""
    devices: tuple[bytes, ...] = ()
    """Device nodes that it may open both ways."""
    network: bool = False
    leads: tuple[tuple[bytes, bytes], ...] = ()
    """Names of `read` and `write`, each with the place, by a name without links, that it led to when it was chosen. One
    that leads elsewhere when the fence is put up is left out: somebody has swapped a folder for a link meanwhile."""

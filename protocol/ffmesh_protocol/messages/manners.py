"""How an agent behaves towards the people whose machine it is, and what of their machine it minds."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from ffmesh_protocol.limits import SENTENCE_CHARS, WORD_CHARS
from ffmesh_protocol.wire import Told

PAUSE: Final = "pause"
"""The feature of an agent that lets what nobody waits for stand still, and has room for more by that."""


class Manner(StrEnum):
    """What is done while a condition is in force. Each but the first takes no new work either."""

    SLOW = "slow"
    """Fewer processors, and the lowest share of them."""
    DRAIN = "drain"
    """What runs goes on."""
    PAUSE = "pause"
    """What runs is stopped where it stands, keeps its memory, and goes on later."""
    STOP = "stop"
    """What runs is ended and handed back, for others to do."""


def wanted(*, draining: bool, manner: Manner | None) -> Manner | None:
    """What is meant: who says `draining` and no manner knows of no other."""
    return (manner or Manner.DRAIN) if draining else None


class Condition(Told, frozen=True):
    """One of those that its configuration names."""

    name: Annotated[str, msgspec.Meta(max_length=WORD_CHARS)]
    """`temperature`, `input`, `hours` …"""
    manner: Manner
    in_force: bool
    reason: Annotated[str, msgspec.Meta(max_length=SENTENCE_CHARS)]
    """A sentence with the value of its sensor: `81.5 °C, above 80 °C`; or why that is not known."""

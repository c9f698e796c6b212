"""What a program needs of this machine (installed.py), remembered for a moment: short jobs ask for the same many times.

What is installed, removed or plugged in is seen a second later at most. A program that starts within that second may
find its new place outside of its fence, and is told as one that this machine could not start.

To look takes a millisecond or two, and may never end where a program lies on a dead mount: it belongs in a thread.
"""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeAlias

from ffmesh_agent.shell import installed

FRESH_SECONDS: Final = 1.0
AGEING_SECONDS: Final = 0.5
"""What is older is worth another look where somebody will need it soon."""

Asked: TypeAlias = tuple[str, bool]
"""A program, and whether it may use the network."""


@dataclass(frozen=True, slots=True)
class Equipment:
    readable: tuple[bytes, ...]
    devices: tuple[bytes, ...]


class _Looked:
    def __init__(self) -> None:
        self.one_at_a_time = Lock()
        self.at = float("-inf")
        self.equipment: Equipment | None = None

    def is_older_than(self, seconds: float) -> bool:
        return time.monotonic() - self.at > seconds


class AtHand:
    def __init__(self, search: str, readable: Sequence[str]) -> None:
        """`search`: the PATH in which programs are looked up. `readable`: what the owner has opened to all of them."""
        self._search = search
        self._readable = readable
        self._looked: dict[Asked, _Looked] = {}

    def remembered(self, program: str, *, network: bool) -> Equipment | None:
        """Without a look."""
        known = self._looked.get((program, network))
        return None if known is None or known.is_older_than(FRESH_SECONDS) else known.equipment

    def ageing(self) -> list[Asked]:
        """What was asked for before, and is old by now."""
        return [asked for asked, known in self._looked.items() if known.is_older_than(AGEING_SECONDS)]

    def look_again(self, asked: Iterable[Asked]) -> None:
        for program, network in asked:
            self._look(program, network=network, unless_within=AGEING_SECONDS)

    def found(self, program: str, *, network: bool) -> Equipment:
        return self._look(program, network=network, unless_within=FRESH_SECONDS)

    def _look(self, program: str, *, network: bool, unless_within: float) -> Equipment:
        looked = self._looked.setdefault((program, network), _Looked())
        with looked.one_at_a_time:
            if looked.equipment is None or looked.is_older_than(unless_within):
                begun = time.monotonic()
                looked.equipment = self._seen(program, network=network)
                looked.at = begun
            return looked.equipment

    def _seen(self, program: str, *, network: bool) -> Equipment:
        readable = [*installed.readable(network=network), *installed.of_program(program, self._search), *self._readable]
        return Equipment(tuple(map(os.fsencode, readable)), tuple(map(os.fsencode, installed.devices())))

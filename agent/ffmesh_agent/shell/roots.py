"""Which roots are there now: folders that can be read. A mount that hangs is not there, and holds up nothing.

Not there yet: mount points and sentinel files, whether a root can be written, how much room it has.
"""

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from ffmesh_agent.shell.hanging import Look
from ffmesh_protocol.messages.capability import RootState

ANSWER_SECONDS: Final = 1.0


class Roots:
    def __init__(self, places: Mapping[str, str]) -> None:
        self._looks = {name: Look(f"look at {name}", partial(_is_there, Path(place))) for name, place in places.items()}

    async def states(self) -> dict[str, RootState]:
        answers = await asyncio.gather(*(look.answer(ANSWER_SECONDS) for look in self._looks.values()))
        return {name: RootState(mounted=bool(answer)) for name, answer in zip(self._looks, answers, strict=True)}


def _is_there(place: Path) -> bool:
    try:
        return place.is_dir() and os.access(place, os.R_OK | os.X_OK)
    except OSError:  # a mount whose server or whose own process is gone
        return False

"""Which roots of a mesh are not there now, in sentences. No reason not to start: a disk may be plugged in later.

A mount whose server is gone holds on to whoever asks. Each look has a thread of its own, and none is waited for long.
"""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ffmesh_client.supervisor.options import Options

ANSWER_SECONDS: Final = 1.0
"""For all looks together; as long as an agent gives a root."""


def absent_roots(options: Options) -> list[str]:
    """Of those that client and agents of this start are to have."""
    places = dict(options.roots)
    for agent in options.agent_names:
        places |= {f"{agent}:{name}": path for name, path in options.agent_roots.get(agent, {}).items()}
    return [
        f"root {name}: {places[name]} {wrong}; until that is mended, no job there can use it"
        for name, wrong in wrong_folders(places).items()
    ]


def wrong_folders(places: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with which of them."""
    looks = {name: _Look(Path(path)) for name, path in places.items()}
    until = time.monotonic() + ANSWER_SECONDS
    return {name: wrong for name, look in looks.items() if (wrong := look.answer(until))}


class _Look:
    """At one folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wrong = "does not answer"
        self._thread = threading.Thread(target=self._look, name=f"look at {path}", daemon=True)
        self._thread.start()

    def answer(self, until: float) -> str:
        """What is wrong with it, if something is."""
        self._thread.join(max(0.0, until - time.monotonic()))
        return self._wrong

    def _look(self) -> None:
        try:
            self._wrong = _wrong_with(self._path)
        except OSError as error:
            self._wrong = f"cannot be looked at ({error.strerror})"


def _wrong_with(path: Path) -> str:
    if not path.exists():
        return "is not there"
    if not path.is_dir() or not os.access(path, os.R_OK | os.X_OK):
        return "is no folder that can be read"
    return ""

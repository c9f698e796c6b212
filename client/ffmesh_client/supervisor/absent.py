"""Which roots of a mesh are not there now, in sentences. No reason not to start: a disk may be plugged in later.

A mount whose server is gone holds on to whoever asks. Each look has a thread of its own, and none is waited for long.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from ffmesh_client.supervisor.options import Options

ANSWER_SECONDS: Final = 1.0
"""For all looks together; as long as an agent gives a root."""

NONCE_FILE: Final = ".ffmesh-storage"
_LONGEST: Final = 128


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
    answers = _answers(places, _wrong_with, "does not answer")
    return {name: wrong for name, wrong in answers.items() if wrong}


def nonces_seen(places: Mapping[str, str]) -> dict[str, str]:
    """By which two machines know that they see the same storage, where an agent keeps one in it (`storage = true`)."""
    answers = _answers(places, _nonce_in, "")
    return {name: nonce for name, nonce in answers.items() if nonce}


def _answers(places: Mapping[str, str], look: Callable[[Path], str], otherwise: str) -> dict[str, str]:
    looks = {name: _Look(Path(path), look, otherwise) for name, path in places.items()}
    until = time.monotonic() + ANSWER_SECONDS
    return {name: each.answer(until) for name, each in looks.items()}


class _Look:
    """At one folder."""

    def __init__(self, path: Path, look: Callable[[Path], str], otherwise: str) -> None:
        self._path = path
        self._look_at = look
        self._answer = otherwise
        self._thread = threading.Thread(target=self._look, name=f"look at {path}", daemon=True)
        self._thread.start()

    def answer(self, until: float) -> str:
        self._thread.join(max(0.0, until - time.monotonic()))
        return self._answer

    def _look(self) -> None:
        try:
            self._answer = self._look_at(self._path)
        except OSError as error:
            self._answer = f"cannot be looked at ({error.strerror})"


def _wrong_with(path: Path) -> str:
    if not path.exists():
        return "is not there"
    if not path.is_dir() or not os.access(path, os.R_OK | os.X_OK):
        return "is no folder that can be read"
    return ""


def _nonce_in(path: Path) -> str:
    try:
        with (path / NONCE_FILE).open("rb") as file:
            return file.read(_LONGEST).decode("ascii", "replace").strip()
    except OSError:
        return ""

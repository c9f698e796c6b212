"""The wardens of earlier lives, on disk, and the end of all that they started.

An agent and its warden that are killed at once leave what has left its program's session, and may leave a warden that
was frozen. Every program carries the name of its warden: what carries one of those in this file is killed before a new
life says a word. What has wiped its environment, or belongs to another user, is not found.

The names of another boot, and those in a copy of the home, are nobody's that could be meant, and are left alone.
"""

import logging
from pathlib import Path
from typing import Final

from ffmesh_agent.shell.durable import synced_folder, written_whole
from ffmesh_protocol import codec, times
from ffmesh_protocol.errors import MalformedMessage
from ffmesh_protocol.wire import Told
from ffmesh_warden import strays
from ffmesh_warden.handle import Warden

SAID_AFTER_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = times.LEASE
"""For what the kernel cannot end now, because it waits for a dead disk or mount. After it no earlier lease is left."""

log = logging.getLogger(__name__)


class EarlierWarden(Told, frozen=True):
    name: str
    pid: int
    started: str | None


class _Remembered(Told, frozen=True):
    spool: str
    boot: str
    wardens: tuple[EarlierWarden, ...]


class Wardens:
    def __init__(self, file: Path, spool: str, boot: str) -> None:
        self._file = file
        self._spool = spool
        self._boot = boot
        self._left: tuple[EarlierWarden, ...] = ()

    def end_all(self) -> None:
        """Returns when nothing of an earlier life runs. Before there is a loop."""
        self._left = tuple(warden for warden in self._earlier() if not _is_ended(warden))

    def remember(self, warden: Warden) -> None:
        """On disk when this returns: before the warden starts anything."""
        ours = EarlierWarden(name=warden.name, pid=warden.pid, started=strays.started_at(warden.pid))
        remembered = _Remembered(spool=self._spool, boot=self._boot, wardens=(*self._left, ours))
        written_whole(self._file, codec.encode(remembered))
        synced_folder(self._file.parent)

    def _earlier(self) -> tuple[EarlierWarden, ...]:
        try:
            found = codec.decode(_Remembered, self._file.read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, MalformedMessage) as error:
            log.warning(
                "%s cannot be read (%s): what an earlier life may have left is not looked for", self._file, error
            )
            return ()
        return found.wardens if (found.spool, found.boot) == (self._spool, self._boot) else ()


def _is_ended(warden: EarlierWarden) -> bool:
    if warden.started is not None:
        strays.end_process(warden.pid, warden.started)
    left = strays.end_marked(warden.name, SAID_AFTER_SECONDS)
    if left:
        log.warning("waiting for what an earlier life left and the kernel cannot end yet: processes %s", _listed(left))
        left = strays.end_marked(warden.name, PATIENCE_SECONDS)
    if left:
        log.error("processes %s of an earlier life cannot be ended; starting all the same", _listed(left))
    return not left


def _listed(pids: set[int]) -> str:
    return ", ".join(map(str, sorted(pids)))

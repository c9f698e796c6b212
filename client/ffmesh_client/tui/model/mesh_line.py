"""The whole mesh in one line."""

from typing import Final

from ffmesh_protocol.messages.presence import CoordinatorState
from ffmesh_protocol.times import SUMMARY_AT_LEAST
from ffmesh_protocol.wire import Told

SILENT: Final = SUMMARY_AT_LEAST * 4
"""A coordinator that has not counted for so long is not at work, whatever its status says."""


class MeshLine(Told, frozen=True):
    """`succeeded`, `failed`, `cancelled`: since the coordinator's start, which is as far back as it counts."""

    broker_away_since: float | None
    """In seconds of Unix; None: it is there."""
    coordinator: CoordinatorState | None
    """None: nothing was heard of one."""
    is_silent: bool
    running: int
    queued: int
    succeeded: int
    failed: int
    cancelled: int
    fps: float
    agents_online: int
    agents_known: int
    slots_used: int
    slots_total: int
    dropped: int
    """Messages of this watcher's broker that nobody could read."""

    @property
    def is_alive(self) -> bool:
        """Somebody decides now which agent runs what."""
        online = self.coordinator not in (None, CoordinatorState.OFFLINE)
        return self.broker_away_since is None and online and not self.is_silent

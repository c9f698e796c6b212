"""How long each attempt may go on without a word of the coordinator.

A lease counts from when we *sent* what the coordinator answered, so that our end of it is always before the
coordinator's. Clocks need equal speed for that, not equal time. While the broker answers and tells that the coordinator
is offline, leases stand still: nobody is there who could give the jobs to others.
"""

from collections import OrderedDict
from typing import Final

from ffmesh_agent.core.attempt import About, Attempt
from ffmesh_agent.core.desk import Desk
from ffmesh_protocol import times
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.presence import CoordinatorState, CoordinatorStatus

REMEMBERED: Final = 512
"""Beats whose answer is awaited: a minute of them, as close together as they come. An answer to an older one renews
nothing: a later one will."""


class Leases:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._beat = 0
        self._beats: OrderedDict[int, float] = OrderedDict()
        self._heartbeat = 0
        self._heartbeats: OrderedDict[int, float] = OrderedDict()
        self._online: CoordinatorStatus | None = None
        self._away_since: float | None = None

    # --- beats --------------------------------------------------------------------------------------------------------

    def next_beat(self) -> int:
        """Of a `holding` or `hello` that is sent now."""
        self._beat += 1
        _remember(self._beats, self._beat, self._desk.now)
        return self._beat

    def next_heartbeat(self) -> int:
        self._heartbeat += 1
        _remember(self._heartbeats, self._heartbeat, self._desk.now)
        return self._heartbeat

    # --- renewal ------------------------------------------------------------------------------------------------------

    def begun(self, attempt: Attempt) -> None:
        """With the grant, which answers our claim. What was never claimed has no time until a `leased` names it."""
        if attempt.claimed_at is not None:
            self._extend(attempt, attempt.claimed_at + length(attempt.kind))

    def renewed(self, attempt: Attempt, beat: int) -> bool:
        """The coordinator answered this beat. Whether the lease is longer for it."""
        sent_at = self._beats.get(beat)
        return sent_at is not None and self._extend(attempt, sent_at + length(attempt.kind))

    def _extend(self, attempt: Attempt, until: float) -> bool:
        if until <= attempt.lease_until:
            return False
        attempt.lease_until = until
        self._desk.deadlines.set(About.LEASE, attempt.id, until - times.LEASE_STOP)
        return True

    # --- the coordinator is away --------------------------------------------------------------------------------------

    def connected(self) -> None:
        """What was true before the cut may have changed twice since. Only an `offline` heard from now on counts."""
        self._away_since = None
        self._heartbeats.clear()

    def coordinator_seen(self, status: CoordinatorStatus) -> None:
        """Offline counts of the life and connection that was last online, and after a grace: a reconnect's will comes
        just before its birth."""
        if status.state is not CoordinatorState.OFFLINE:
            self._online = status
            self._away_since = None
            return
        known = self._online
        is_stale = known is not None and (known.life != status.life or status.connection < known.connection)
        if not is_stale and self._away_since is None:
            self._away_since = self._desk.now + times.WILL_GRACE

    def heartbeat_returned(self, beat: int) -> float:
        """How many seconds the leases have stood still since the last time that this was asked."""
        sent_at = self._heartbeats.get(beat)
        if sent_at is None or self._away_since is None or sent_at <= self._away_since:
            return 0.0
        # When it was sent the broker still had `offline`: had it had `online` by then, we would have read that before.
        stood = sent_at - self._away_since
        self._away_since = sent_at
        return stood

    def put_off(self, attempt: Attempt, seconds: float) -> bool:
        """The lease stood still for so long; one that is over stays over. Whether it is longer for it."""
        return attempt.lease_until > self._desk.now and self._extend(attempt, attempt.lease_until + seconds)


def length(kind: JobKind) -> float:
    return times.LEASE_INTERACTIVE if kind is JobKind.INTERACTIVE else times.LEASE


def has_time_to_start(attempt: Attempt, now: float) -> bool:
    return now < attempt.lease_until - times.LEASE_STOP


def last_moment(attempt: Attempt) -> float:
    """After it no program of the attempt runs and no rename is begun."""
    return attempt.lease_until - times.LEASE_KILL


def _remember(beats: OrderedDict[int, float], beat: int, now: float) -> None:
    beats[beat] = now
    if len(beats) > REMEMBERED:
        beats.popitem(last=False)

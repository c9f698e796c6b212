"""An attempt, as the agent that was offered it holds it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ffmesh_protocol.messages.jobs import JobKind, Progress
from ffmesh_protocol.messages.orders import Grant, Offer
from ffmesh_protocol.messages.reports import Held, HeldPhase, Result
from ffmesh_protocol.reasons import Stopped

NOTHING_KNOWN: Final = Progress()

TAKES_SLOT: Final = frozenset({HeldPhase.RESERVED, HeldPhase.GRANTED, HeldPhase.RUNNING})


class About(StrEnum):
    """What the agent's deadlines are about; beside each stands the attempt, or nothing."""

    BEAT = "holding and hello"
    RESERVATION = "claimed attempt without a grant"
    FIRST_CREDIT = "granted attempt whose client is not there yet"
    TIMEOUT = "program's allowed time"
    LEASE = "lease that nears its end"
    TERMINATE = "program that was told to stop by a key"
    KILL = "program that was told to stop by a signal"
    CLIENT_WILL = "will of an attempt's client"
    CLIENT_SILENCE = "silence of an attempt's client"
    STATUS = "what we have said of ourselves, and another has overwritten"
    LEAVE = "patience of a shutdown"


@dataclass
class Attempt:
    """Owned by the core. `launched`: the shell was asked to start the program; what it says of it is still to come.

    `lease_until` is the moment at which the coordinator may give the job to another. A granted one starts as
    soon as its client is here and its lease has time. `signals_passed`: how many of its caller's its program has had.
    `renaming`: the shell was asked to put the output in place, by `tried_until` at the latest. `paused`: why it stands
    still; `time_left` is then what is left of its allowed time.
    """

    id: str
    job: str
    slot: str
    phase: HeldPhase = HeldPhase.RESERVED
    kind: JobKind = JobKind.DIRECT
    grant: Grant | None = None
    claimed_at: float | None = None
    lease_until: float = float("-inf")
    client_is_here: bool = True
    launched: bool = False
    reads_keys: bool = False
    signals_passed: int = 0
    renaming: bool = False
    tried_until: float = float("-inf")
    stopping: Stopped | None = None
    why_stopping: str | None = None
    result: Result | None = None
    kept: bool = False
    progress: Progress = NOTHING_KNOWN
    paused: str | None = None
    time_left: float | None = None

    @classmethod
    def reserved(cls, offer: Offer) -> "Attempt":
        return cls(id=offer.attempt, job=offer.job, slot=offer.needs.slot, kind=offer.kind)

    @property
    def takes_slot(self) -> bool:
        return self.phase in TAKES_SLOT

    @property
    def has_program(self) -> bool:
        """One runs, or may. While its output is sealed it has ended."""
        return self.launched and self.result is None and self.phase in (HeldPhase.GRANTED, HeldPhase.RUNNING)

    def held(self) -> Held:
        return Held(attempt=self.id, job=self.job, phase=self.phase, slot=self.slot or "cpu", paused=self.paused)

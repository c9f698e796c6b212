"""A job and its attempts, as the core holds them and the disk keeps them."""

from ffmesh_coordinator.core.lifecycle import ENDED, FIRST, HELD, Phase
from ffmesh_coordinator.core.packed import PackedSubmit
from ffmesh_protocol.messages.jobs import AttemptState, JobKind, JobSummary, Progress
from ffmesh_protocol.messages.reports import FailureKind, StreamLengths
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.wire import Told


class Owner(Told, frozen=True, gc=False):
    """Who submitted a job, and which of its lives; an interactive job is stopped when that life ends."""

    client: str
    life: str


class Attempt(Told, frozen=True, gc=False):
    """One granted try of a job on one life of one agent. Times are UTC seconds, for people.

    `boot` and `spool` are what that life said of its machine: the next life's hello is believed to have swept away what
    this one ran only if it says the same.
    """

    id: str
    number: int
    agent: str
    agent_life: str
    state: AttemptState
    granted_at: float
    boot: str = ""
    spool: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    failure: FailureKind | None = None
    handed_back: bool = False
    """By its agent, whose machine was wanted for something else: that is no try."""


class Job(Told, frozen=True, gc=False):
    """What was asked for never changes; the rest does. `sequence` is the order of acceptance.

    `tried_before` counts the attempts before a person last said `retry`; they do not count against `max_attempts`.
    `paused`: why its agent lets it stand still.
    """

    asked: PackedSubmit
    owner: Owner
    sequence: int
    created_at: float
    workflow: str | None = None
    phase: Phase = FIRST
    cancel: Stopped | None = None
    attempts: tuple[Attempt, ...] = ()
    tried_before: int = 0
    placement: str | None = None
    progress: Progress = Progress()
    paused: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    reason: str | None = None
    reason_code: ReasonCode | None = None
    permanent: bool = False
    lengths: StreamLengths | None = None
    summary: JobSummary | None = None
    ended_at: float | None = None

    @property
    def id(self) -> str:
        return self.asked.job

    @property
    def kind(self) -> JobKind:
        return self.asked.kind

    @property
    def is_interactive(self) -> bool:
        return self.asked.kind is JobKind.INTERACTIVE

    @property
    def has_ended(self) -> bool:
        return self.phase in ENDED

    @property
    def stands_still(self) -> bool:
        return self.paused is not None and self.phase in (Phase.GRANTED, Phase.RUNNING)

    @property
    def attempt(self) -> Attempt | None:
        """The one that holds the grant."""
        return self.attempts[-1] if self.phase in HELD else None

    @property
    def tries(self) -> tuple[Attempt, ...]:
        """Those that count against `max_attempts`."""
        return tuple(each for each in self.attempts[self.tried_before :] if not each.handed_back)

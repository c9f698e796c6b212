"""Jobs as people and scripts see them: in the CLI's JSON and on the retained topics alike."""

from enum import StrEnum
from typing import Annotated

import msgspec

from ffmesh_protocol.limits import (
    EXIT_CODE_MAX,
    LABEL_CHARS,
    LABELS,
    LAST_LINES,
    NAME_CHARS,
    OUTPUTS,
    PATH_CHARS,
    SIGNAL_MAX,
)
from ffmesh_protocol.media import Needs
from ffmesh_protocol.names import Name, Ulid
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.wire import Natural, Seconds, Told

Label = Annotated[str, msgspec.Meta(max_length=LABEL_CHARS)]
Labels = Annotated[dict[Label, Label], msgspec.Meta(max_length=LABELS)]
Priority = Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]
ExitCode = Annotated[int, msgspec.Meta(ge=0, le=EXIT_CODE_MAX)]
Signal = Annotated[int, msgspec.Meta(ge=1, le=SIGNAL_MAX)]


class JobKind(StrEnum):
    """What a job's loss means. A client waits for an interactive one; a direct one writes to its outputs itself; what a
    staged one writes takes its place only when it is whole, and by permission."""

    INTERACTIVE = "interactive"
    DIRECT = "direct"
    STAGED = "staged"


class JobState(StrEnum):
    """As people see it: `waiting` is for other jobs, `queued` for an agent. A commit is shown as `running`."""

    WAITING = "waiting"
    QUEUED = "queued"
    OFFERED = "offered"
    GRANTED = "granted"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        return self in ENDS


ENDS = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class AttemptState(StrEnum):
    GRANTED = "granted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


class Progress(Told, frozen=True):
    """How far a program is, each as far as it is known."""

    percent: float | None = None
    frame: Natural | None = None
    fps: float | None = None
    speed: float | None = None
    out_time_s: float | None = None
    bitrate_kbps: float | None = None
    eta_s: float | None = None


class AttemptView(Told, frozen=True):
    number: Natural
    agent: Name
    state: AttemptState
    started_at: str | None
    ended_at: str | None
    exit_code: ExitCode | None
    signal: Signal | None
    reason: str | None


LastLine = Annotated[str, msgspec.Meta(max_length=LABEL_CHARS)]
LastLines = Annotated[tuple[LastLine, ...], msgspec.Meta(max_length=LAST_LINES)]


class Written(Told, frozen=True):
    """An output as it was when its program had ended: a file, or a folder with all that is in it."""

    path: Annotated[str, msgspec.Meta(max_length=PATH_CHARS + NAME_CHARS)]
    """`$Root/relative`."""
    bytes: Natural


WrittenOutputs = Annotated[tuple[Written, ...], msgspec.Meta(max_length=OUTPUTS)]


class JobSummary(Told, frozen=True):
    """What is left of a job at its end. `seconds`: how long the program of its last attempt ran; null: none is known
    to have ended."""

    seconds: Seconds | None = None
    outputs: WrittenOutputs = ()
    """Of one that succeeded: those that are known, with their sizes."""
    last_lines: LastLines = ()
    """Of the standard error of one that failed."""


class PublicJob(Told, frozen=True):
    """A job as everybody who may log in sees it: no argument, no path, no owner."""

    id: Ulid
    state: JobState
    kind: JobKind
    attached: bool
    title: str | None
    program: str
    agent: Name | None
    priority: Priority
    after: tuple[Ulid, ...]
    workflow: Ulid | None
    needs: Needs
    exit_code: ExitCode | None
    signal: Signal | None
    reason: str | None
    reason_code: ReasonCode | None
    permanent: bool
    progress: Progress
    placement: str | None
    attempts: tuple[AttemptView, ...]
    created_at: str
    started_at: str | None
    ended_at: str | None
    paused: bool = False
    """It stands still on its agent, and goes on later."""


class JobView(PublicJob, frozen=True, kw_only=True):
    """A job as `ffmesh job ID --json` shows it."""

    args: tuple[str, ...]
    outputs: tuple[str, ...] | None
    labels: Labels
    owner: Name
    summary: JobSummary | None = None
    """Null while it is open, and from a coordinator that does not know this key."""


class JobEvent(Told, frozen=True):
    """For automations: something happened to a job, or to an agent."""

    event_type: str
    job: Ulid | None
    workflow: Ulid | None
    title: str | None
    agent: Name | None
    reason: str | None


class RefusedCounts(Told, frozen=True):
    """What the coordinator did not act on, since its start."""

    malformed: Natural = 0
    forged: Natural = 0
    repeated: Natural = 0
    other_life: Natural = 0
    oversized: Natural = 0
    not_allowed: Natural = 0


class Summary(Told, frozen=True):
    """Counts and rates for dashboards."""

    life: Ulid
    agents_online: Natural
    agents_known: Natural
    slots_total: Natural
    slots_used: Natural
    jobs: dict[str, Natural]
    jobs_ended: dict[str, Natural]
    submitted_per_minute: Natural
    ended_per_minute: Natural
    refused: RefusedCounts

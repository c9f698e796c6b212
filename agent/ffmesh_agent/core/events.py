"""What the agent's core is told: facts, in the past tense, that the shell reads off network, clock and programs."""

from typing import TypeAlias

from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Load
from ffmesh_protocol.messages.jobs import Progress, Written
from ffmesh_protocol.messages.manners import Condition
from ffmesh_protocol.messages.orders import (
    Cancels,
    Commit,
    Drain,
    Grants,
    Leased,
    Offers,
    Resend,
    Settled,
    Superseded,
    TailWanted,
    Welcome,
    Withdrawn,
)
from ffmesh_protocol.messages.presence import AgentStatus, ClientStatus, CoordinatorStatus
from ffmesh_protocol.messages.reports import FailureKind, LogLine, Result, StreamLengths
from ffmesh_protocol.messages.requests import CallerSignals, StreamCredit
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.streams import Chunk
from ffmesh_protocol.wire import Told


class StagedOutput(Told, frozen=True):
    """What an earlier life left aside, whole and on disk. `committed`: that life had put it in place."""

    result: Result
    committed: bool


class Restored(Told, frozen=True):
    """The first event: what earlier lives left unsettled. Their programs have ended, their half outputs are gone."""

    results: tuple[Result, ...]
    staged: tuple[StagedOutput, ...] = ()


class Connected(Told, frozen=True):
    """To the broker, which may have lost everything that it retained."""

    connection: int


class Disconnected(Told, frozen=True):
    """From the broker."""


class ConnectFailed(Told, frozen=True):
    """A connection was lost, or none came about. `refused`: the broker is there, and does not know our login."""

    refused: bool


class Thawed(Told, frozen=True):
    """We did nothing for a while: frozen, or asleep with the machine. Silence then counts for nothing."""


class Woken(Told, frozen=True):
    """The moment has come that a `WakeAt` asked for, or a little later."""


class HeartbeatReturned(Told, frozen=True):
    """Our own heartbeat came back: the broker answers, or did when we sent this one."""

    beat: int


class CoordinatorSeen(Told, frozen=True):
    status: CoordinatorStatus


class OwnStatusSeen(Told, frozen=True):
    """What the broker retains as our status; null: nothing."""

    status: AgentStatus | None


class OwnAdvertSeen(Told, frozen=True):
    """The broker has an advert, or lists, under our name, which that life has written."""

    life: str


class ClientStatusSeen(Told, frozen=True):
    client: str
    status: ClientStatus


CoordinatorWord: TypeAlias = (
    Welcome
    | Offers
    | Grants
    | Withdrawn
    | Leased
    | Cancels
    | Commit
    | Settled
    | Resend
    | Drain
    | TailWanted
    | Superseded
    | Retired
)


class CoordinatorSpoke(Told, frozen=True):
    """A genuine message of the coordinator's life that we greeted."""

    life: str
    number: int
    word: CoordinatorWord


class CreditCame(Told, frozen=True):
    """A genuine message of the client of an interactive attempt."""

    credit: StreamCredit


class SignalsCame(Told, frozen=True):
    """As `CreditCame`."""

    signals: CallerSignals


class InputCame(Told, frozen=True):
    """As `CreditCame`: a piece of its standard input, which goes to the program. Nothing is to be decided."""

    chunk: Chunk


class RootsLookedAt(Told, frozen=True):
    """Those that an offered attempt needs; what was seen has been told before."""

    attempt: str


class ProgramStarted(Told, frozen=True):
    """`reads_keys`: `q` on its standard input asks it to end."""

    attempt: str
    reads_keys: bool = False


class ProgramNotStarted(Told, frozen=True):
    attempt: str
    reason_code: ReasonCode
    sentence: str
    failure: FailureKind


class ProgramEnded(Told, frozen=True):
    """And both its streams have been read to their ends, which `lengths` says.

    `outputs` are those that can be told already, `last_lines` of standard error.
    `by_deadline`: the warden killed it, because we did not stop it in time. `failure` is what its last words say of one
    that failed, or, with a `reason`, what was found out about the machine.
    """

    attempt: str
    exit_code: int | None
    signal: int | None
    seconds: float
    lengths: StreamLengths
    by_deadline: bool = False
    failure: FailureKind | None = None
    reason: str | None = None
    half_written: bool = False
    outputs: tuple[Written, ...] = ()
    last_lines: tuple[str, ...] = ()


class OutputSealed(Told, frozen=True):
    """What the program wrote aside is whole, and on disk together with the result that it will have."""

    attempt: str
    outputs: tuple[Written, ...] = ()


class OutputNotSealed(Told, frozen=True):
    """The program ended well, and what it was to write is not there, or cannot be kept."""

    attempt: str
    sentence: str
    failure: FailureKind


class OutputCommitted(Told, frozen=True):
    """It has taken its place, on disk."""

    attempt: str


class OutputNotCommitted(Told, frozen=True):
    """It could not take its place. `too_late`: there was not time enough; what was begun has been undone, or will be
    gone on with when there is."""

    attempt: str
    sentence: str
    failure: FailureKind
    too_late: bool = False


class ResultKept(Told, frozen=True):
    """The result is in the spool, on disk."""

    attempt: str


class ProgressRead(Told, frozen=True):
    attempt: str
    progress: Progress


class TailRead(Told, frozen=True):
    """The answer to `ReadTail`; null: nothing is kept of that attempt. `more`: the newest did not fit."""

    attempt: str
    request: str
    lines: tuple[LogLine, ...] | None
    more: bool = False


class CapabilitySeen(Told, frozen=True):
    """What this machine can do now, perhaps the same as before."""

    advert: Advert
    programs: AdvertPrograms | None


class LoadSampled(Told, frozen=True):
    load: Load


class ConditionsSeen(Told, frozen=True):
    """All that the configuration names, as they are now. Said at the start, and whenever one has changed."""

    conditions: tuple[Condition, ...]


class DrainAsked(Told, frozen=True):
    """By whoever keeps this process: finish what is here, take no more, and leave."""


class StopAsked(Told, frozen=True):
    """By the operator or by the end of `up`: stop what runs, say so, and leave."""


Event: TypeAlias = (
    Restored
    | Connected
    | Disconnected
    | ConnectFailed
    | Thawed
    | Woken
    | CoordinatorSeen
    | HeartbeatReturned
    | OwnStatusSeen
    | OwnAdvertSeen
    | ClientStatusSeen
    | CoordinatorSpoke
    | CreditCame
    | SignalsCame
    | InputCame
    | RootsLookedAt
    | ProgramStarted
    | ProgramNotStarted
    | ProgramEnded
    | OutputSealed
    | OutputNotSealed
    | OutputCommitted
    | OutputNotCommitted
    | ResultKept
    | ProgressRead
    | TailRead
    | CapabilitySeen
    | LoadSampled
    | ConditionsSeen
    | DrainAsked
    | StopAsked
)

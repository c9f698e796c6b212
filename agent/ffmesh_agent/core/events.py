"""What the agent's core is told: facts, in the past tense, that the shell reads off network, clock and programs."""

from typing import TypeAlias

from ffmesh_protocol.messages.answers import Retired
from ffmesh_protocol.messages.capability import Advert, AdvertPrograms, Load
from ffmesh_protocol.messages.jobs import Progress
from ffmesh_protocol.messages.orders import (
    Cancels,
    Drain,
    Grants,
    Offers,
    Resend,
    Settled,
    TailWanted,
    Welcome,
    Withdrawn,
)
from ffmesh_protocol.messages.presence import AgentStatus, ClientStatus, CoordinatorStatus
from ffmesh_protocol.messages.reports import LogLine, Result, StreamLengths
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.wire import Told


class Restored(Told, frozen=True):
    """The first event: results of earlier lives that were never settled."""

    results: tuple[Result, ...]


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


class CoordinatorSeen(Told, frozen=True):
    status: CoordinatorStatus


class OwnStatusSeen(Told, frozen=True):
    """What the broker retains as our status; null: nothing."""

    status: AgentStatus | None


class ClientStatusSeen(Told, frozen=True):
    client: str
    status: ClientStatus


CoordinatorWord: TypeAlias = (
    Welcome | Offers | Grants | Withdrawn | Cancels | Settled | Resend | Drain | TailWanted | Retired
)


class CoordinatorSpoke(Told, frozen=True):
    """A genuine message of the coordinator's life that we greeted."""

    life: str
    number: int
    word: CoordinatorWord


class CreditCame(Told, frozen=True):
    """A genuine message of the client of an interactive attempt."""

    credit: StreamCredit


class ProgramStarted(Told, frozen=True):
    attempt: str


class ProgramNotStarted(Told, frozen=True):
    attempt: str
    reason_code: ReasonCode
    sentence: str


class ProgramEnded(Told, frozen=True):
    """And both its streams have been read to their ends, which `lengths` says."""

    attempt: str
    exit_code: int | None
    signal: int | None
    seconds: float
    lengths: StreamLengths


class ResultKept(Told, frozen=True):
    """The result is in the spool, on disk."""

    attempt: str


class ProgressRead(Told, frozen=True):
    attempt: str
    progress: Progress


class TailRead(Told, frozen=True):
    """The answer to `ReadTail`; null: nothing is kept of that attempt."""

    attempt: str
    request: str
    lines: tuple[LogLine, ...] | None


class CapabilitySeen(Told, frozen=True):
    """What this machine can do now, perhaps the same as before."""

    advert: Advert
    programs: AdvertPrograms | None


class LoadSampled(Told, frozen=True):
    load: Load


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
    | OwnStatusSeen
    | ClientStatusSeen
    | CoordinatorSpoke
    | CreditCame
    | ProgramStarted
    | ProgramNotStarted
    | ProgramEnded
    | ResultKept
    | ProgressRead
    | TailRead
    | CapabilitySeen
    | LoadSampled
    | StopAsked
)

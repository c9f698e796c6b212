"""What the client's cores are told: facts, in the past tense. The shell reads them off the network, clock and pipes."""

from typing import TypeAlias

from ffmesh_protocol.messages.answers import Answer, Assigned, Attended, Ended, Retired
from ffmesh_protocol.messages.jobs import Progress, PublicJob
from ffmesh_protocol.messages.presence import ClientStatus, CoordinatorStatus
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.streams import Chunk
from ffmesh_protocol.wire import Directed, Told


class Connected(Told, frozen=True):
    """To the broker, which may have lost everything that it retained; our presence is published."""


class Disconnected(Told, frozen=True):
    """From the broker."""


class Reborn(Told, frozen=True):
    """The coordinator had retired our life, and we took a new one. What was on its way to the old one is lost."""


class Woken(Told, frozen=True):
    """The moment has come that a `WakeAt` asked for, or a little later."""


class CoordinatorSeen(Told, frozen=True):
    """Its status, of a life that is not retired; an offline one only of the life that we know."""

    status: CoordinatorStatus


class OwnStatusSeen(Told, frozen=True):
    status: ClientStatus


class Answered(Told, frozen=True):
    """A genuine answer to a request."""

    correlation: bytes
    answer: Answer


CoordinatorWord: TypeAlias = Attended | Assigned | Ended | Retired


class CoordinatorSpoke(Told, frozen=True):
    """A genuine message of the coordinator's life that we know. Of two the one with the higher number is newer."""

    life: str
    number: int
    word: CoordinatorWord


class ChunkCame(Told, frozen=True):
    """A genuine chunk of the attempt whose streams are open."""

    stream: str
    chunk: Chunk


class CreditCame(Told, frozen=True):
    """A genuine word of the agent about what its program reads."""

    credit: StreamCredit


class JobSeen(Told, frozen=True):
    """The public state of a job; null: it is retained no longer."""

    job: str
    view: PublicJob | None


class ProgressSeen(Told, frozen=True):
    agent: str
    job: str
    progress: Progress


class Asked(Told, frozen=True):
    """Somebody wants the answer to this request; without `patience` for as long as it takes."""

    correlation: bytes
    request: Directed
    patience: float | None


class Forgotten(Told, frozen=True):
    """Nobody waits for this answer any more."""

    correlation: bytes


class Written(Told, frozen=True):
    """Our own reader has taken so many bytes of a stream."""

    stream: str
    count: int


class ReaderGone(Told, frozen=True):
    """Nobody takes the stream any more: its pipe was closed, or it failed as the sentence says."""

    stream: str
    sentence: str | None


class InputRead(Told, frozen=True):
    """What `ReadInput` asked for, or less; nothing: standard input is at its end."""

    content: bytes


class Signalled(Told, frozen=True):
    """Somebody wants the program to end, or all of us to pause."""

    signal: int


class Withdrawn(Told, frozen=True):
    """Whoever waits has another way, and goes it as soon as no agent has the job."""


class Resumed(Told, frozen=True):
    """We were stopped, as `Suspend` asked or by somebody else, and go on."""


Heard: TypeAlias = (
    CoordinatorSeen | OwnStatusSeen | Answered | CoordinatorSpoke | ChunkCame | CreditCame | JobSeen | ProgressSeen
)
"""What can come out of a packet."""

Event: TypeAlias = (
    Connected
    | Disconnected
    | Reborn
    | Woken
    | Heard
    | Asked
    | Forgotten
    | Written
    | ReaderGone
    | InputRead
    | Signalled
    | Withdrawn
    | Resumed
)

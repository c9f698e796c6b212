"""What the client's cores ask for: orders, carried out by the shell."""

from enum import StrEnum
from typing import TypeAlias

from ffmesh_protocol.messages.answers import Answer, Assignment
from ffmesh_protocol.messages.requests import Attending, CallerSignals, StreamCredit
from ffmesh_protocol.streams import Chunk
from ffmesh_protocol.wire import Directed, Told


class Missing(StrEnum):
    """What was not there while a request waited for its answer."""

    BROKER = "broker"
    COORDINATOR = "coordinator"
    ANSWER = "answer"


class Tell(Told, frozen=True):
    """A signed message to the coordinator's life that we know; with `correlation` an answer is awaited."""

    message: Directed
    correlation: bytes | None = None


class OpenStreams(Told, frozen=True):
    """Take chunks of this attempt, and of no other."""

    job: str
    assignment: Assignment


class TellAgent(Told, frozen=True):
    """A message to the agent of the attempt whose streams are open, signed with its stream key."""

    credit: StreamCredit


class SignalAgent(Told, frozen=True):
    """As `TellAgent`."""

    signals: CallerSignals


class Feed(Told, frozen=True):
    """A piece of our standard input, to the agent of the attempt whose streams are open."""

    chunk: Chunk


class ReadInput(Told, frozen=True):
    """Read what there is of standard input, so many bytes at most, and say `InputRead`; wait until there is something.

    Not one more may be taken: it could be meant for whoever reads there next.
    """

    at_most: int


class StopInput(Told, frozen=True):
    """Leave standard input alone from now on, also what was asked for."""


class Suspend(Told, frozen=True):
    """Stop this process, as SIGTSTP does, and say `Resumed` when it goes on. Meanwhile these are said again and again,
    by somebody else: without them our program would be stopped for good."""

    attending: Attending
    credit: StreamCredit | None


class Write(Told, frozen=True):
    """Hand these bytes to the reader of the stream and say `Written` or `ReaderGone`."""

    stream: str
    content: bytes


class Deliver(Told, frozen=True):
    """The answer that somebody waits for."""

    correlation: bytes
    answer: Answer


class GiveUp(Told, frozen=True):
    """No answer came in time. `correlation` says to which request."""

    correlation: bytes
    missing: Missing


class Finish(Told, frozen=True):
    """Say farewell and end with this code; a sentence, if there is one, goes to standard error.

    `never_started`: every agent that had the job says that it started nothing. `signal` ended the program, if one did.
    """

    exit_code: int
    sentence: str | None = None
    never_started: bool = False
    signal: int | None = None


class Remark(Told, frozen=True):
    """Tell the person who waits, beside what the program says."""

    sentence: str


class WakeAt(Told, frozen=True):
    """Say `Woken` when it is so late. The last one counts; null: there is nothing to wait for."""

    elapsed: float | None


Effect: TypeAlias = (
    Tell
    | OpenStreams
    | TellAgent
    | SignalAgent
    | Feed
    | ReadInput
    | StopInput
    | Suspend
    | Write
    | Deliver
    | GiveUp
    | Finish
    | Remark
    | WakeAt
)

"""What an agent tells the coordinator."""

from enum import StrEnum
from typing import Annotated

import msgspec

from ffmesh_protocol.limits import LIST_ITEMS, SENTENCE_CHARS
from ffmesh_protocol.media import SlotKind
from ffmesh_protocol.messages.jobs import ExitCode, LastLines, Progress, Signal, WrittenOutputs
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.messages.orders import Ulids
from ffmesh_protocol.names import Ulid
from ffmesh_protocol.reasons import ReasonCode, Stopped
from ffmesh_protocol.wire import Directed, Natural, Seconds, Told

Sentence = Annotated[str, msgspec.Meta(max_length=SENTENCE_CHARS)]


class HeldPhase(StrEnum):
    """Where an attempt stands with its agent. `staged`: its output is whole and waits for permission to take its place;
    `committing`: it has the permission."""

    RESERVED = "reserved"
    GRANTED = "granted"
    RUNNING = "running"
    STAGED = "staged"
    COMMITTING = "committing"
    ENDED = "ended"


class Held(Told, frozen=True):
    attempt: Ulid
    job: Ulid
    phase: HeldPhase
    slot: SlotKind = "cpu"
    """Of which kind the slot is that it takes; an ended one takes none."""
    paused: Sentence | None = None
    """Why it stands still until further notice; null: it does not."""


class Holding(Directed, frozen=True):
    """Verb `holding`: everything this life holds, and the highest number of the coordinator's that it has acted on.

    `beat` counts the `holding`s and `hello`s of this life; `leased` names the one that it answers. `draining` and
    `manner` are what it was told last.
    """

    beat: Natural
    heard: Natural
    draining: bool
    held: Annotated[tuple[Held, ...], msgspec.Meta(max_length=LIST_ITEMS)]
    manner: Manner | None = None
    unwilling: Sentence | None = None
    """Why it takes no new work by itself; null: it does, unless it was told otherwise."""


class Hello(Directed, frozen=True):
    """Verb `hello`: a new life of the agent, or an old one that meets a new coordinator. Repeated until `welcome`.

    `boot` is the kernel's boot id, `spool` the id kept in the agent's folder: with them the coordinator tells a restart
    on the same machine, whose sweep has ended what earlier lives ran, from a copy of the machine elsewhere.
    """

    beat: Natural
    boot: Annotated[str, msgspec.Meta(max_length=64)]
    spool: Annotated[str, msgspec.Meta(max_length=64)]
    version: Annotated[str, msgspec.Meta(max_length=64)]
    features: tuple[str, ...]
    heard: Natural
    held: Annotated[tuple[Held, ...], msgspec.Meta(max_length=LIST_ITEMS)]


class Claim(Directed, frozen=True):
    """Verb `claim`: a slot is kept for these; grant them."""

    attempts: Ulids


class DeclineCode(StrEnum):
    BUSY = "busy"
    DRAINING = "draining"
    NOT_LISTED = "not_listed"
    ROOT_MISSING = "root_missing"
    CANNOT = "cannot"


class Declined(Told, frozen=True):
    attempt: Ulid
    code: DeclineCode
    reason: Sentence


class Decline(Directed, frozen=True):
    """Verb `decline`: not these. The agent knows its own machine best."""

    declined: tuple[Declined, ...]


class Started(Directed, frozen=True):
    """Verb `started`: the programs of these run."""

    attempts: Ulids


class MayCommit(Directed, frozen=True):
    """Verb `may-commit`: the outputs of these are whole, on disk and aside; may they take their places?

    Repeated by each `holding` that lists them as `staged`. Answered with `commit`, or with `cancel` when they may not.
    """

    attempts: Ulids


class FailureKind(StrEnum):
    """What may be done about a program that failed."""

    TRANSIENT = "transient"
    """It may go better another time. What nobody can tell is taken for this."""

    NODE = "node"
    """It lies with that machine: a full disk, a device that does not answer. Another one may do it."""

    INPUT = "input"
    """What it was to read cannot be read, or is damaged: one more try elsewhere, and no third one."""

    PERMANENT = "permanent"
    """It was asked for what cannot be done anywhere."""


class StreamLengths(Told, frozen=True):
    stdout: Natural
    stderr: Natural


class Result(Told, frozen=True):
    """How one attempt ended. Kept in the agent's spool until it is settled.

    `started` is false when no program ran: then `reason` says why, and there is neither exit code nor signal.
    """

    attempt: Ulid
    job: Ulid
    started: bool
    exit_code: ExitCode | None
    signal: Signal | None
    stopped: Stopped | None
    reason_code: ReasonCode | None
    reason: Sentence | None
    seconds: Seconds
    lengths: StreamLengths | None
    failure: FailureKind | None = None
    """Of a program that failed by itself, or was never started."""
    progress: Progress = Progress()
    """The program's last word of how far it was, which the once-a-second topic may have left out."""
    outputs: WrittenOutputs = ()
    """Of a program that ended well: what is known to be its outputs."""
    last_lines: LastLines = ()
    """Of the standard error of a program that failed."""


class Results(Directed, frozen=True):
    """Verb `result`."""

    results: tuple[Result, ...]


class LogLine(Told, frozen=True):
    """`time` is in seconds since the program's start.

    `number` counts the lines of the attempt from 1, and those too that were not kept; 0: its agent does not count.
    """

    time: float
    stream: str
    text: str
    number: Natural = 0


class Tail(Directed, frozen=True):
    """Verb `tail`, agent to coordinator: the kept end of a program's standard error; null: there is none here.

    `more`: what was asked for did not fit; ask for what comes after the last of these.
    """

    attempt: Ulid
    request: Ulid
    lines: tuple[LogLine, ...] | None
    more: bool = False

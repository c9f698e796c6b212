"""What the agent's core asks for: orders, carried out by the shell."""

from enum import StrEnum
from typing import TypeAlias

from ffmesh_protocol.keys import StreamKeys
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import Result
from ffmesh_protocol.messages.requests import CallerSignal
from ffmesh_protocol.topics import Family
from ffmesh_protocol.wire import Directed, Told


class Tell(Told, frozen=True):
    """A signed message to the coordinator's life."""

    life: str
    message: Directed


class Publish(Told, frozen=True):
    """A public message beneath our own name; null clears what is retained."""

    family: Family
    topic: str
    message: Told | None


class OpenStreams(Told, frozen=True):
    """An interactive attempt was granted: take its client's credit, signed with these keys, and say `CreditCame`."""

    attempt: str
    client: str
    life: str
    kid: int
    keys: StreamKeys


class CloseStreams(Told, frozen=True):
    """Nobody reads them any more: what is kept of them may go, and what the program still writes is drained."""

    attempt: str


class LookAtRoots(Told, frozen=True):
    """An attempt was offered that needs these: look whether they are there now, tell what has changed by
    `CapabilitySeen`, and say `RootsLookedAt` then. A root that hangs must not keep us from saying it soon."""

    attempt: str
    roots: tuple[str, ...]


class Launch(Told, frozen=True):
    """Start the program; say `ProgramStarted` or `ProgramNotStarted`, and later `ProgramEnded`.

    The outputs of a staged job are written aside. The warden kills the program at `kill_at`, whatever becomes of us.
    """

    grant: Grant
    kill_at: float


class HoldUntil(Told, frozen=True):
    """Its lease begins anew: the warden kills the program at `kill_at`, and no longer at the moment before."""

    attempt: str
    kill_at: float


class SealOutput(Told, frozen=True):
    """The program ended well. See that its output is whole and on disk, keep this result beside it, and say
    `OutputSealed` or `OutputNotSealed`."""

    result: Result


class CommitOutput(Told, frozen=True):
    """Put the outputs in place, all or none, unless `until` has passed or is too near for as many; say
    `OutputCommitted` or `OutputNotCommitted`."""

    attempt: str
    until: float


class DropOutput(Told, frozen=True):
    """What is left aside of this attempt, and the note of it, can go."""

    attempt: str


class Quit(Told, frozen=True):
    """`q` on the standard input of a program that reads keys."""

    attempt: str


class Terminate(Told, frozen=True):
    """SIGTERM to the program's group."""

    attempt: str


class Kill(Told, frozen=True):
    """SIGKILL to the program's group."""

    attempt: str


class Pause(Told, frozen=True):
    """SIGSTOP to the program's group, or as soon as there is one: it keeps its memory and goes on at `Resume`."""

    attempt: str


class Resume(Told, frozen=True):
    """SIGCONT, if it was `Pause` that stopped it and nobody else."""

    attempt: str


class PassOn(Told, frozen=True):
    """These signals, perhaps none, to the program's group; and tell the client that it has had so many in all."""

    attempt: str
    signals: tuple[CallerSignal, ...]
    passed: int


class KeepResult(Told, frozen=True):
    """Write it to the spool, fsync, and say `ResultKept`."""

    result: Result


class DropResult(Told, frozen=True):
    """It is settled: remove it from the spool."""

    attempt: str


class ReadTail(Told, frozen=True):
    """Read the kept end of an attempt's standard error, or the lines above `after`, and say `TailRead`."""

    attempt: str
    request: str
    after: int | None = None


class WakeAt(Told, frozen=True):
    """Say `Woken` when `elapsed` is this. The last one counts; null: there is nothing to wait for."""

    elapsed: float | None


class NoteLevel(StrEnum):
    INFO = "info"
    WARNING = "warning"


class Note(Told, frozen=True):
    """One line that an operator can act on."""

    level: NoteLevel
    text: str


class Leave(Told, frozen=True):
    """Publish what stands before this, disconnect cleanly and end the process with this code."""

    exit_code: int
    sentence: str


Effect: TypeAlias = (
    Tell
    | Publish
    | OpenStreams
    | CloseStreams
    | LookAtRoots
    | Launch
    | HoldUntil
    | SealOutput
    | CommitOutput
    | DropOutput
    | Quit
    | Terminate
    | Kill
    | Pause
    | Resume
    | PassOn
    | KeepResult
    | DropResult
    | ReadTail
    | WakeAt
    | Note
    | Leave
)

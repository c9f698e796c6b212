"""What a client asks of the coordinator.

A request carries a response topic in the asker's own place, and correlation data. Sending a request
again changes nothing that the first one did.
"""

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from ffmesh_protocol.limits import ATTEMPTS, LIST_ITEMS, NAME_CHARS, NUMBER_MAX, PAGE_ITEMS, PARENTS, SIGNALS, STREAMS
from ffmesh_protocol.media import Arguments, Environment, Needs, Outputs, Program, RootPath, Timeout, Umask
from ffmesh_protocol.messages.jobs import JobKind, JobState, Label, Labels, Priority
from ffmesh_protocol.messages.manners import Manner
from ffmesh_protocol.messages.orders import Ulids
from ffmesh_protocol.names import Name, Ulid
from ffmesh_protocol.wire import Directed, Natural

StreamName = Annotated[str, msgspec.Meta(max_length=NAME_CHARS)]
Offsets: TypeAlias = Annotated[dict[StreamName, Natural], msgspec.Meta(max_length=STREAMS)]
"""Of streams by name; names that are not known are ignored."""

StreamNames: TypeAlias = Annotated[tuple[StreamName, ...], msgspec.Meta(max_length=STREAMS)]


class Submit(Directed, frozen=True):
    """Verb `submit`. The client makes the job's id, so that a repeated submit is the same job."""

    job: Ulid
    kind: JobKind
    program: Program
    args: Arguments
    cwd: RootPath | None
    env: Environment
    umask: Umask | None
    stdin_is_terminal: bool
    needs: Needs
    priority: Priority
    timeout_seconds: Timeout | None
    labels: Labels
    after: Annotated[tuple[Ulid, ...], msgspec.Meta(max_length=PARENTS)] = ()
    """Jobs that must have succeeded before this one is offered to anybody."""
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=ATTEMPTS)] = 1
    outputs: Outputs = ()
    """Of a staged job, and only of one."""


class Attending(Directed, frozen=True):
    """Verb `attending`: I still wait for these. Answered with `attended`."""

    jobs: Ulids


class Cancel(Directed, frozen=True):
    """Verb `cancel`."""

    job: Ulid


class Retry(Directed, frozen=True):
    """Verb `retry`: try this failed or cancelled job again, with as many attempts as it had at first."""

    job: Ulid


class ListJobs(Directed, frozen=True):
    """Verb `jobs`: newest first; `cursor` is what the page before gave."""

    states: tuple[JobState, ...] = ()
    labels: dict[Label, Label] = {}  # noqa: RUF012 - msgspec gives each message its own
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_ITEMS)] = 50
    cursor: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class ShowJobs(Directed, frozen=True):
    """Verb `job`: these, as far as they are known."""

    jobs: Annotated[tuple[Ulid, ...], msgspec.Meta(max_length=LIST_ITEMS)]


class ListAgents(Directed, frozen=True):
    """Verb `agents`: by name; `cursor` is what the page before gave."""

    cursor: Name | None = None


class ShowAgent(Directed, frozen=True):
    """Verb `agent`."""

    agent: Name


class DrainAgent(Directed, frozen=True):
    """Verb `drain`, client to coordinator: whether that agent is to take new work, and what else it is to do.

    `manner` null: nothing else. With `pause` and `stop` goes the feature `pause` in `requires`.
    """

    agent: Name
    draining: bool
    manner: Manner | None = None


class Logs(Directed, frozen=True):
    """Verb `logs`: what an attempt's program has said on standard error, as far as its agent keeps it.

    `attempt` is its number; null: the last one. Without `after` the end of it is wanted; with it the lines whose
    numbers are above, the first of them first. So who asks again and again follows a program that runs.
    """

    job: Ulid
    attempt: Natural | None = None
    after: Natural | None = None


class Bye(Directed, frozen=True):
    """Verb `bye`: this life ends here, on purpose."""


class StreamCredit(Directed, frozen=True):
    """Verb `credit`: what the receiver has of each stream, and how far the sender may go. Absolute and repeated.

    By the client of what the program writes, by the agent of what the program reads.
    """

    attempt: Ulid
    received: Offsets
    allowed: Offsets
    sends: StreamNames = ()
    """What the client has for the program to read. Where it does not name `stdin`, the program finds its end."""
    closed: StreamNames = ()
    """Nobody takes more of these: who reads them is gone, or has all of it."""
    signals: Natural = 0
    """By the agent: how many of the caller's signals the program has had."""


class CallerSignal(StrEnum):
    """A signal by its name, which is the same on every system."""

    INT = "INT"
    TERM = "TERM"
    HUP = "HUP"
    QUIT = "QUIT"
    STOP = "STOP"
    """Its caller was stopped, and cannot work on what it is given."""
    CONT = "CONT"


class CallerSignals(Directed, frozen=True):
    """Verb `signal`, client to agent: what the caller was sent, for the program. Repeated until `credit` counts them.

    `first` is the number of the first of these, counted from 1 for the attempt. What the program has had it is not
    given again.
    """

    attempt: Ulid
    first: Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]
    signals: Annotated[tuple[CallerSignal, ...], msgspec.Meta(max_length=SIGNALS)]

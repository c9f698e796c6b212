"""What the coordinator tells a client: answers to its requests, and news of the jobs that it attends."""

from typing import TypeAlias

from ffmesh_protocol.errors import RefusalCode
from ffmesh_protocol.messages.capability import AgentView
from ffmesh_protocol.messages.jobs import ExitCode, JobState, JobView, Signal
from ffmesh_protocol.messages.reports import LogLine, Sentence, StreamLengths
from ffmesh_protocol.names import Name, Ulid
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.wire import Directed, Told


class Refusal(Directed, frozen=True, tag_field="answer", tag="refused"):
    """No. The sentence says why and, where it can, what to do."""

    code: RefusalCode
    sentence: Sentence


class Accepted(Directed, frozen=True, tag_field="answer", tag="accepted"):
    """The job is on disk; it will not be forgotten."""

    job: Ulid


class JobList(Directed, frozen=True, tag_field="answer", tag="jobs"):
    """`cursor` is null on the last page; `unknown` lists ids that were asked for and are not known."""

    jobs: tuple[JobView, ...]
    cursor: str | None
    unknown: tuple[Ulid, ...] = ()


class AgentList(Directed, frozen=True, tag_field="answer", tag="agents"):
    """`cursor` is null on the last page: an agent's lists are long, and a message is not."""

    agents: tuple[AgentView, ...]
    cursor: Name | None = None


class Lines(Directed, frozen=True, tag_field="answer", tag="lines"):
    """`more`: what was asked for did not fit; ask for what comes after the last of these."""

    lines: tuple[LogLine, ...]
    more: bool = False


Answer: TypeAlias = Refusal | Accepted | JobList | AgentList | Lines
"""Verb `answer`: published to the request's response topic, with its correlation data."""


class Assignment(Told, frozen=True):
    """Which attempt of a job the client is to take chunks from."""

    attempt: Ulid
    agent: Name
    life: Ulid


class End(Told, frozen=True):
    """How a job ended. `streams_lost`: what the lengths promise will never all come."""

    state: JobState
    exit_code: ExitCode | None
    signal: Signal | None
    reason_code: ReasonCode | None
    reason: str | None
    lengths: StreamLengths | None
    streams_lost: bool


class JobNews(Told, frozen=True):
    """Where one job stands, for a client that attends it; `known` is false for a job that is not.

    `reason` says why a queued one waits, `reason_code` which kind of waiting that is; a coordinator that does not know
    these keys says nothing.
    """

    job: Ulid
    known: bool
    state: JobState | None
    assignment: Assignment | None
    end: End | None
    reason: str | None = None
    reason_code: ReasonCode | None = None


class Attended(Directed, frozen=True):
    """Verb `attended`: the answer to `attending`."""

    jobs: tuple[JobNews, ...]


class Assigned(Directed, frozen=True):
    """Verb `assigned`: sent before the program starts."""

    job: Ulid
    assignment: Assignment


class Ended(Directed, frozen=True):
    """Verb `ended`."""

    job: Ulid
    end: End


class Retired(Directed, frozen=True):
    """Verb `retired`: this life has ended for us; take a new one."""

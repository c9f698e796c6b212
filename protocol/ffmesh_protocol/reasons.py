"""Why a job ended as it did: a stable word for scripts and a fixed sentence for public topics."""

from enum import StrEnum
from typing import Final


class ReasonCode(StrEnum):
    EXITED = "exited"
    KILLED = "killed"
    LOST = "lost"
    CANCELLED = "cancelled"
    CLIENT_GONE = "client_gone"
    CLIENT_SILENT = "client_silent"
    TIMED_OUT = "timed_out"
    SHUTDOWN = "shutdown"
    NOT_STARTED = "not_started"
    REFUSED_BY_AGENT = "refused_by_agent"
    LEASE_OVER = "lease_over"
    NOT_COMMITTED = "not_committed"
    PARENT_FAILED = "parent_failed"
    PARENT_CANCELLED = "parent_cancelled"
    RESTORED = "restored"
    HANDED_BACK = "handed_back"
    PAUSED = "paused"
    WAITING_FOR_JOBS = "waiting_for_jobs"
    WAITING_TO_RETRY = "waiting_to_retry"
    WAITING_FOR_AGENT = "waiting_for_agent"
    WAITING_FOR_SLOT = "waiting_for_slot"


SENTENCES: Final[dict[ReasonCode, str]] = {
    ReasonCode.EXITED: "the program ended with an exit code other than 0",
    ReasonCode.KILLED: "the program was ended by a signal",
    ReasonCode.LOST: "the agent that ran it was lost",
    ReasonCode.CANCELLED: "it was cancelled",
    ReasonCode.CLIENT_GONE: "the client that waited for it is gone",
    ReasonCode.CLIENT_SILENT: "the client did not take its output",
    ReasonCode.TIMED_OUT: "it ran longer than it was allowed to",
    ReasonCode.SHUTDOWN: "its agent was shut down",
    ReasonCode.NOT_STARTED: "the program could not be started",
    ReasonCode.REFUSED_BY_AGENT: "the agent refused to run it",
    ReasonCode.LEASE_OVER: "its agent heard nothing of the coordinator for too long and stopped it",
    ReasonCode.NOT_COMMITTED: "its output could not be put in place",
    ReasonCode.PARENT_FAILED: "a job that it comes after failed",
    ReasonCode.PARENT_CANCELLED: "a job that it comes after was cancelled",
    ReasonCode.RESTORED: "it was open when the backup was taken, and may have run since; `ffmesh retry` runs it again",
    ReasonCode.HANDED_BACK: "its agent handed it back: the owner of that machine needs it",
    ReasonCode.PAUSED: "its agent lets it stand still, and go on later",
    ReasonCode.WAITING_FOR_JOBS: "it waits for other jobs",
    ReasonCode.WAITING_TO_RETRY: "it failed and is tried again in a moment",
    ReasonCode.WAITING_FOR_AGENT: "no agent that is online can run it",
    ReasonCode.WAITING_FOR_SLOT: "every agent that can run it is busy",
}
"""What may be said in public. The longer sentence with names and paths stays between the mesh and its clients."""


class Stopped(StrEnum):
    """Who ended a program that did not end by itself. An attempt that we stopped never counts as succeeded."""

    CANCEL = "cancel"
    CLIENT_GONE = "client_gone"
    SILENCE = "silence"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"
    LEASE = "lease"
    HANDED_BACK = "handed_back"


REASON_OF_STOP: Final[dict[Stopped, ReasonCode]] = {
    Stopped.CANCEL: ReasonCode.CANCELLED,
    Stopped.CLIENT_GONE: ReasonCode.CLIENT_GONE,
    Stopped.SILENCE: ReasonCode.CLIENT_GONE,
    Stopped.TIMEOUT: ReasonCode.TIMED_OUT,
    Stopped.SHUTDOWN: ReasonCode.SHUTDOWN,
    Stopped.LEASE: ReasonCode.LEASE_OVER,
    Stopped.HANDED_BACK: ReasonCode.HANDED_BACK,
}

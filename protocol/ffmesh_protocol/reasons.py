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


REASON_OF_STOP: Final[dict[Stopped, ReasonCode]] = {
    Stopped.CANCEL: ReasonCode.CANCELLED,
    Stopped.CLIENT_GONE: ReasonCode.CLIENT_GONE,
    Stopped.SILENCE: ReasonCode.CLIENT_GONE,
    Stopped.TIMEOUT: ReasonCode.TIMED_OUT,
    Stopped.SHUTDOWN: ReasonCode.SHUTDOWN,
}

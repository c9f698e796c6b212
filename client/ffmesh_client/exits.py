"""What the exit codes of `ffmesh` mean, and which one an end or an error has. Pure."""

from enum import IntEnum
from typing import Final

from ffmesh_client.errors import NoSuchId, OutputLost, Unreachable
from ffmesh_protocol.errors import (
    BrokerError,
    FfmeshError,
    LoginRefused,
    PathRefused,
    PublishRefused,
    RefusalCode,
    Refused,
)
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.reasons import ReasonCode

SIGNAL_BASE: Final = 128


class Exit(IntEnum):
    """The first five are of `sysexits.h` where it has one; the others are what shells and `timeout` use."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 69
    REFUSED = 77
    TIMED_OUT = 124
    CANCELLED = 130
    PIPE = SIGNAL_BASE + 13


OF_REFUSAL: Final[dict[RefusalCode, Exit]] = {
    RefusalCode.MALFORMED: Exit.USAGE,
    RefusalCode.UNSUPPORTED: Exit.USAGE,
    RefusalCode.TOO_LARGE: Exit.USAGE,
    RefusalCode.UNKNOWN_JOB: Exit.FAILED,
    RefusalCode.UNKNOWN_AGENT: Exit.FAILED,
    RefusalCode.TOO_LATE: Exit.FAILED,
    RefusalCode.ID_TAKEN: Exit.FAILED,
    RefusalCode.NO_LOGS: Exit.FAILED,
    RefusalCode.NOT_ALLOWED: Exit.REFUSED,
    RefusalCode.PROGRAM_NOT_LISTED: Exit.REFUSED,
    RefusalCode.AGENT_AWAY: Exit.UNREACHABLE,
    RefusalCode.FULL: Exit.UNREACHABLE,
}

PROGRAMS_OWN: Final = frozenset({ReasonCode.EXITED, ReasonCode.KILLED, None})
"""Ends that the program itself came to: its exit code or signal says it all."""


def of_end(state: JobState, exit_code: int | None, signal: int | None, reason_code: ReasonCode | None) -> int:
    """The exit code of `run` and `wait` for a job that has ended so."""
    if state is JobState.CANCELLED:
        return Exit.CANCELLED
    if reason_code is ReasonCode.TIMED_OUT:
        return Exit.TIMED_OUT
    if state is JobState.SUCCEEDED:
        return Exit.DONE
    if reason_code in PROGRAMS_OWN:
        if signal is not None:
            return SIGNAL_BASE + signal
        if exit_code:
            return exit_code
    return Exit.FAILED


def of_error(error: FfmeshError) -> int:
    match error:
        case Refused(code=code):
            return OF_REFUSAL[code]
        case NoSuchId() | OutputLost():
            return Exit.FAILED
        case LoginRefused() | PublishRefused() | PathRefused():
            return Exit.REFUSED
        case Unreachable() | BrokerError():
            return Exit.UNREACHABLE
        case _:
            return Exit.USAGE

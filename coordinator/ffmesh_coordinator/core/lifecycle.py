"""Which step leads from which phase of a job to which. What is not in the table is illegal, and a bug of ours.

Cancelling is no phase but a wish that a job carries until it ends; people see it as `cancelling`. `committing` they see
as `running`. An end is one for good, unless a person says `retry`: that opens the job again.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    WAITING = "waiting"
    QUEUED = "queued"
    OFFERED = "offered"
    GRANTED = "granted"
    RUNNING = "running"
    COMMITTING = "committing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Step(StrEnum):
    RELEASE = "release"
    OFFER = "offer"
    TAKE_BACK = "take back"
    GRANT = "grant"
    START = "start"
    PERMIT = "permit"
    TRY_AGAIN = "try again"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"
    REOPEN = "reopen"


FIRST: Final = Phase.WAITING
"""Of every job; one that comes after no other is released in the same moment."""

#: Read a row as: in this phase, that step leads there.
LIFECYCLE: Final[Mapping[Phase, Mapping[Step, Phase]]] = {
    Phase.WAITING: {
        Step.RELEASE: Phase.QUEUED,
        Step.FAIL: Phase.FAILED,  # a job that it comes after did
        Step.CANCEL: Phase.CANCELLED,
    },
    Phase.QUEUED: {Step.OFFER: Phase.OFFERED, Step.CANCEL: Phase.CANCELLED},
    Phase.OFFERED: {Step.TAKE_BACK: Phase.QUEUED, Step.GRANT: Phase.GRANTED, Step.CANCEL: Phase.CANCELLED},
    Phase.GRANTED: {
        Step.START: Phase.RUNNING,
        # The word that it had started may be lost, and what follows from it is not.
        Step.PERMIT: Phase.COMMITTING,
        Step.SUCCEED: Phase.SUCCEEDED,
        Step.FAIL: Phase.FAILED,
        Step.TRY_AGAIN: Phase.QUEUED,
        Step.CANCEL: Phase.CANCELLED,
    },
    Phase.RUNNING: {
        Step.PERMIT: Phase.COMMITTING,
        Step.SUCCEED: Phase.SUCCEEDED,
        Step.FAIL: Phase.FAILED,
        Step.TRY_AGAIN: Phase.QUEUED,
        Step.CANCEL: Phase.CANCELLED,
    },
    Phase.COMMITTING: {  # it is too late to cancel
        Step.SUCCEED: Phase.SUCCEEDED,
        Step.FAIL: Phase.FAILED,
        Step.TRY_AGAIN: Phase.QUEUED,
    },
    Phase.SUCCEEDED: {},
    Phase.FAILED: {Step.REOPEN: Phase.WAITING},
    Phase.CANCELLED: {Step.REOPEN: Phase.WAITING},
}

HELD: Final = frozenset({Phase.GRANTED, Phase.RUNNING, Phase.COMMITTING})
"""An agent has it."""

ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED})


class IllegalStep(Exception):
    """The core asked for a step that the table does not have: a bug of ours."""


def stepped(phase: Phase, step: Step) -> Phase:
    try:
        return LIFECYCLE[phase][step]
    except KeyError:
        raise IllegalStep(f"{step} in phase {phase}") from None

"""Which step leads from which phase of a job to which. What is not in the table is illegal, and a bug of ours.

Cancelling is no phase but a wish that a job carries until it ends; people see it as `cancelling`.
Not there yet: waiting for other jobs, retries, permission to commit.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    QUEUED = "queued"
    OFFERED = "offered"
    GRANTED = "granted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Step(StrEnum):
    OFFER = "offer"
    TAKE_BACK = "take back"
    GRANT = "grant"
    START = "start"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


#: Read a row as: in this phase, that step leads there.
LIFECYCLE: Final[Mapping[Phase, Mapping[Step, Phase]]] = {
    Phase.QUEUED: {Step.OFFER: Phase.OFFERED, Step.CANCEL: Phase.CANCELLED},
    Phase.OFFERED: {Step.TAKE_BACK: Phase.QUEUED, Step.GRANT: Phase.GRANTED, Step.CANCEL: Phase.CANCELLED},
    Phase.GRANTED: {
        Step.START: Phase.RUNNING,
        Step.SUCCEED: Phase.SUCCEEDED,  # the word that it had started may be lost
        Step.FAIL: Phase.FAILED,
        Step.CANCEL: Phase.CANCELLED,
    },
    Phase.RUNNING: {Step.SUCCEED: Phase.SUCCEEDED, Step.FAIL: Phase.FAILED, Step.CANCEL: Phase.CANCELLED},
    Phase.SUCCEEDED: {},
    Phase.FAILED: {},
    Phase.CANCELLED: {},
}

HELD: Final = frozenset({Phase.GRANTED, Phase.RUNNING})
"""An agent has it."""

ENDED: Final = frozenset(phase for phase, steps in LIFECYCLE.items() if not steps)


class IllegalStep(Exception):
    """The core asked for a step that the table does not have: a bug of ours."""


def stepped(phase: Phase, step: Step) -> Phase:
    try:
        return LIFECYCLE[phase][step]
    except KeyError:
        raise IllegalStep(f"{step} in phase {phase}") from None

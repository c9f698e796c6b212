"""How far an attached job is, and in which phase what is said again, and what runs out."""

from enum import StrEnum
from typing import Final

from ffmesh_protocol.times import CLIENT_SILENCE, REQUEST_PATIENCE

OUTPUT_SILENCE: Final = 2 * CLIENT_SILENCE
"""The job has ended and the rest of its output does not come: after this long, counted while we are connected and our
own reader is not to blame, it is lost. An agent whose network blinked has had time to connect again."""

FIRST_CREDIT_REPEAT: Final = 0.02
"""The first credit may overtake the grant on its way to the agent, which then cannot read it. Until the agent gives a
sign it is said again after this long, and then each time after twice as long, up to the usual beat."""

LEAVE_PATIENCE: Final = REQUEST_PATIENCE
"""Who was told to end waits this long for the end of its job, or for the agent to hear it, and then leaves; its
farewell stops the job as well."""

SIGNAL_PATIENCE: Final = 1.0
"""Who asks again after this long, when the agent has not heard the first time, wants to leave."""

SUSPEND_PATIENCE: Final = 1.0
"""Who is to pause waits this long for its program to do so first."""

WAIT_REMARK: Final = 10.0
"""Whose job has found no place for this long is told why, and after as long again if the reason is a new one."""


class Phase(StrEnum):
    SUBMITTING = "submitting"
    ATTENDING = "attending"
    ENDED = "ended"
    """The job has ended; some of its output may be on the way."""
    FINISHED = "finished"


class Timer(StrEnum):
    SUBMIT = "submit"
    ATTEND = "attend"
    CREDIT = "credit"
    CANCEL = "cancel"
    PATIENCE = "patience"
    LEAVE = "leave"
    OUTPUT = "output"
    WAIT = "wait"
    SIGNAL = "signal"
    FEED = "feed"
    SUSPEND = "suspend"


#: What is said again and again in each phase, as long as somebody can hear it.
SAID: Final[dict[Phase, tuple[Timer, ...]]] = {
    Phase.SUBMITTING: (Timer.SUBMIT,),
    Phase.ATTENDING: (Timer.ATTEND, Timer.CREDIT, Timer.CANCEL, Timer.SIGNAL),
    Phase.ENDED: (Timer.ATTEND, Timer.CREDIT),
    Phase.FINISHED: (),
}
#: What runs out in each phase.
RUNS_OUT: Final[dict[Phase, tuple[Timer, ...]]] = {
    Phase.SUBMITTING: (Timer.PATIENCE,),
    Phase.ATTENDING: (Timer.LEAVE, Timer.WAIT, Timer.FEED, Timer.SUSPEND),
    Phase.ENDED: (Timer.LEAVE, Timer.OUTPUT),
    Phase.FINISHED: (),
}

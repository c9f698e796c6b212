"""How long each attempt may go on without our word. Our end of a lease is always after the agent's.

It counts from when we *answered* what the agent said; the agent counts from when it had said it. Whoever was cut off
gives everyone a whole lease before it calls anybody lost.
"""

from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.job import Attempt, Job
from ffmesh_coordinator.core.moment import Now
from ffmesh_protocol import times
from ffmesh_protocol.deadlines import Deadlines
from ffmesh_protocol.messages.jobs import JobKind


def length(kind: JobKind) -> float:
    return times.LEASE_INTERACTIVE if kind is JobKind.INTERACTIVE else times.LEASE


def begin(deadlines: Deadlines[About], job: Job, now: Now) -> None:
    """Anew, for the attempt that holds the job. Does nothing for one that nobody holds."""
    attempt = job.attempt
    if attempt is not None:
        deadlines.set(About.LEASE, attempt.id, now.elapsed + length(job.kind))


def end(deadlines: Deadlines[About], attempt: Attempt) -> None:
    deadlines.lift(About.LEASE, attempt.id)

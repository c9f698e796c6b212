"""What follows when an attempt has failed or was lost: another one, when and where; or the end. Pure functions."""

import zlib
from typing import Final, TypeAlias

from ffmesh_coordinator.core.job import Attempt, Job
from ffmesh_protocol import times
from ffmesh_protocol.messages.jobs import AttemptState, JobKind
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.wire import Told

UNREADABLE_TRIES: Final = 2
"""An input that could not be read is tried once more, elsewhere if that can be: a share may be mounted only there."""

JITTER: Final = 0.5
"""The share of the wait that is left to chance, so that what failed together does not come back together."""


class Again(Told, frozen=True):
    """Another attempt: with these agents not before `wait` is over; with others at once, unless `everywhere`."""

    wait: float
    everywhere: bool
    avoiding: frozenset[str]


class Enough(Told, frozen=True):
    """No other attempt, until a person says so."""


What: TypeAlias = Again | Enough

AT_ONCE: Final = Again(wait=0.0, everywhere=False, avoiding=frozenset())


def after_failure(job: Job, ended: Attempt, *, ran: bool) -> What:
    """`ended` is the attempt that failed; it stands last in `job.attempts`. `ran`: it had a program."""
    failure = ended.failure or FailureKind.TRANSIENT
    if not _has_tries_left(job) or failure is FailureKind.PERMANENT:
        return Enough()
    if job.kind is JobKind.INTERACTIVE and ran:
        return Enough()  # its client has seen what this one wrote
    if failure is FailureKind.INPUT and _count(job, FailureKind.INPUT) >= UNREADABLE_TRIES:
        return Enough()
    elsewhere = failure in (FailureKind.NODE, FailureKind.INPUT)
    avoiding = frozenset(each.agent for each in job.tries if each.failure in (FailureKind.NODE, FailureKind.INPUT))
    return Again(
        wait=waited(len(job.tries), ended.id), everywhere=not elsewhere, avoiding=avoiding if elsewhere else frozenset()
    )


def after_loss(job: Job) -> What:
    """The agent is to blame, and perhaps not even that. Nobody waits for another one to take it."""
    if job.kind is JobKind.INTERACTIVE or not _has_tries_left(job):
        return Enough()
    return AT_ONCE


def waited(tries: int, attempt_id: str) -> float:
    """Seconds before the next try. Chance is taken from the attempt's id, which is random."""
    longest = min(times.RETRY_LAST, times.RETRY_FIRST * 2.0 ** (tries - 1))
    chance = zlib.crc32(attempt_id.encode()) / 2**32
    return longest * (1.0 - JITTER * chance)


def _has_tries_left(job: Job) -> bool:
    return len(job.tries) < job.asked.max_attempts


def _count(job: Job, failure: FailureKind) -> int:
    return sum(1 for each in job.tries if each.failure is failure and each.state is AttemptState.FAILED)

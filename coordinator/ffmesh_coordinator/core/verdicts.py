"""What a result means. Values in, values out."""

from typing import Final

import msgspec

from ffmesh_coordinator.core.job import Job
from ffmesh_protocol.messages.jobs import AttemptState, JobSummary, Progress
from ffmesh_protocol.messages.reports import FailureKind, Result
from ffmesh_protocol.reasons import REASON_OF_STOP, SENTENCES, ReasonCode, Stopped
from ffmesh_protocol.wire import Told

CANCELLING: Final = frozenset({Stopped.CANCEL, Stopped.CLIENT_GONE, Stopped.SILENCE})
"""A stop for one of these ends the job as cancelled."""

NOBODYS_FAULT: Final = frozenset({Stopped.SHUTDOWN, Stopped.LEASE, Stopped.HANDED_BACK})
"""A stop for one of these is as if the attempt had been lost, and known to have ended."""

SAID_OF_FAILURE: Final = {
    FailureKind.NODE: "it lies with the machine",
    FailureKind.INPUT: "its input could not be read",
    FailureKind.PERMANENT: "it asks for what cannot be done",
}


class Verdict(Told, frozen=True):
    """How an attempt ended."""

    state: AttemptState
    code: ReasonCode | None = None
    reason: str | None = None
    failure: FailureKind | None = None


def verdict_on(job: Job, result: Result) -> Verdict:
    """What the result means for the attempt. What we stopped is not a success, whatever its exit code."""
    stopped = job.cancel or result.stopped
    if stopped is not None:
        return _stopped(stopped, result)
    program = job.asked.program
    if not result.started:
        code = result.reason_code or ReasonCode.NOT_STARTED
        return _failed(code, result.reason or SENTENCES[code], result.failure)
    if result.reason_code is ReasonCode.NOT_COMMITTED:
        reason = result.reason or SENTENCES[ReasonCode.NOT_COMMITTED]
        return _failed(ReasonCode.NOT_COMMITTED, reason, result.failure)
    if result.signal is not None:
        reason = f"{program} was ended by signal {result.signal}" + (f"; {result.reason}" if result.reason else "")
        return _failed(ReasonCode.KILLED, reason, result.failure)
    if result.exit_code == 0:
        return Verdict(state=AttemptState.SUCCEEDED)
    said = result.reason or (SAID_OF_FAILURE.get(result.failure) if result.failure is not None else None)
    reason = f"{program} ended with exit code {result.exit_code}" + (f"; {said}" if said else "")
    return _failed(ReasonCode.EXITED, reason, result.failure)


def _stopped(why: Stopped, result: Result) -> Verdict:
    code = REASON_OF_STOP[why]
    if why is Stopped.HANDED_BACK:
        return Verdict(state=AttemptState.LOST, code=code, reason=result.reason or SENTENCES[code])
    if why in CANCELLING:
        return Verdict(state=AttemptState.CANCELLED, code=code, reason=SENTENCES[code])
    if why in NOBODYS_FAULT:
        return Verdict(state=AttemptState.LOST, code=code, reason=SENTENCES[code])
    return _failed(code, SENTENCES[code], FailureKind.PERMANENT)  # it would take as long again


def _failed(code: ReasonCode, reason: str, failure: FailureKind | None) -> Verdict:
    return Verdict(state=AttemptState.FAILED, code=code, reason=reason, failure=failure or FailureKind.TRANSIENT)


def summary_of(verdict: Verdict, result: Result) -> JobSummary:
    """What stays of the job if it ends with this attempt."""
    return JobSummary(
        seconds=result.seconds if result.started else None,
        outputs=result.outputs if verdict.state is AttemptState.SUCCEEDED else (),
        last_lines=result.last_lines if verdict.state is AttemptState.FAILED else (),
    )


def last_progress(verdict: Verdict, job: Job, result: Result) -> Progress:
    """As far as the program came; what succeeded has come to its end, whatever its last word before it was."""
    last = result.progress if result.progress != Progress() else job.progress
    if verdict.state is AttemptState.SUCCEEDED and last.percent is not None:
        return msgspec.structs.replace(last, percent=100.0, eta_s=0.0)
    return last

"""What `run` says of a job that has ended: an exit code, and a sentence where the code does not say it all."""

from ffmesh_client import exits
from ffmesh_client.core.effects import Finish
from ffmesh_client.exits import Exit
from ffmesh_protocol.messages.answers import End
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.reasons import SENTENCES, ReasonCode


def verdict(job: str, end: End, *, output_lost: bool) -> Finish:
    code = exits.of_end(end.state, end.exit_code, end.signal, end.reason_code)
    is_programs_own = end.reason_code in exits.PROGRAMS_OWN
    if output_lost and code == Exit.DONE:
        sentence = f"job {job} succeeded, but some of its output was lost on the way"
        return Finish(exit_code=Exit.FAILED, sentence=sentence)
    if output_lost and is_programs_own:
        return Finish(exit_code=code, sentence=f"job {job} failed, and some of its output was lost on the way")
    if is_programs_own and end.state is not JobState.CANCELLED:
        return Finish(exit_code=code)
    return Finish(exit_code=code, sentence=f"job {job} {_how(end)}{_why(end)}")


def _how(end: End) -> str:
    if end.state is JobState.CANCELLED:
        return "was cancelled"
    match end.reason_code:
        case ReasonCode.LOST:
            return "was lost"
        case ReasonCode.TIMED_OUT:
            return "timed out"
        case _:
            return "failed"


def _why(end: End) -> str:
    if end.reason_code is ReasonCode.CANCELLED and end.reason == SENTENCES[ReasonCode.CANCELLED]:
        return ""  # it would say the same once more
    return f": {end.reason or 'no reason is known'}"

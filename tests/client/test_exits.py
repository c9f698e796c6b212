"""Every error and every end has its exit code."""

import pytest

from ffmesh_client import exits
from ffmesh_client.errors import CoordinatorUnreachable, NoAnswer, NoSuchId, WrongUsage
from ffmesh_protocol.errors import (
    BadConfig,
    BadName,
    BrokerUnreachable,
    FfmeshError,
    LoginRefused,
    PathRefused,
    PublishRefused,
    RefusalCode,
    Refused,
)
from ffmesh_protocol.messages.jobs import JobState
from ffmesh_protocol.reasons import ReasonCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokerUnreachable(), 69),
        (CoordinatorUnreachable(), 69),
        (NoAnswer(), 69),
        (LoginRefused(), 77),
        (PublishRefused("t", 135), 77),
        (PathRefused(), 77),
        (BadConfig(), 2),
        (BadName(), 2),
        (WrongUsage(), 2),
        (NoSuchId(), 1),
        (Refused(RefusalCode.PROGRAM_NOT_LISTED, ""), 77),
        (Refused(RefusalCode.NOT_ALLOWED, ""), 77),
        (Refused(RefusalCode.UNKNOWN_JOB, ""), 1),
        (Refused(RefusalCode.UNKNOWN_AGENT, ""), 1),
        (Refused(RefusalCode.TOO_LATE, ""), 1),
        (Refused(RefusalCode.AGENT_AWAY, ""), 69),
        (Refused(RefusalCode.MALFORMED, ""), 2),
        (Refused(RefusalCode.TOO_LARGE, ""), 2),
    ],
)
def test_an_error_has_the_code_that_the_promise_names(error: FfmeshError, code: int) -> None:
    assert exits.of_error(error) == code


def test_every_refusal_has_a_code() -> None:
    assert set(exits.OF_REFUSAL) == set(RefusalCode)


@pytest.mark.parametrize(
    ("state", "exit_code", "signal", "reason_code", "code"),
    [
        (JobState.SUCCEEDED, 0, None, None, 0),
        (JobState.FAILED, 69, None, ReasonCode.EXITED, 69),
        (JobState.FAILED, None, 9, ReasonCode.KILLED, 137),
        (JobState.FAILED, None, 15, ReasonCode.TIMED_OUT, 124),
        (JobState.FAILED, 255, None, ReasonCode.TIMED_OUT, 124),
        (JobState.CANCELLED, None, None, ReasonCode.CANCELLED, 130),
        (JobState.CANCELLED, 255, None, ReasonCode.CANCELLED, 130),
        (JobState.CANCELLED, None, 15, ReasonCode.CLIENT_GONE, 130),
        (JobState.FAILED, None, None, ReasonCode.LOST, 1),
        (JobState.FAILED, None, None, ReasonCode.NOT_STARTED, 1),
        (JobState.FAILED, 0, None, ReasonCode.EXITED, 1),
        (JobState.FAILED, None, 9, ReasonCode.SHUTDOWN, 1),
    ],
)
def test_an_end_has_the_code_that_the_promise_names(
    state: JobState, exit_code: int | None, signal: int | None, reason_code: ReasonCode | None, code: int
) -> None:
    assert exits.of_end(state, exit_code, signal, reason_code) == code

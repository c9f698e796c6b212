"""Which failures of jobs are a reason to try an encoder again."""

import pytest
from msgspec import structs

from agent.shell.crashing import ATTEMPT, result_of
from agent.shell.stage import granted
from ffmesh_agent.ffmpeg.doubts import Doubts, asked_for
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.reports import FailureKind
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.times import COOL_DOWN_AFTER

BOTH = frozenset({"encoder/h264_nvenc", "hwaccel/cuda"})
WELL = result_of(ATTEMPT)
FAILED = structs.replace(WELL, exit_code=1, failure=FailureKind.TRANSIENT)


def test_a_failure_that_lies_with_this_machine_casts_doubt_on_what_its_job_asked_for() -> None:
    assert Doubts().ended(structs.replace(FAILED, failure=FailureKind.NODE), BOTH) == BOTH


@pytest.mark.parametrize("failure", [FailureKind.TRANSIENT, FailureKind.INPUT])
def test_several_others_in_a_row_do_as_well(failure: FailureKind) -> None:
    doubts, failed = Doubts(), structs.replace(FAILED, failure=failure)
    for _ in range(COOL_DOWN_AFTER - 1):
        assert not doubts.ended(failed, frozenset({"hwaccel/cuda"}))
    assert doubts.ended(failed, frozenset({"encoder/h264_nvenc"})) == BOTH
    assert not doubts.ended(failed, BOTH), "it begins anew"


def test_one_that_goes_well_ends_the_row() -> None:
    doubts = Doubts()
    for _ in range(3):
        for _ in range(COOL_DOWN_AFTER - 1):
            assert not doubts.ended(FAILED, BOTH)
        assert not doubts.ended(WELL, BOTH)


@pytest.mark.parametrize(
    "changed",
    [
        {"failure": FailureKind.PERMANENT},
        {"failure": FailureKind.NODE, "stopped": Stopped.CANCEL},
        {"failure": FailureKind.NODE, "started": False},
    ],
)
def test_what_says_nothing_of_an_encoder_casts_no_doubt(changed: dict[str, object]) -> None:
    doubts = Doubts()
    for _ in range(2 * COOL_DOWN_AFTER):
        assert not doubts.ended(structs.replace(FAILED, **changed), BOTH)


def test_what_a_job_asked_for_stands_in_its_needs_and_in_its_arguments() -> None:
    job = granted("ffmpeg", "-hwaccel", "cuda", "-i", "a", "-c:v", "h264_nvenc", "-c:a", "copy", "b.mkv")
    assert asked_for(job) == BOTH
    needs = Needs(program="ffmpeg", capabilities=("encoder=aac", "filter=scale", "feature=many-outputs"))
    assert asked_for(structs.replace(job, needs=needs)) == BOTH | {"encoder/aac"}
    assert asked_for(granted("sh", "-c:v", "h264_nvenc", "x")) == frozenset()

"""Whatever a job has made and said, its result can be told."""

import pytest
from msgspec import structs

from agent.shell.crashing import result_of
from agent.shell.stage import fresh_id
from ffmesh_agent.core.fitting import RESULT_BYTES, fitting
from ffmesh_protocol import codec
from ffmesh_protocol.messages.jobs import Written
from ffmesh_protocol.messages.reports import Result


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (["$R/a", "$R/b"], 2),
        (["$R/" + "n" * 4200, "$R/b"], 1),
        ([f"$R/{at}" for at in range(1000)], 256),
        ([f"$R/{at:04000}" for at in range(200)], 8),
        (["$R/\x01" + "\x01" * 4000] * 200, 0),
        (["$R/\udcff"], 0),
    ],
)
def test_as_many_outputs_are_told_as_there_is_room_for(paths: list[str], left: int) -> None:
    result = structs.replace(
        result_of(fresh_id()), outputs=tuple(Written(path=each, bytes=1) for each in paths), last_lines=("said",)
    )
    told = fitting(result)
    assert len(told.outputs) == left
    encoded = codec.encode(told)
    assert len(encoded) <= RESULT_BYTES
    assert codec.decode(Result, encoded) == told


def test_last_lines_that_cannot_be_told_are_left_out() -> None:
    result = structs.replace(result_of(fresh_id()), last_lines=("x" * 100_000,))
    assert fitting(result) == structs.replace(result, last_lines=())

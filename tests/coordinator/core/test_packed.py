"""What was asked for comes out as it went in, and takes little room until then."""

import sys

import msgspec
import pytest
from hypothesis import given

from ffmesh_coordinator.core.packed import PackedSubmit, shared
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.requests import Submit
from support.coordinating import JOB, submit
from support.told import values


@given(asked=values(Submit))
def test_whatever_is_packed_comes_out_as_it_was(asked: Submit) -> None:
    packed = PackedSubmit.of(asked)
    assert packed.whole == asked
    assert PackedSubmit.read(packed.record) == packed


def test_what_is_looked_at_in_the_queue_stands_open() -> None:
    packed = PackedSubmit.of(submit(kind=JobKind.STAGED, priority=3, max_attempts=2, slot="gpu"))
    assert (packed.job, packed.kind, packed.priority, packed.max_attempts) == (JOB, JobKind.STAGED, 3, 2)
    assert (packed.program, packed.needs.slot, packed.title) == ("ffmpeg", "gpu", "A film")


def test_jobs_with_the_same_needs_share_them() -> None:
    first, second = (PackedSubmit.of(submit(f"0J{number:024d}", roots=("Movies",))) for number in range(2))
    assert first.needs is second.needs
    assert shared(Needs(program="ffmpeg", roots=("Movies",))) is first.needs


def test_a_long_line_takes_less_than_half_of_what_it_was() -> None:
    line = tuple(
        (piece,)
        for number in range(40)
        for piece in ("-i", RootPath(root="Movies", path=f"series/{number}.mkv"), "-vf", f"scale={number}:-2")
    )
    asked = msgspec.structs.replace(submit(), args=line)
    assert sys.getsizeof(PackedSubmit.of(asked).packed) < len(msgspec.json.encode(asked)) / 2


def test_a_record_that_is_not_whole_is_refused_when_it_is_read_and_not_when_its_turn_comes() -> None:
    with pytest.raises(msgspec.MsgspecError):
        PackedSubmit.read(PackedSubmit.of(submit()).record.replace('"umask"', '"masku"'))

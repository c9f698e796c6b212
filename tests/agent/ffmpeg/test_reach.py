import base64
from typing import Any

import pytest

from ffmesh_agent.ffmpeg.command_line import spelled
from ffmesh_agent.ffmpeg.reach import folders, places, roots_of
from ffmesh_protocol.media import Argument, Needs, RawBytes, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def grant(program: str, *args: str | Argument, cwd: RootPath | None = None, roots: tuple[str, ...] = ()) -> Grant:
    values: dict[str, Any] = {"attempt": ULID, "job": ULID, "number": 1, "kind": JobKind.DIRECT, "env": {}}
    values |= {"umask": None, "needs": Needs(program=program, roots=roots), "timeout_seconds": None, "audience": None}
    return Grant(program=program, args=tuple((a,) if isinstance(a, str) else a for a in args), cwd=cwd, **values)


def piece(path: str, root: str = "Movies") -> Argument:
    return (RootPath(root=root, path=path),)


def named(grant: Grant) -> dict[str, bool]:
    """What it names, and whether it is written."""
    return {f"{place.root}/{place.path.decode()}": place.is_written for place in places(grant)}


def test_ffmpeg_reads_what_follows_i_and_writes_the_rest() -> None:
    line = grant("ffmpeg", "-i", piece("a.mkv"), "-vstats_file", piece("log/v"), piece("x.mkv", root="Out"))
    assert named(line) == {"Movies/a.mkv": False, "Movies/log/v": True, "Out/x.mkv": True}


def test_ffprobe_writes_only_what_follows_o() -> None:
    assert named(grant("ffprobe", "-o", piece("a.json"), piece("a.mkv"))) == {
        "Movies/a.json": True,
        "Movies/a.mkv": False,
    }


def test_of_other_programs_everything_counts_as_written() -> None:
    assert named(grant("sh", "-i", piece("a"), "b/c")) == {"Movies/a": True}


def test_relative_words_count_from_the_working_folder_where_they_could_be_names() -> None:
    line = grant(
        "ffmpeg", "-i", "a.mkv", "-b:v", "2.5M", "-map", "0:v", "file:../out/b.mkv", cwd=RootPath(root="M", path="s")
    )
    assert named(line) == {"M/s": True, "M/s/a.mkv": False, "M/s/../out/b.mkv": True}


def test_pieces_inside_a_word_are_the_places_that_they_are_there() -> None:
    tee: Argument = ("[f=hls]", *piece("a/x"), "|[f=mpegts]", *piece("b/y.ts"))
    assert named(grant("ffmpeg", "-f", "tee", tee)) == {
        "Movies/a/x": True,
        "Movies/b/y.ts": True,
    }


def test_what_a_filter_or_an_encoder_reads_is_read_and_what_it_writes_is_written() -> None:
    line = grant(
        "ffmpeg",
        *("-i", piece("a.mkv"), "-vf", ("subtitles=", RootPath(root="Subs", path="a.srt", quoting="filter"))),
        *("-passlogfile", piece("log/two", root="Out"), "-attach", piece("font.ttf"), piece("a.mkv", root="Out")),
    )
    assert named(line) == {
        "Movies/a.mkv": False,
        "Subs/a.srt": False,
        "Out/log/two": True,
        "Movies/font.ttf": False,
        "Out/a.mkv": True,
    }


@pytest.mark.parametrize("option", ["-no_such_option", "-x265-params"])
def test_where_a_path_is_not_understood_it_counts_as_written(option: str) -> None:
    line = grant("ffmpeg", "-i", piece("a.mkv"), option, ("what=", *piece("b")), piece("x.mkv", root="Out"))
    assert named(line) == {"Movies/a.mkv": False, "Movies/b": True, "Out/x.mkv": True}


def test_a_line_in_doubt_may_reach_every_name_that_could_be_one() -> None:
    line = grant("ffmpeg", "-i", "a.mkv", "-no_such_option", "../log/b", "c.mkv", cwd=RootPath(root="M", path="s"))
    assert named(line) == {"M/s": True, "M/s/a.mkv": False, "M/s/../log/b": True, "M/s/c.mkv": True}


def test_no_text_passes_for_a_path_under_a_root() -> None:
    """Not even in the letters by which our own are told from others."""
    (ours,) = spelled(piece("b.mkv", root="Out"))
    raw = RawBytes(base64=base64.b64encode(ours.encode()).decode())
    for forged in (ours, (raw,), ("[f=null]-|", ours)):
        assert named(grant("ffmpeg", "-f", "tee", forged)) == {}
    assert named(grant("ffmpeg", "-f", "tee", piece(f"a|{ours}"))) == {"Movies/a": True}


def test_a_name_that_is_no_text_counts_whole() -> None:
    odd: Argument = (RootPath(root="Movies", path=""), RawBytes(base64="/y5ta3Y="))
    assert [place.path for place in places(grant("ffmpeg", odd))] == [b"\xff.mkv"]


def test_the_folder_of_a_pattern_is_the_one_above_it_if_need_be() -> None:
    assert folders(b"a/v_%v/s_%d.ts") == (b"a/v_%v/s_%d.ts", b"a/v_%v", b"a")
    assert folders(b"a/b.mkv") == (b"a/b.mkv", b"a")
    assert folders(b"") == (b"", b"")


def test_the_roots_of_a_job_are_those_that_it_needs_and_those_that_it_names() -> None:
    line = grant("ffmpeg", "-i", piece("a", root="A"), cwd=RootPath(root="B", path=""), roots=("C",))
    assert roots_of(line) == {"A", "B", "C"}

from typing import Any

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
    assert named(line) == {"M/s": True, "M/s/a.mkv": False, "M/out/b.mkv": True}


def test_pieces_inside_a_word_count_with_and_without_what_follows_them() -> None:
    tee: Argument = ("[f=hls]", *piece("a/x"), "|[f=mpegts]", *piece("b/y.ts"))
    assert named(grant("ffmpeg", "-f", "tee", tee)) == {
        "Movies/a/x|[f=mpegts]": True,
        "Movies/a/x": True,
        "Movies/b/y.ts": True,
    }


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

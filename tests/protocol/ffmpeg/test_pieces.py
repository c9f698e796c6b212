"""Paths under a root travel as pieces, from wherever they stand, and are the same paths on another machine."""

import os

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.pieces import arguments_of, root_path
from ffmesh_protocol.media import Argument, RawBytes, RootPath, written
from support.lines import lines

CALLER = {"Media": "/media", "Films": "/media/films"}
HERE, THERE = "/caller/here", "/agent/it's [over], there: \\;"


def pieces(*words: str) -> tuple[Argument, ...]:
    return arguments_of(read("ffmpeg", words), CALLER)


@pytest.mark.parametrize(
    ("words", "argument"),
    [
        (("-i", "/media/a.mkv"), (RootPath(root="Media", path="a.mkv"),)),
        (("-i", "file:/media/a.mkv"), ("file:", RootPath(root="Media", path="a.mkv"))),
        (("-i", "/media/films/a.mkv"), (RootPath(root="Films", path="a.mkv"),)),
        (("-i", "/media/filmsy/a.mkv"), (RootPath(root="Media", path="filmsy/a.mkv"),)),
        (("-i", "//media/x/../a.mkv"), (RootPath(root="Media", path="a.mkv"),)),
        (("-i", "/media/../etc/passwd"), ("/media/../etc/passwd",)),
        (("-i", "a.mkv"), ("a.mkv",)),
        (("-i", "http://host/media/a.mkv"), ("http://host/media/a.mkv",)),
        (("-metadata", "title=/media/a"), ("title=/media/a",)),
        (("-passlogfile", "/media/logs/"), (RootPath(root="Media", path="logs/"),)),
        (
            ("-i", "concat:/media/a.ts|/media/b.ts"),
            (
                "concat:",
                RootPath(root="Media", path="a.ts", quoting="concat"),
                "|",
                RootPath(root="Media", path="b.ts", quoting="concat"),
            ),
        ),
        (("-i", "/media/%03d.png"), (RootPath(root="Media", path="%03d.png", quoting="pattern"),)),
        (
            ("-vf", "scale=2:2,ass=/media/it.ass"),
            ("scale=2:2,ass=", RootPath(root="Media", path="it.ass", quoting="filter")),
        ),
        (
            ("-i", os.fsdecode(b"/media/caf\xe9.mkv")),
            (RootPath(root="Media", path=""), RawBytes(base64="Y2Fm6S5ta3Y=")),
        ),
    ],
    ids=repr,
)
def test_a_path_is_a_piece_where_it_stands_and_nothing_else_is(words: tuple[str, ...], argument: Argument) -> None:
    assert pieces(*words, "out.mkv")[1] == argument


def test_without_a_path_the_words_stay_as_they_are() -> None:
    words = ("-i", "http://x/y", "-vf", "scale=2:2", "", "-f", "null", "-")
    assert pieces(*words) == tuple((word,) for word in words)


def test_a_relative_path_lies_where_the_program_starts() -> None:
    assert root_path("a/../b.mkv", CALLER, "/media/films/new") == RootPath(root="Films", path="new/b.mkv")
    assert root_path("../x.mkv", CALLER, "/media/films") == RootPath(root="Media", path="x.mkv")
    assert root_path("../../x.mkv", CALLER, "/media/films") is None
    assert root_path("x.mkv", CALLER, None) is None


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_another_machine_reads_its_own_paths_in_the_same_places(data: st.DataObject) -> None:
    words, *_ = data.draw(lines(HERE))
    line = read("ffmpeg", words)
    assume(not line.doubts)
    arguments = arguments_of(line, {"Here": HERE})
    on_the_agent = read("ffmpeg", [os.fsdecode(written(argument, {"Here": THERE})) for argument in arguments])
    assert on_the_agent.doubts == ()
    moved = [(named.argument, named.role, named.place.path.replace(HERE, THERE)) for named in line.named]
    assert [(named.argument, named.role, named.place.path) for named in on_the_agent.named] == moved

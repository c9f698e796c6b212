"""A command line, laid out for reading and to be pasted."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_client.tui.model.command import Kind, Word, laid_out, to_paste
from ffmesh_client.tui.model.texts import one_line

ARGS = ("-y", "-ss", "-1.5", "-i", "$Movies/a b.mkv", "-vf", "subtitles=f=$Subs/x.srt:si=0", "-an", "$Movies/out.mkv")


def shown(args: tuple[str, ...]) -> list[str]:
    """Each line, with a blank behind its option."""
    return ["".join(_said(word) for word in line).rstrip() for line in laid_out("ffmpeg", args)]


def _said(word: Word) -> str:
    return f"{word.text} " if word.kind is Kind.OPTION else word.text


def test_each_option_stands_with_its_value() -> None:
    assert shown(ARGS) == [
        "ffmpeg",
        "-y",
        "-ss -1.5",
        "-i $Movies/a b.mkv",
        "-vf subtitles=f=$Subs/x.srt:si=0",
        "-an",
        "$Movies/out.mkv",
    ]


def test_names_of_roots_are_marked_wherever_they_stand() -> None:
    roots = [word.text for line in laid_out("ffmpeg", ARGS) for word in line if word.kind is Kind.ROOT]
    assert roots == ["$Movies", "$Subs", "$Movies"]


@given(st.lists(st.text(min_size=1, max_size=12), max_size=8))
def test_no_word_is_lost_or_moved(args: list[str]) -> None:
    words = "".join(word.text for line in laid_out("x", args) for word in line)
    assert words == "x" + "".join(map(one_line, args))


def test_what_is_pasted_has_the_paths_of_this_machine() -> None:
    line = to_paste("ffmpeg", ARGS, {"Movies": "/srv/my films/"})
    words = shlex.split(line)
    assert words[5] == "/srv/my films/a b.mkv"
    assert words[-1] == "/srv/my films/out.mkv"
    assert "$Subs/x.srt" in words[7], "a root that is not here keeps its name"


@pytest.mark.parametrize("args", [("-f",), ("-",), ("",), ("-3",), ("-i", "-i")])
def test_a_line_that_ends_anywhere_is_laid_out(args: tuple[str, ...]) -> None:
    assert len(laid_out("ffmpeg", args)) >= 2

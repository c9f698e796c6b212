"""Every machine writes its own path into the place where the caller's stood."""

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.ffmpeg.escapes import spelled, take_token
from ffmesh_protocol.ffmpeg.quoting import joined, known, write
from support.spelling import names

ENDS = {"option": ":=", "graph": "[],;", "tee": "|", "slave": ":=]"}
NOT_UTF8 = os.fsdecode(b"caf\xe9: \xff.mkv")


@pytest.mark.parametrize(
    ("quoting", "place", "path", "written"),
    [
        ("none", "/m", "It's: 1.mkv", "/m/It's: 1.mkv"),
        ("none", "/m", "", "/m"),
        ("none", "/m/", "", "/m/"),
        ("none", "/", "a", "/a"),
        ("option", "/m:n", "a=b", r"/m\:n/a\=b"),
        ("filter", "/m", "It's.srt", r"/m/It\\\'s.srt"),
        ("option+graph", "/m", "It's.srt", r"/m/It\\\'s.srt"),
        ("filter", "/m", "[1], 2; 3", r"/m/\[1\]\, 2\; 3"),
        ("filter", "/m", "a ", r"/m/a\\\ "),
        ("option+quoted", "/m", "It's: [1]", r"/m/It\'\''s\: [1]"),
        ("quoted", "/m", "a:b", "/m/a:b"),
        ("tee", "/m", "a|b", r"/m/a\|b"),
        ("slave+tee", "/m", "a]b", r"/m/a\\]b"),
        ("pattern", "/m%", "%03d.png", "/m%%/%03d.png"),
        ("pattern+filter", "/m:%", "%03d:.png", r"/m\\:%%/%03d\\:.png"),
        ("glob", "/m*[x]", "*.png", r"/m\*\[x\]/*.png"),
        ("concat", "/m", "a:b", "/m/a:b"),
    ],
)
def test_a_path_is_written_for_its_place(quoting: str, place: str, path: str, written: str) -> None:
    assert known(quoting)
    assert write(place.encode(), path.encode(), quoting).decode() == written


@pytest.mark.parametrize(
    "quoting", ["", "+", "none+graph", "graph+pattern", "filter+", "Filter", "shell", "option graph"]
)
def test_a_quoting_of_a_later_version_is_refused(quoting: str) -> None:
    assert not known(quoting)
    with pytest.raises(PathRefused):
        write(b"/m", b"a", quoting)


@pytest.mark.parametrize(("place", "path"), [("/m", "a|b"), ("/m|n", "a")])
def test_a_bar_cannot_stand_in_a_list_that_knows_no_escapes(place: str, path: str) -> None:
    with pytest.raises(PathRefused):
        write(place.encode(), path.encode(), "concat+option")


def test_what_is_frequent_has_a_short_name() -> None:
    assert joined() == "none"
    assert joined("none", "none") == "none"
    assert joined("option", "graph") == "filter"
    assert joined("pattern", "option", "graph") == "pattern+filter"
    assert joined("concat", "option", "option", "graph") == "concat+option+filter"
    assert joined("option", "quoted") == "option+quoted"
    assert joined("none", "tee") == "tee"


@given(
    st.lists(st.sampled_from(sorted(ENDS)), min_size=1, max_size=3),
    st.one_of(names, st.just(NOT_UTF8), st.text(string.printable, max_size=6).filter(lambda name: "/" not in name)),
)
def test_what_is_written_is_read_as_the_path(levels: list[str], name: str) -> None:
    raw = write(b"/m", os.fsencode(name), joined(*levels))
    read = spelled(os.fsdecode(raw))
    for level in reversed(levels):
        taken = take_token(read, 0, ENDS[level])
        assert taken.at == len(read.text)
        read = taken.token
    assert read.text == f"/m/{name}" if name else "/m"


@given(st.sampled_from(["option", "graph", "tee", "slave"]), names)
def test_between_quotes_the_quotes_stay_balanced(level: str, name: str) -> None:
    raw = write(b"/m", name.encode(), "option+quoted").decode()
    outer = take_token(spelled(f"'f={raw}'{ENDS[level][0]}rest"), 0, ENDS[level])
    inner = take_token(outer.token, 2, ":")
    assert inner.token.text == f"/m/{name}"
    assert inner.at == len(outer.token.text)

"""Sets of names as ffmpeg writes them down."""

import pytest

from ffmesh_agent.ffmpeg.names import Names, fixed_folder, why_not
from ffmesh_protocol.media import is_pattern


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("a%d.ts", ["a0.ts", "a12.ts", "a%d.ts"], ["a.ts", "a01.ts", "ab1.ts", "a1.tsx", "x/a1.ts"]),
        ("a%03d.png", ["a001.png", "a1000.png"], ["a1.png", "a0001.png"]),
        ("a%3d", ["a  1", "a123"], ["a", "a1x"]),
        ("%v/s_%d.m4s", ["0/s_1.m4s", "high q/s_0.m4s"], ["s_1.m4s", "0/1/s_1.m4s", "/s_1.m4s"]),
        ("100%%_%d", ["100%_7"], ["100%%_7", "100_7"]),
        ("x_vtt.m3u8", ["x_vtt.m3u8"], ["x_vttXm3u8"]),
    ],
)
def test_a_set_has_the_names_that_ffmpeg_would_make(pattern: str, names: list[str], others: list[str]) -> None:
    each = Names(pattern)
    assert all(name in each for name in names)
    assert not any(name in each for name in others)


def test_a_percent_sign_alone_makes_no_pattern() -> None:
    assert [is_pattern(name) for name in ("100%", "a%%d", "%s", "a%d", "%v", "%05d")] == [False] * 3 + [True] * 3


def test_the_folder_of_a_set_is_known_as_far_as_its_name_is_plain() -> None:
    names = ("a/b/%v/s%d.ts", "a/%d.ts", "%d.ts", "%v/x.m3u8", "a/b")
    assert list(map(fixed_folder, names)) == ["a/b", "a", "", "", "a"]


def test_a_longer_row_goes_on_after_the_last_new_number_as_far_as_there_is_no_gap() -> None:
    old = ["f0.ts", "f1.ts", "f2.ts", "f3.ts", "f5.ts", "g2.ts"]
    assert Names("f%d.ts").going_on(["f0.ts", "f1.ts"], old) == ["f2.ts", "f3.ts"]
    assert Names("%v/s%d").going_on(["a/s0", "b/s0"], ["a/s1", "b/s2", "c/s0"]) == ["a/s1"]
    assert Names("%v.m3u8").going_on(["0.m3u8"], ["1.m3u8"]) == []


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a%099999999999d.ts", "its numbers have more than 20 digits"),
        ("a%021d.ts", "its numbers have more than 20 digits"),
        ("%d_" * 9, "it has 9 placeholders, and 8 are the limit"),
        ("%d%d", "two of its numbers follow each other with nothing between them"),
        *((good, None) for good in ("a%020d.ts", "%d_" * 8, "%v/%v_%05d%%%d", "%d%%%d")),
    ],
)
def test_sets_whose_names_could_not_be_told_apart_are_none(pattern: str, why: str | None) -> None:
    assert why_not(pattern) == why


def test_names_that_may_be_read_in_many_ways_cost_no_more_than_others() -> None:
    assert "1" * 255 + "x" not in Names("%d" * 13)
    assert "_" * 255 + "/" not in Names("%v_" * 8)
    assert "10203" in Names("%d0%d0%d")
    assert "10203" not in Names("%d0%d0%d0%d")
    assert Names("%d_%d").going_on(["1_1"], ["1_2", "2_2", "01_2"]) == ["1_2"]
    assert Names("%v_%d").going_on(["a_b_1"], ["a_b_2", "a_3"]) == ["a_b_2"]

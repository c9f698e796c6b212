"""Sets of names as ffmpeg writes them down."""

import pytest

from ffmesh_agent.ffmpeg.names import Names, fixed_folder
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

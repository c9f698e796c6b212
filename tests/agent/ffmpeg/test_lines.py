import pytest

from ffmesh_agent.ffmpeg.lines import LINE_BYTES, Lines

TEXT = b"one\rtwo\r\nthree\n\nfive\r\rseven\r\n\r\nnine"
LINES = [b"one", b"two", b"three", b"", b"five", b"", b"seven", b""]


@pytest.mark.parametrize("cut", range(len(TEXT) + 1))
def test_cr_lf_and_both_end_a_line_wherever_the_bytes_are_cut(cut: int) -> None:
    lines = Lines()
    assert lines.feed(TEXT[:cut]) + lines.feed(TEXT[cut:]) == LINES
    assert lines.rest() == b"nine"


def test_bytes_one_at_a_time_give_the_same_lines() -> None:
    lines = Lines()
    assert [line for at in range(len(TEXT)) for line in lines.feed(TEXT[at : at + 1])] == LINES


def test_a_line_without_end_is_kept_only_as_far_as_a_line_may_be_long() -> None:
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 1000) == []
    assert lines.feed(b"\r") == [b"x" * LINE_BYTES]


def test_after_the_rest_was_taken_nothing_continues_it() -> None:
    lines = Lines()
    lines.feed(b"begun")
    assert lines.rest() == b"begun"
    assert lines.feed(b"new\n") == [b"new"]

from ffmesh_agent.ffmpeg.last_words import KEPT_BYTES, LastWords


def _said(*blocks: bytes) -> list[str]:
    words = LastWords()
    for block in blocks:
        words.feed(block)
    return words.lines()


def test_lines_are_whole_however_the_blocks_were_cut() -> None:
    assert _said(b"one\rtw", b"o\r", b"\nthr\xff", b"ee") == ["one", "two", "thr\ufffdee"]
    assert _said() == []


def test_of_much_the_end_is_kept_and_no_line_without_its_beginning() -> None:
    lines = _said(*[b"%08d\n" % number for number in range(100_000)])
    assert lines[-1] == "00099999"
    assert KEPT_BYTES <= 9 * (len(lines) + 1) <= 2 * KEPT_BYTES
    assert {len(line) for line in lines} == {8}


def test_one_block_of_any_size_is_bounded_too() -> None:
    assert _said(b"x" * 10_000_000 + b"\nend") == ["end"]

from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.tails import FILE_BYTES, KEPT, LINE_CHARS, MESSAGE_BYTES, Part, Tails


@pytest.fixture
async def disk() -> AsyncGenerator[Disk, None]:
    disk = Disk("disk")
    yield disk
    disk.close()


async def _texts(tails: Tails, attempt: str) -> list[str]:
    return [line.text for line in (await _part(tails, attempt)).lines]


async def _part(tails: Tails, attempt: str, *, after: int | None = None) -> Part:
    part = await tails.read(attempt, after=after)
    assert part is not None
    return part


async def _new(tails: Tails, after: int) -> list[tuple[int, str]]:
    """Of the attempt "a"."""
    return [(line.number, line.text) for line in (await _part(tails, "a", after=after)).lines]


async def _prepared(folder: Path, disk: Disk) -> Tails:
    tails = Tails(folder, disk)
    await tails.prepare()
    return tails


async def test_cr_lf_and_both_end_a_line_and_each_has_its_time(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    tail.feed(0.5, b"one\rtw")
    tail.feed(1.25, b"o\r\nthree\nfour")
    assert [(line.time, line.stream, line.text) for line in (await _part(tails, "a")).lines] == [
        (0.5, "stderr", "one"),
        (1.25, "stderr", "two"),
        (1.25, "stderr", "three"),
    ]
    await tails.end("a")
    assert (await _texts(tails, "a"))[-1] == "four"


async def test_nothing_is_known_of_an_attempt_that_was_never_here_and_one_that_was_silent_has_no_lines(
    tmp_path: Path, disk: Disk
) -> None:
    tails = await _prepared(tmp_path, disk)
    assert await tails.read("a") is None
    tails.begin("a")
    await tails.end("a")
    assert await tails.read("a") == Part(())
    assert list(tmp_path.iterdir()) == []


async def test_a_later_life_reads_what_an_earlier_one_kept(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    tails.begin("a").feed(0.0, b"kept\n")
    await tails.beat()
    again = await _prepared(tmp_path, disk)
    assert await _texts(again, "a") == ["kept"]


async def test_a_long_line_is_cut_and_bytes_that_are_no_text_do_no_harm(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    tail.feed(0.0, b"x" * 30_000 + b"\n\xff\xfe\n")
    assert await _texts(tails, "a") == ["x" * LINE_CHARS, "��"]


async def test_the_end_is_kept_within_its_size_however_much_there_was(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    for beat in range(50):
        for line in range(200):
            tail.feed(float(beat), b"line %d of beat %d\n" % (line, beat))
        await tails.beat()
    await tails.end("a")
    texts = await _texts(tails, "a")
    assert texts[-1] == "line 199 of beat 49"
    assert FILE_BYTES // 2 < sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2 * FILE_BYTES


async def test_between_two_beats_only_the_newest_is_held_in_memory_and_no_line_is_made_up(
    tmp_path: Path, disk: Disk
) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    tail.feed(0.0, b"a line that never ends because ")
    await tails.beat()
    for number in range(100_000):
        tail.feed(1.0, b"%08d\r" % number)
    assert tail.held_bytes <= 2 * FILE_BYTES
    texts = await _texts(tails, "a")
    assert texts[-1] == "00099999"
    assert all(text.isdigit() and len(text) == 8 for text in texts[1:])


async def test_letters_written_one_by_one_are_held_together(tmp_path: Path, disk: Disk) -> None:
    tail = (await _prepared(tmp_path, disk)).begin("a")
    for _ in range(10_000):
        tail.feed(1.0, b"x")
    assert len(tail._blocks) < 10  # pyright: ignore[reportPrivateUsage] - what each letter costs is not to be seen outside


async def test_what_answers_a_request_fits_into_a_message(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    for _ in range(4):
        tail.feed(0.0, b"\n" * FILE_BYTES)  # lines of nothing: the most JSON for the fewest bytes
        await tails.beat()
    lines = (await _part(tails, "a")).lines
    assert len(lines) > 1000
    assert len(msgspec.json.encode(lines)) <= MESSAGE_BYTES + 2


async def test_the_oldest_tails_go_when_there_are_too_many(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    for number in range(KEPT + 20):
        tails.begin(f"a{number}").feed(0.0, b"text\n")
        await tails.end(f"a{number}")
    assert len(list(tmp_path.iterdir())) == KEPT
    assert await tails.read("a19") is None
    assert await _texts(tails, "a20") == ["text"]


async def test_a_line_cut_off_by_a_crash_is_passed_over(tmp_path: Path, disk: Disk) -> None:
    (tmp_path / "a.log").write_bytes(b'[0.5,"whole"]\n[0.7,"cut o')
    assert await _texts(await _prepared(tmp_path, disk), "a") == ["whole"]


async def test_a_disk_that_takes_nothing_stops_nobody_and_is_complained_of_once(
    tmp_path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    tails = await _prepared(tmp_path / "logs", disk)
    (tmp_path / "logs").rmdir()
    tail = tails.begin("a")
    for _ in range(3):
        tail.feed(0.0, b"text\n")
        await tails.beat()
    assert len(caplog.records) == 1


# --- to be followed


async def test_who_says_how_far_it_has_got_is_told_what_is_new_and_nothing_twice(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    tail.feed(0.0, b"one\ntwo\nthr")
    assert await _new(tails, 0) == [(1, "one"), (2, "two")]
    assert await _new(tails, 2) == []
    tail.feed(1.0, b"ee\n")
    await tails.beat()
    assert await _new(tails, 1) == [(2, "two"), (3, "three")]
    assert await _new(tails, 99) == []
    tail.feed(2.5, b"no end")
    assert await _new(tails, 3) == []
    await tails.end("a")
    assert await _new(tails, 3) == [(4, "no end")]
    assert (await _part(tails, "a")).lines[-1].time == 2.5


@pytest.mark.parametrize("block_bytes", [10, 4096, 3 * FILE_BYTES])
async def test_numbers_tell_where_lines_are_missing(tmp_path: Path, disk: Disk, block_bytes: int) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    tail.feed(0.0, b"first\n")
    assert await _new(tails, 0) == [(1, "first")]
    flood = b"".join(b"%08d\n" % number for number in range(2, 20_002))
    for start in range(0, len(flood), block_bytes):
        tail.feed(1.0, flood[start : start + block_bytes])
    found = await _new(tails, 1)
    assert found[0][0] > 2
    assert found[-1][1] == "00020001"
    whole = found[1:]  # the cut went through the first of them
    assert [number for number, _ in whole] == list(range(whole[0][0], whole[0][0] + len(whole)))
    assert await _new(tails, found[-1][0]) == []


async def test_what_does_not_fit_is_told_bit_by_bit_and_in_order(tmp_path: Path, disk: Disk) -> None:
    tails = await _prepared(tmp_path, disk)
    tail = tails.begin("a")
    for _ in range(2):
        tail.feed(0.0, b"\n" * 2000)
        await tails.beat()
    asked, told = 0, list[int]()
    while True:
        part = await _part(tails, "a", after=told[-1] if told else 0)
        asked += 1
        assert len(msgspec.json.encode(part.lines)) <= MESSAGE_BYTES + 2
        told += [line.number for line in part.lines]
        if not part.more:
            break
    assert asked > 1
    assert told == list(range(1, 4001))
    newest = await _part(tails, "a")
    assert (newest.lines[-1].number, newest.more) == (4000, False)


async def test_lines_that_an_earlier_version_kept_are_shown(tmp_path: Path, disk: Disk) -> None:
    (tmp_path / "a.log").write_bytes(b'[0.5,"of before"]\n')
    tails = await _prepared(tmp_path, disk)
    assert [(line.text, line.number) for line in (await _part(tails, "a")).lines] == [("of before", 0)]
    assert await _new(tails, 0) == []

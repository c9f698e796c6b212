"""How many bytes an ffmpeg will write, as far as its command line and the sizes of its inputs say."""

import pytest

from agent.ffmpeg.wording import OUT, A, B, line, path
from ffmesh_agent.ffmpeg.estimate import FRAME_BYTES, GROWS, RATE_MAX, expected_bytes, number, seconds
from ffmesh_protocol.media import Argument

GB = 10**9
WITH_SOUND = 24_000


@pytest.mark.parametrize(
    ("args", "sizes", "expected"),
    [
        # As large as what is read, copied or encoded anew.
        (("-i", A, "-c", "copy", OUT), [8 * GB], 8 * GB),
        (("-i", A, "-c:v", "libx265", "-crf", "23", OUT), [8 * GB], 8 * GB),
        (("-i", A, "-i", B, "-c", "copy", OUT), [8 * GB, 1000], 8 * GB + 1000),
        (("-i", A, "-c:v", "ffv1", OUT), [GB], GROWS * GB),
        (("-i", A, "-vn", path("a.flac")), [8 * GB], 2 * GB),
        (("-i", A, "-map", "0:a:0", path("a.flac")), [8 * GB], 2 * GB),
        (("-i", A, "-map", "0:s?", path("a.srt")), [8 * GB], 0.08 * GB),
        (("-i", A, "-map", "0:v", "-map", "0:a", OUT), [8 * GB], 8 * GB),
        # Bitrates that are set, for a known time.
        (("-i", A, "-t", "100", "-b:v", "8M", "-b:a", "80k", OUT), [8 * GB], 1.02 * 101_000_000),
        (("-t", "100", "-i", A, "-b:v", "8M", OUT), [8 * GB], 1.02 * (100_000_000 + 100 * WITH_SOUND)),
        (("-i", A, "-to", "100", "-crf", "20", "-maxrate", "8M", "-an", OUT), [8 * GB], 1.02 * 100_000_000),
        (("-f", "lavfi", "-i", "testsrc", "-t", "10", "-b:v:0", "1M", "-b:v:1", "2M", "-an", OUT), [None], 3_825_000),
        (("-i", A, "-vn", "-t", "80", "-b:a", "100k", path("a.mp3")), [8 * GB], 1_020_000),
        # No more than anything needs for that time, and no more than is read.
        (("-i", A, "-t", "10", "-c", "copy", OUT), [50 * GB], 10 * RATE_MAX),
        (("-i", A, "-t", "10000", "-c", "copy", OUT), [GB], GB),
        (("-f", "lavfi", "-i", "testsrc", "-t", "10", OUT), [None], 10 * RATE_MAX),
        # Limits.
        (("-i", A, "-fs", "700M", OUT), [8 * GB], 700_000_000),
        (("-i", A, "-frames:v", "1", path("p.jpg")), [8 * GB], FRAME_BYTES),
        (("-i", A, "-vframes", "3", "-an", OUT), [8 * GB], 3 * FRAME_BYTES),
        (("-i", A, "-f", "null", "-"), [8 * GB], 0),
        # Nothing can be said.
        (("-f", "lavfi", "-i", "testsrc", OUT), [None], None),
        (("-i", A, "-i", "http://h/b.mkv", OUT), [GB, None], None),
        (("-loop", "1", "-i", path("p.png"), OUT), [1000], None),
        (("-i", path("p.png"), OUT), [1000], None),
        (("-stream_loop", "-1", "-i", A, OUT), [1000], None),
        (("-f", "concat", "-i", path("list.txt"), "-c", "copy", OUT), [200], None),
        (("-i", path("index.m3u8"), "-c", "copy", OUT), [200], None),
        (("-i", A, "-t", "soon", OUT), [None], None),
    ],
)
def test_the_least_that_can_be_said_counts(
    args: tuple[str | Argument, ...], sizes: list[int | None], expected: float | None
) -> None:
    (found,) = expected_bytes(line(*args), sizes)
    assert found == (int(expected) if expected is not None else None)


@pytest.mark.parametrize(
    "args",
    [
        ("-fs", "9" * 400),
        ("-t", "9" * 400, "-b:v", "0", "-an"),
        ("-t", "9" * 5000 + ":00:00"),
        ("-t", "9" * 17, "-b:v", "9" * 17 + "T"),
        ("-frames:v", "9" * 400, "-an"),
        ("-to", "." + "9" * 400 + "us", "-b:v", "1" + "0" * 400),
    ],
)
def test_numbers_beyond_all_bounds_say_no_more_than_any_other(args: tuple[str, ...]) -> None:
    (found,) = expected_bytes(line("-i", A, *args, OUT), [GB])
    assert found is not None
    assert found <= GB
    (alone,) = expected_bytes(line("-f", "lavfi", "-i", "testsrc", *args, OUT), [None])
    assert alone is None or alone >= 0


def test_each_output_has_its_own() -> None:
    found = expected_bytes(line("-i", A, "-fs", "5M", OUT, "-c", "copy", path("b.mkv")), [GB])
    assert found == (5_000_000, GB)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("5M", 5e6), ("128k", 128e3), ("1.5Gi", 1.5 * 2**30), ("8kB", 64e3), ("700", 700), (".5M", 5e5)),
        *(("", None), ("fast", None), ("5 M", None), ("-1", None)),
    ],
)
def test_numbers_are_read_as_ffmpeg_reads_them(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("90", 90), ("1:30", 90), ("00:01:30.5", 90.5), ("100:00:00", 360_000), ("500ms", 0.5), ("5us", 5e-6)),
        *((".5", 0.5), ("", None), ("soon", None), ("1:2:3:4", None)),
    ],
)
def test_times_are_read_as_ffmpeg_reads_them(text: str, value: float | None) -> None:
    assert seconds(text) == (pytest.approx(value) if value is not None else None)

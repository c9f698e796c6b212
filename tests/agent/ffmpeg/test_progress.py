import pytest

from ffmesh_agent.ffmpeg.progress import ProgressReader
from ffmesh_protocol.messages.jobs import Progress

# Two blocks of a real `ffmpeg -progress`, version 5.1.9.
SAMPLE = b"""frame=2003
fps=55.38
stream_0_0_q=28.0
bitrate= 812.4kbits/s
total_size=8474391
out_time_us=83450000
out_time_ms=83450000
out_time=00:01:23.450000
dup_frames=0
drop_frames=0
speed=2.31x
progress=continue
frame=2880
fps=54.90
stream_0_0_q=-1.0
bitrate=N/A
total_size=N/A
out_time_us=120000000
out_time_ms=120000000
out_time=00:02:00.000000
dup_frames=0
drop_frames=0
speed=1.36e+03x
progress=end
"""
FIRST = Progress(
    percent=69.54, frame=2003, fps=55.38, speed=2.31, out_time_s=83.45, bitrate_kbps=812.4, eta_s=round(36.55 / 2.31, 1)
)
SECOND = Progress(percent=100.0, frame=2880, fps=54.9, speed=1360.0, out_time_s=120.0, bitrate_kbps=None, eta_s=0.0)


def test_blocks_are_read_wherever_the_bytes_are_cut() -> None:
    for cut in range(len(SAMPLE) + 1):
        reader = ProgressReader()
        assert reader.feed(SAMPLE[:cut], 120.0) + reader.feed(SAMPLE[cut:], 120.0) == [FIRST, SECOND], cut


def _block(**lines: str) -> Progress:
    text = "".join(f"{key}={value}\n" for key, value in lines.items())
    (progress,) = ProgressReader().feed(f"{text}progress=continue\n".encode(), 120.0)
    return progress


def test_out_time_is_read_from_microseconds_and_never_from_the_key_that_says_milliseconds() -> None:
    assert _block(out_time_ms="83450000").out_time_s is None
    assert _block(out_time_us="83450000").out_time_s == 83.45


def test_83450000_microseconds_of_two_minutes_are_69_54_percent_and_1_minute_23_45() -> None:
    (first, _) = ProgressReader().feed(SAMPLE, 120.0)
    assert first.percent == 69.54
    assert first.out_time_s is not None
    minutes, seconds = divmod(first.out_time_s, 60)
    assert f"00:{minutes:02.0f}:{seconds:05.2f}" == "00:01:23.45"


def test_lines_end_in_cr_or_lf_and_one_that_never_ends_is_cut_and_forgotten() -> None:
    for end in (b"\r", b"\r\n"):
        assert ProgressReader().feed(SAMPLE.replace(b"\n", end), 120.0) == [FIRST, SECOND]
    reader = ProgressReader()
    for _ in range(1000):
        assert reader.feed(b"x" * 10_000) == []
    assert reader.feed(b"\n" + SAMPLE, 120.0) == [FIRST, SECOND]


def test_without_a_duration_there_is_neither_percentage_nor_time_left() -> None:
    (first, _) = ProgressReader().feed(SAMPLE)
    assert (first.percent, first.eta_s, first.out_time_s) == (None, None, 83.45)


@pytest.mark.parametrize("value", ["N/A", "", "nan", "inf", "-inf", "x", "1_0_", "0x10"])
def test_what_is_no_number_is_not_known(value: str) -> None:
    assert _block(frame=value, fps=value, bitrate=value, out_time_us=value, speed=value) == Progress()


def test_ffmpegs_sign_for_no_timestamp_is_no_time_and_a_codecs_delay_is_the_beginning() -> None:
    assert _block(out_time_us="-9223372036854775808").out_time_s is None
    assert _block(out_time_us="-23219").out_time_s == 0.0


def test_a_little_more_than_the_input_is_all_of_it_and_much_more_shows_that_its_length_means_nothing() -> None:
    assert _block(out_time_us="121000000").percent == 100.0
    assert _block(out_time_us="180000000").percent is None


def test_a_speed_of_nothing_leaves_the_time_left_unknown() -> None:
    assert _block(out_time_us="60000000", speed="0x").eta_s is None


def test_lines_that_are_no_pairs_and_keys_that_nobody_knows_are_passed_over() -> None:
    (progress,) = ProgressReader().feed(b"\xff\xfe nonsense\n=\nfps\nunknown=1\nframe=3\nprogress=continue\n")
    assert progress == Progress(frame=3)

from ffmesh_agent.ffmpeg.duration import DurationReader

# What a real ffmpeg 5.1.9 says before it starts, shortened.
BANNER = b"""ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026 the FFmpeg developers
Input #0, matroska,webm, from 'a.mkv':
  Metadata:
    title           :   Duration: 99:00:00.00
    ENCODER         : Lavf59.27.100
  Duration: 00:01:23.45, start: 0.000000, bitrate: 812 kb/s
  Stream #0:0: Video: h264 (High), yuv420p, 1280x720, 24 fps
    Metadata:
      DURATION        : 00:01:23.450000000
Input #1, wav, from 'b.wav':
  Duration: 00:00:07.00, bitrate: 1411 kb/s
Input #2, lavfi, from 'anullsrc':
  Duration: N/A, start: 0.000000, bitrate: 705 kb/s
Stream mapping:
  Stream #0:0 -> #0:0 (h264 (native) -> h264 (libx264))
  Duration: 50:00:00.00, said by somebody else
"""


def _seconds(*blocks: bytes) -> float | None:
    reader = DurationReader()
    for block in blocks:
        reader.feed(block)
    return reader.seconds


def test_the_longest_input_counts_wherever_the_bytes_are_cut() -> None:
    for cut in range(len(BANNER) + 1):
        assert _seconds(BANNER[:cut], BANNER[cut:]) == 83.45, cut


def test_an_input_that_does_not_know_its_length_gives_none() -> None:
    assert _seconds(b"  Duration: N/A, bitrate: N/A\n") is None


def test_lines_that_end_in_cr_are_lines_too() -> None:
    assert _seconds(BANNER.replace(b"\n", b"\r")) == _seconds(BANNER.replace(b"\n", b"\r\n")) == 83.45


def test_levels_in_front_of_the_line_do_not_hide_it() -> None:
    assert _seconds(b"[info]   Duration: 01:00:00.50, start: 0\n") == 3600.5


def test_only_the_place_where_ffmpeg_says_it_counts() -> None:
    assert _seconds(b"title :   Duration: 00:00:05.00\n", b"Duration: 00:00:06.00\n") is None

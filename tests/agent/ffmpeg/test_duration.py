import pytest

from ffmesh_agent.ffmpeg.command_line import files_in
from ffmesh_agent.ffmpeg.duration import DurationReader, written_seconds
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant

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


ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def _grant(line: str) -> Grant:
    return Grant(
        attempt=ULID,
        job=ULID,
        number=1,
        kind=JobKind.DIRECT,
        program="ffmpeg",
        args=tuple((word,) for word in line.split()),
        cwd=None,
        env={},
        umask=None,
        needs=Needs(program="ffmpeg"),
        timeout_seconds=None,
        audience=None,
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-i ten -f null -", 10),
        ("-ss 4 -i ten -f null -", 6),
        ("-sseof -3 -i ten -f null -", 3),
        ("-sseof -30 -i ten -f null -", 10),
        ("-t 2 -i ten -f null -", 2),
        ("-to 0:05 -i ten -f null -", 5),
        ("-ss 2 -to 5 -i ten -f null -", 3),
        ("-ss 2 -t 5 -to 3 -i ten -f null -", 5),
        ("-ss 20 -i ten -f null -", 0),
        ("-i ten -ss 3 -f null -", 7),
        ("-i ten -ss 3 -to 5 -f null -", 2),
        ("-i ten -ss 3 -t 500ms -f null -", 0.5),
        ("-i ten -t 60 -f null -", 10),
        ("-i ten -i four -f null -", 10),
        ("-i ten -i four -shortest -f null -", 4),
        ("-i ten -t 2 a.mkv -t 5 b.mkv", 5),
        ("-i ten -t 2 a.mkv b.mkv", 10),
        ("-stream_loop 1 -i ten -f null -", 20),
        ("-stream_loop -1 -i ten -i four -shortest -f null -", 4),
        ("-stream_loop -1 -i ten -t 30 -f null -", 30),
        ("-loop 1 -i ten -f null -", None),
        ("-loop 1 -t 7 -i ten -f null -", 7),
        ("-i endless -f null -", None),
        ("-i endless -t 5 -f null -", 5),
        ("-i endless -i ten -f null -", 10),
        ("-i ten -metadata title=-t -f null -", 10),
        ("-i ten -metadata -t -f null -", 10),
        ("-i ten -t nonsense -f null -", 10),
    ],
)
def test_what_arguments_cut_off_inputs_and_outputs_is_not_waited_for(line: str, expected: float | None) -> None:
    known = {"ten": 10.0, "four": 4.0}
    names = [after for word, after in zip(line.split(), line.split()[1:], strict=False) if word == "-i"]
    said = {number: known[name] for number, name in enumerate(names) if name in known}
    assert written_seconds(files_in(_grant(line), {}), said) == expected


def test_what_only_the_arguments_say_is_known_when_ffmpeg_says_nothing() -> None:
    assert DurationReader(files_in(_grant("-v error -i film -t 90 out.mkv"), {})).seconds == 90
    assert DurationReader(files_in(_grant("-v error -i film out.mkv"), {})).seconds is None


def test_each_inputs_own_cut_is_taken_from_what_is_said_of_it() -> None:
    reader = DurationReader(files_in(_grant("-ss 60 -i a.mkv -t 30 -i b.wav -i c out.mkv"), {}))
    reader.feed(BANNER)
    assert reader.seconds == 83.45 - 60

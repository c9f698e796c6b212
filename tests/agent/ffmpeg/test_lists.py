import subprocess

import pytest

from ffmesh_agent.ffmpeg import lists

ENCODERS_5 = """Encoders:
 V..... = Video
 A..... = Audio
 S..... = Subtitle
 .F.... = Frame-level multithreading
 ...X.. = Codec is experimental
 ------
 V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
 S..... ssa                  ASS (Advanced SubStation Alpha) subtitle (codec ass)
 VF..D. a-name.with_all=odd  nothing has such a name
"""
FILTERS_5 = """Filters:
  T.. = Timeline support
  .S. = Slice threading
  | = Source or sink filter
 ... abench            A->A       Benchmark part of a filtergraph.
 TSC overlay           VV->V      Overlay a video source on top of the input.
 ..C amerge            N->A       Merge two or more audio streams.
 ... anullsrc          |->A       Null audio source.
 ... concat            N->N       Concatenate audio and video streams.
"""
FILTERS_8 = """Filters:
  T. = Timeline support
  .S = Slice threading
 TS overlay           VV->V      Overlay a video source on top of the input.
 .. anull             A->A       Pass the source unchanged to the output.
"""


def _ffmpeg(option: str) -> str:
    return subprocess.run(
        ["ffmpeg", "-hide_banner", option], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL
    ).stdout


def test_the_installed_ffmpeg_says_its_version() -> None:
    version = lists.version(_ffmpeg("-version"))
    assert version is not None
    assert version[0].isdigit() or version[0] in "nN"


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("ffmpeg version 7.1.1 Copyright (c) 2000-2025 the FFmpeg developers\n", "7.1.1"),
        ("ffmpeg version n6.0-33-g1ebb0e43f9 Copyright (c)", "n6.0-33-g1ebb0e43f9"),
        ("ffprobe version 5.1.9-0+deb12u1 Copyright (c) 2007-2026", "5.1.9-0+deb12u1"),
        ("hello\nffmpeg version 7\n", None),
        ("", None),
    ],
)
def test_a_version_is_the_word_after_it_and_other_programs_have_none(printed: str, version: str | None) -> None:
    assert lists.version(printed) == version


def test_the_installed_ffmpegs_lists_are_found_whole_and_sorted() -> None:
    encoders, decoders = lists.coders(_ffmpeg("-encoders")), lists.coders(_ffmpeg("-decoders"))
    filters, hwaccels = lists.filters(_ffmpeg("-filters")), lists.hwaccels(_ffmpeg("-hwaccels"))
    assert {"aac", "png", "srt", "wrapped_avframe"} <= set(encoders)
    assert {"aac", "h264", "mov_text"} <= set(decoders)
    assert {"scale", "anullsrc", "overlay", "concat", "buffersink"} <= set(filters)
    for names in (encoders, decoders, filters, hwaccels):
        assert list(names) == sorted(set(names))


def test_every_line_below_the_legend_of_a_real_list_is_a_name() -> None:
    printed = _ffmpeg("-encoders")
    below = printed.partition("------\n")[2].splitlines()
    assert set(lists.coders(printed)) == {line.split()[1] for line in below}
    printed = _ffmpeg("-filters")
    below = [line for line in printed.splitlines() if "->" in line]
    assert set(lists.filters(printed)) == {line.split()[1] for line in below}


def test_legends_are_no_names() -> None:
    assert lists.coders(ENCODERS_5) == ("aac", "libx264", "ssa")
    assert lists.filters(FILTERS_5) == ("abench", "amerge", "anullsrc", "concat", "overlay")


def test_newer_filters_have_fewer_flags() -> None:
    assert lists.filters(FILTERS_8) == ("anull", "overlay")


def test_hwaccels_begin_after_their_title() -> None:
    assert lists.hwaccels("banner line\nHardware acceleration methods:\nvaapi\ncuda\n\n") == ("cuda", "vaapi")
    assert lists.hwaccels("Hardware acceleration methods:\n\n") == ()
    assert lists.hwaccels("nothing of the kind") == ()

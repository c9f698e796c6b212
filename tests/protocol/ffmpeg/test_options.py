"""Which words take the word behind them."""

import subprocess

import pytest

from ffmesh_protocol.ffmpeg.options import Takes
from ffmesh_protocol.ffmpeg.tables import FFMPEG, FFPROBE, table_of


@pytest.mark.parametrize(
    ("option", "following", "takes"),
    [
        ("y", "a", Takes.NOTHING),
        ("xerror", "-ss", Takes.NOTHING),
        ("hide_banner", "a", Takes.NOTHING),
        ("nostdin", "a", Takes.NOTHING),
        ("bitexact:v", "a", Takes.NOTHING),
        ("c:v:0", "copy", Takes.VALUE),
        ("codec:#0x01", "hevc", Takes.VALUE),
        ("metadata:s:a:0", "x", Takes.VALUE),
        ("copypriorss", "0", Takes.VALUE),
        ("seek_timestamp", "1", Takes.VALUE),
        ("vsync", "-1", Takes.VALUE),
        ("sei", "-a53_cc", Takes.VALUE),
        ("vprofile", "high", Takes.VALUE),
        ("x264-params", "a=b", Takes.VALUE),
        ("/filter:v", "graph.txt", Takes.VALUE),
        ("autorotate", "0", Takes.VALUE),
        ("autorotate", "-i", Takes.NOTHING),
        ("noautoscale", "0", Takes.NOTHING),
        ("encoders", None, Takes.QUESTION),
        ("h", "filter=scale", Takes.QUESTION),
        ("?", None, Takes.QUESTION),
        ("progressurl", "http://x", Takes.VALUE),
        ("unheard_of", "x", Takes.GUESSED),
        ("nonsense", "x", Takes.GUESSED),
    ],
)
def test_what_an_option_of_ffmpeg_takes(option: str, following: str | None, takes: Takes) -> None:
    assert table_of(FFMPEG).takes(option, following) is takes


@pytest.mark.parametrize(
    ("option", "takes"),
    [
        ("show_format", Takes.NOTHING),
        ("noprivate", Takes.NOTHING),
        ("only_first_vframe", Takes.NOTHING),
        ("show_data_hash", Takes.VALUE),
        ("of", Takes.VALUE),
        ("i", Takes.VALUE),
        ("sections", Takes.QUESTION),
    ],
)
def test_what_an_option_of_ffprobe_takes(option: str, takes: Takes) -> None:
    assert table_of(FFPROBE).takes(option, "x") is takes


@pytest.mark.parametrize("program", [FFMPEG, FFPROBE])
def test_the_program_at_hand_agrees(program: str) -> None:
    """An option that wants a value complains when it stands last."""
    table = table_of(program)
    for option in ("y", "xerror", "hide_banner", "vsync", "apad", "pix_fmt", "show_log", "unit", "of"):
        if option not in table.values | table.flags:
            continue
        ended = subprocess.run(
            [program, "-v", "error", f"-{option}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        wants_one = "Missing argument" in ended.stderr
        assert (table.takes(option, None) is Takes.VALUE) == wants_one, option

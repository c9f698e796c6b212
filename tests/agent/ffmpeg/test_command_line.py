"""Which files a command line plainly names, as ffmpeg and ffprobe read it."""

import base64

import pytest

from agent.ffmpeg.wording import OUT, A, B, line, path
from ffmesh_agent.ffmpeg.command_line import File, Line
from ffmesh_protocol.media import Argument, RawBytes, RootPath

CWD = RootPath(root="Movies", path="a b")


def shown(files: tuple[File, ...]) -> list[str | None]:
    return [file.named.shown if file.named is not None else None for file in files]


@pytest.mark.parametrize(
    ("args", "inputs", "outputs"),
    [
        (("-y", "-i", A, OUT), ["$Movies/a.mkv"], ["$Out/x/out.mkv"]),
        (("-ss", "5", "-i", A, "-i", B, "-map", "0", "-c", "copy", OUT), ["$Movies/a.mkv", "$Movies/b.srt"], 1),
        (("-hide_banner", "-nostdin", "-nostats", "-i", A, "-an", "-shortest", OUT, "-vn", path("b.mp3")), 1, 2),
        (("-i", ("file:", *A), ("file:", *OUT)), ["$Movies/a.mkv"], ["$Out/x/out.mkv"]),
        (("-i", A, "-progress", path("p.txt"), "-passlogfile", path("log"), OUT), 1, ["$Out/x/out.mkv"]),
        (("-i", A, "-c:v:0", "libx264", "-unknown_option", path("value"), OUT), 1, ["$Out/x/out.mkv"]),
        (("-i", A, "-f", "null", "-"), 1, [None]),
        (("-i", A, "-f", "hls", path("hls/index.m3u8", "Out")), 1, ["$Out/hls/index.m3u8"]),
        (("-f", "concat", "-safe", "0", "-i", path("list.txt"), OUT), ["$Movies/list.txt"], 1),
        # These are no plain files.
        (("-i", path("f-%03d.png"), path("f-%d.png")), [None], [None]),
        (("-i", path("f.png"), "-f", "segment", path("%Y.mkv")), ["$Movies/f.png"], [None]),
        (
            ("-i", A, path("%v/index.m3u8"), path("cover.jpg"), path("100%.mkv")),
            1,
            [None, "$Movies/cover.jpg", "$Movies/100%.mkv"],
        ),
        (("-i", path("*.png"), OUT), ["$Movies/*.png"], 1),
        (("-pattern_type", "glob", "-i", path("f?.png"), OUT), [None], 1),
        (("-f", "lavfi", "-i", "testsrc", OUT), [None], 1),
        (("-f", "v4l2", "-i", "/dev/video0", OUT), [None], 1),
        (("-i", "http://h/a.mkv", "rtmp://h/x"), [None], [None]),
        (("-i", ("concat:", *A, "|", *path("b.mkv")), OUT), [None], 1),
        (("-i", ("subfile,,start,1,end,2,,:", *A), OUT), [None], 1),
        (("-i", "pipe:0", "pipe:1"), [None], [None]),
        (("-i", "relative.mkv", "out.mkv"), [None], [None]),
        (("-i",), [], []),
    ],
)
def test_inputs_follow_i_and_outputs_stand_by_themselves(
    args: tuple[str | Argument, ...], inputs: list[str | None] | int, outputs: list[str | None] | int
) -> None:
    found = line(*args)
    assert (shown(found.inputs) if isinstance(inputs, list) else len(found.inputs)) == inputs
    assert (shown(found.outputs) if isinstance(outputs, list) else len(found.outputs)) == outputs


@pytest.mark.parametrize(
    ("args", "inputs"),
    [
        ((A,), ["$Movies/a.mkv"]),
        (("-v", "error", "-show_format", "-of", "json", A), ["$Movies/a.mkv"]),
        (("-show_entries", "stream=codec_name", "-i", A), ["$Movies/a.mkv"]),
        (("-count_frames", "-select_streams", "v:0", A, "-o", OUT), ["$Movies/a.mkv"]),
        (("-version",), []),
        (("http://h/a.mkv",), [None]),
    ],
)
def test_ffprobe_reads_every_word_that_is_no_option(args: tuple[str | Argument, ...], inputs: list[str | None]) -> None:
    found = line(*args, program="ffprobe")
    assert (shown(found.inputs), found.outputs) == (inputs, ())


def test_options_belong_to_the_file_that_comes_next() -> None:
    found = line("-t", "5", "-i", A, "-b:v", "1M", "-b:a:0", "96k", "-y", OUT, "-c", "copy", path("b.mkv"))
    assert [[(option.name, option.value) for option in file.options] for file in found.inputs] == [[("t", "5")]]
    first, second = found.outputs
    assert (first.values("b"), first.last("b"), first.has("y"), second.values("c", "codec")) == (
        ("1M", "96k"),
        "96k",
        True,
        ("copy",),
    )


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("in.mkv", ("$Movies/a b/in.mkv", b"/media/movies/a b/in.mkv")),
        ("./sub/in.mkv", ("$Movies/a b/sub/in.mkv", b"/media/movies/a b/./sub/in.mkv")),
        ("file:a:b.mkv", ("$Movies/a b/a:b.mkv", b"/media/movies/a b/a:b.mkv")),
        ("a:b.mkv", None),
    ],
)
def test_a_relative_name_is_one_below_the_working_folder(name: str, seen: tuple[str, bytes] | None) -> None:
    (found,) = line("-i", name, OUT, cwd=CWD).inputs
    assert ((found.named.shown, found.named.place) if found.named is not None else None) == seen


def test_a_name_that_is_no_utf_8_is_found_by_its_bytes() -> None:
    raw = RawBytes(base64=base64.b64encode(b"in \xff.mkv").decode())
    (found,) = line("-i", (RootPath(root="Movies", path=""), raw), OUT).inputs
    assert found.named is not None
    assert found.named.place == b"/media/movies/in \xff.mkv"
    assert found.named.shown == "$Movies/in \\xff.mkv"


def test_of_a_program_whose_words_are_not_known_nothing_is_said() -> None:
    assert line("-i", A, OUT, program="sh") == Line(inputs=(), outputs=())

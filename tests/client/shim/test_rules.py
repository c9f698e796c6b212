"""Where a command line runs, and the sentence that says why it stays here."""

import shlex

import pytest

from ffmesh_client.shim.rules import LOCAL, MESH, RULES, Decision, Seen, decided
from ffmesh_protocol.ffmpeg.line import read


def decision(
    text: str,
    *,
    unmapped: tuple[str, ...] = (),
    inside: tuple[str, ...] = (),
    refused: str | None = None,
    is_in_a_root: bool = True,
) -> Decision:
    program, *words = shlex.split(text)
    line = read(program, words)
    return decided(Seen(line=line, unmapped=unmapped, inside=inside, refused=refused, is_in_a_root=is_in_a_root))


@pytest.mark.parametrize(
    "text",
    [
        "ffmpeg -i a.mkv -c:v libx265 b.mkv",
        "ffmpeg -i a.mkv -f mpegts -",
        "ffmpeg -i - -f mpegts pipe:1",
        "ffmpeg -i rtsp://camera/1 -c copy %d.mp4",
        "ffmpeg -hwaccel vaapi -hwaccel_device /dev/dri/renderD128 -i a b",
        "ffmpeg -i a.mkv -vf fps=1/10 -f image2 %08d.jpg",
        "ffmpeg -f lavfi -i testsrc o.mkv",
        "ffmpeg -i a -progress pipe:2 o.mkv",
        "ffmpeg -i a -frames:v 1 -c:v libx264 o.mkv",
    ],
)
def test_what_nothing_keeps_here_runs_on_the_mesh(text: str) -> None:
    assert decision(text) == Decision(runs=MESH)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("ffmpeg", "no-arguments"),
        ("ffprobe", "no-arguments"),
        ("ffmpeg -version", "question"),
        ("ffmpeg -hide_banner -encoders", "question"),
        ("ffmpeg -h filter=scale_cuda", "question"),
        ("ffprobe -v error -show_streams a.mkv", "ffprobe"),
        ("ffmpeg -f lavfi -i nullsrc=s=1x1:d=1000 -f null -", "probe"),
        ("ffmpeg -i a.mkv", "no-output"),
        ("ffmpeg -ss 3 -i a.mkv -frames:v 1 -f image2 a.jpg", "picture"),
        ("ffmpeg -i a.mkv -vframes 1 -c:v webp a.png", "picture"),
        ("ffmpeg -i a.mkv -frames 1 -f image2pipe -", "picture"),
        ("ffmpeg -f v4l2 -i /dev/video0 o.mkv", "device"),
        ("ffmpeg -i /dev/video0 o.mkv", "device"),
        ("ffmpeg -i a -f pulse default", "device"),
        ("ffmpeg -i a -unheard -of it b.mkv", "doubt"),
        ("ffmpeg -i http://127.0.0.1:8096/a.ts o.mkv", "own-address"),
        ("ffmpeg -i a -f dash -manifest_name http://localhost/m dash", "own-address"),
        ("ffmpeg -i a -f flv rtmp://u:p@[::1]:1935/x", "own-address"),
        (r"ffmpeg -i a -vf 'movie=http\\://localhost/b[b];[in][b]overlay' o.mkv", "own-address"),
        ("ffmpeg -i a -progress pipe:3 o.mkv", "descriptor"),
    ],
)
def test_each_rule_keeps_its_own_here(text: str, rule: str) -> None:
    found = decision(text)
    assert (found.runs, found.rule) == (LOCAL, rule)
    assert found.reason


def test_a_path_under_no_root_is_named() -> None:
    found = decision("ffmpeg -i /a b.mkv", unmapped=("/a", "b.mkv"))
    assert found.rule == "under-no-root"
    assert found.reason == "/a lies under no root, nor 1 other; name its folder with --root NAME=PATH"
    assert "this folder does not" in (decision("ffmpeg -i b c", unmapped=("b",)).reason or "")


def test_what_a_list_names_and_what_an_agent_refuses_is_said() -> None:
    assert decision("ffmpeg -i l.m3u8 o.mkv", inside=("l.m3u8 names /x",)).reason == "l.m3u8 names /x"
    assert decision("ffmpeg -i a o.mkv", refused="no").reason == "no"


@pytest.mark.parametrize(
    "text",
    [
        "ffmpeg -report -i a o.mkv",
        "ffmpeg -vstats -i a o.mkv",
        "ffmpeg -i a -pass 1 -f null -",
        "ffmpeg -dump_attachment:t '' -i a o.mkv",
    ],
)
def test_files_with_names_of_their_own_are_not_left_behind_in_an_empty_folder(text: str) -> None:
    assert decision(text) == Decision(runs=MESH)
    assert decision(text, is_in_a_root=False).rule == "left-behind"


def test_rules_may_be_others() -> None:
    assert decided(Seen(line=read("ffprobe", ["a"]), unmapped=(), inside=(), refused=None, is_in_a_root=True), ()) == (
        Decision(runs=MESH)
    )


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)

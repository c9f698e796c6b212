"""`ffmesh explain`: what it says, for programs and for people, without a mesh."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ffmesh_client.command_line import main
from ffmesh_client.explaining import understood


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FFMESH_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("PWD", raising=False)


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["explain", "--json", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    told: dict[str, Any] = json.loads(out)
    return told


def test_all_that_is_promised_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["/opt/ffmpeg", "-hwaccel", "cuda", "-c:v", "h264_cuvid", "-i", "file:/m/a.mkv", "-progress", "/l/p.txt"]
    line += ["-vf", "scale=-2:720,subtitles=f=/m/it\\\\\\'s.srt", "-c:v", "libx265", "-f", "mpegts", "-"]
    assert explained(capsys, "--root", "Media=/m", "--root", "Logs=/l", "--", *line) == {
        "program": "/opt/ffmpeg",
        "args": [
            *("-hwaccel", "cuda", "-c:v", "h264_cuvid", "-i", "file:$Media/a.mkv", "-progress", "$Logs/p.txt"),
            *("-vf", "scale=-2:720,subtitles=f=$Media/it's.srt", "-c:v", "libx265", "-f", "mpegts", "-"),
        ],
        "inputs": ["/m/a.mkv"],
        "outputs": [],
        "other_paths": ["/l/p.txt", "/m/it's.srt"],
        "unmapped": [],
        "needs": {
            "encoders": ["libx265"],
            "decoders": ["h264_cuvid"],
            "filters": ["scale", "subtitles"],
            "hwaccels": ["cuda"],
            "roots": ["Logs", "Media"],
        },
        "stdin": False,
        "stdout": True,
        "runs": "mesh",
        "reason": None,
    }


def test_a_path_under_no_root_keeps_it_here(capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, "--root", "M=/m", "--", "ffmpeg", "-i", "/m2/a.mkv", "/m/b.mkv")
    assert (told["unmapped"], told["runs"]) == (["/m2/a.mkv"], "local")
    assert told["reason"].startswith("/m2/a.mkv lies under no root")


def test_a_relative_path_lies_in_the_working_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "link")
    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    for name in ("real", "link"):
        told = explained(capsys, "--root", f"Here={tmp_path / name}", "--", "ffmpeg", "-i", "a.mkv", "b/../c.mkv")
        assert (told["needs"]["roots"], told["unmapped"], told["runs"]) == (["Here"], [], "mesh")
        assert told["args"] == ["-i", "a.mkv", "b/../c.mkv"]
    told = explained(capsys, "--root", f"Here={tmp_path / 'link'}", "--", "ffmpeg", "-i", "../a.mkv", "c.mkv")
    assert told["unmapped"] == ["../a.mkv"]


def test_a_path_lies_under_a_root_where_a_link_leads(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    line = ["ffmpeg", "-i", f"{tmp_path}/link/a.mkv", f"{tmp_path}/real/b.mkv"]
    told = explained(capsys, "--root", f"Here={tmp_path}/real", "--", *line)
    assert (told["args"], told["runs"]) == (["-i", "$Here/a.mkv", "$Here/b.mkv"], "mesh")
    told = explained(capsys, "--root", f"Here={tmp_path}/link", "--", *line)
    assert (told["args"], told["unmapped"]) == (["-i", "$Here/a.mkv", "$Here/b.mkv"], [])


@pytest.mark.parametrize(
    ("content", "runs"), [("file a.mkv\nfile 'b c.mkv'\n", "mesh"), ("file /media/a.mkv\n", "local")]
)
def test_what_a_list_names_is_looked_at(
    content: str, runs: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text(content)
    line = ["ffmpeg", "-f", "concat", "-safe", "0", "-i", f"{tmp_path}/list.txt", f"{tmp_path}/o.mkv"]
    told = explained(capsys, "--root", f"Here={tmp_path}", "--", *line)
    assert told["runs"] == runs
    assert told["inputs"] == [f"{tmp_path}/list.txt"]


def test_a_graph_in_a_file_is_looked_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "graph").write_text("subtitles=/elsewhere/a.srt")
    line = ["ffmpeg", "-i", f"{tmp_path}/a", "-filter_script:v", f"{tmp_path}/graph", f"{tmp_path}/o.mkv"]
    told = explained(capsys, "--root", f"Here={tmp_path}", "--", *line)
    assert told["runs"] == "local"
    assert "/elsewhere/a.srt" in told["reason"]


def test_text_that_an_agent_would_take_for_a_path_keeps_it_here(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["ffmpeg", "-i", "/m/a", "-hls_base_url", "/videos/", "/m/p.m3u8"]
    told = explained(capsys, "--root", "M=/m", "--", *line)
    assert (told["unmapped"], told["runs"]) == ([], "local")
    assert "/videos/" in told["reason"]


def test_a_name_that_nobody_opens_keeps_nothing_here(capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, "--root", "M=/m", "--", "ffmpeg", "-i", "/m/a", "-f", "null", "/temp/null-output")
    assert (told["outputs"], told["runs"]) == ([], "mesh")
    assert told["args"][-1] == "null"


def test_the_roots_of_client_toml_count(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = tmp_path / "client.toml"
    secret = "A" * 43 + "="
    place.write_text(f'name = "me"\nsecret = "{secret}"\nbroker = {{host = "h"}}\n[roots]\nMedia = "/m"\n')
    told = explained(capsys, "--config", str(place), "--root", "Out=/o", "--", "ffmpeg", "-i", "/m/a", "/o/b.mkv")
    assert told["needs"]["roots"] == ["Media", "Out"]


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("--root", "M", "--", "ffmpeg"), "NAME=PATH"),
        (("--root", "M=/a", "--root", "M=/b", "--", "ffmpeg"), "said twice"),
        (("--root", "a b=/a", "--", "ffmpeg"), "a b"),
        (("--config", "/nowhere/client.toml", "--", "ffmpeg"), "does not exist"),
        (("ffmpeg",), "--"),
    ],
)
def test_wrong_usage_says_what_is_wrong(words: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(["explain", *words])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    assert code == 2
    assert word in capsys.readouterr().err


def test_another_program_stays_here(capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, "--", "sh", "-c", "true")
    assert (told["runs"], told["args"]) == ("local", ["-c", "true"])


@pytest.mark.parametrize(
    ("program", "known"),
    [
        ("ffmpeg", "ffmpeg"),
        ("/usr/lib/jellyfin-ffmpeg/ffprobe", "ffprobe"),
        ("ffmpeg7", "ffmpeg"),
        ("ffmpeg-6.1.1", "ffmpeg"),
        ("/opt/Plex Transcoder", "ffmpeg"),
        ("ffmpegthumbnailer", None),
        ("ffplay", None),
    ],
)
def test_programs_are_known_by_their_names(program: str, known: str | None) -> None:
    assert understood(program) == known


def test_people_get_a_line_for_each_fact(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--root", "M=/m", "--", "ffmpeg", "-i", "/m/a b", "-c:v", "libx265", "/x/\x1bb.mkv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("runs       here: /x/\\x1bb.mkv lies under no root")
    assert lines[1:] == [
        "program    ffmpeg",
        "input      /m/a b ($M)",
        "output     /x/\\x1bb.mkv (under no root)",
        "roots      M",
        "encoders   libx265",
        "arguments  -i '$M/a b' -c:v libx265 '/x/\\x1bb.mkv'",
    ]


def test_names_that_are_no_utf8_are_shown_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(capsys, "--root", "M=/m", "--", "ffmpeg", "-i", os.fsdecode(b"/m/caf\xe9.mkv"), "/m/b.mkv")
    assert told["inputs"] == ["/m/caf\\xe9.mkv"]
    assert told["args"][1] == "$M/caf\\xe9.mkv"


def test_neither_mqtt_nor_keys_nor_tables_for_terminals_are_imported() -> None:
    heavy = "{'aiomqtt', 'paho', 'cryptography', 'rich', 'textual', 'asyncio'}"
    code = (
        f"import sys; from ffmesh_client.command_line import main; main(); print(sorted({heavy} & sys.modules.keys()))"
    )
    words = ["explain", "--json", "--", "ffmpeg", "-i", "a", "-vf", "subtitles=a", "b.m3u8"]
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert ended.stdout.endswith("[]\n")

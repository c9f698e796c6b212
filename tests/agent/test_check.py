"""`ffmesh-agent --check`: what it would advertise, what is wrong, and nothing started or changed."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

LISTS = """#!/bin/sh
case $* in
*-version*) echo "ffmpeg version 9.9 Copyright" ;;
*-encoders*) printf ' ------\\n V....D libx264 x\\n V....D h264_nvenc x\\n' ;;
*-decoders*) printf ' ------\\n V....D h264 x\\n' ;;
*-hwaccels*) printf 'Hardware acceleration methods:\\ncuda\\n' ;;
*-filters*) printf ' ... scale V->V x\\n' ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "agent"
    home.mkdir()
    return home


def configured(home: Path, more: str = "", programs: str = "ffmpeg = ''") -> Path:
    file = home / "agent.toml"
    secret = base64.b64encode(bytes(32)).decode()
    text = f'cluster = "home"\nname = "pi-1"\nsecret = "{secret}"\nfence = "off"\n{more}\n'
    text += f'[broker]\nhost = "192.0.2.1"\nport = 1883\n[programs]\n{programs}\n'
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def check(file: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "ffmesh_agent", "--config", str(file), "--check", *words],
        env=os.environ | {"FFMESH_TRIALS": "on"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done


def checked(file: Path, code: int = 0) -> dict[str, Any]:
    done = check(file, "--json")
    assert done.returncode == code, done.stdout
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def wrong(told: dict[str, Any]) -> list[str]:
    return [each["check"] for each in told["findings"] if not each["ok"]]


def ffmpeg_that_lists(folder: Path) -> Path:
    program = folder / "fake-ffmpeg"
    program.write_text(LISTS)
    program.chmod(0o755)
    return program


def test_it_says_what_would_be_advertised(home: Path) -> None:
    program = ffmpeg_that_lists(home.parent)
    told = checked(configured(home, programs=f"ffmpeg = '{program}'"))
    assert told["advert"]["programs"] == {"ffmpeg": "9.9"}
    assert told["programs"]["encoders"] == ["libx264"]
    assert "encoder/h264_nvenc" in told["programs"]["unavailable"], "it has not been seen to work"
    assert told["programs"]["tried"] is False
    assert wrong(told) == []


def test_what_an_agent_has_learned_here_is_told_and_nothing_is_changed(home: Path) -> None:
    (home / "lists.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    checked(configured(home))
    after = {path.name: path.read_bytes() for path in home.iterdir() if path.name != "agent.toml"}
    assert after == before


def test_people_get_a_line_for_each_and_how_to_mend_what_is_wrong(home: Path) -> None:
    done = check(configured(home, programs="ffmpeg = '/no/such/ffmpeg'"))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("WRONG")]
    assert "no program ffmpeg" in lines[at]
    assert "to mend it: install it" in lines[at + 1]


@pytest.mark.parametrize(
    ("more", "check_name"),
    [
        ('roots = { Films = "/no/such/folder" }', "root"),
        ("slots = { cpu = 0 }", "slots"),
        ('scratch = "/no/such/folder"', "scratch"),
    ],
)
def test_what_is_wrong_has_a_name_and_a_way_to_mend_it(home: Path, more: str, check_name: str) -> None:
    told = checked(configured(home, more), code=1)
    assert wrong(told) == [check_name]
    assert all(each["mend"] for each in told["findings"] if not each["ok"])


@pytest.mark.parametrize(
    ("more", "check_name"),
    [
        ("roots = { All = 'ABOVE' }", "home"),
        ("roots = { Films = { path = 'ABOVE', owner = 'nobody-of-that-name' } }", "owner"),
        ("readable = ['/no/such/place']", "readable"),
    ],
)
def test_what_works_and_could_be_better_is_a_note(home: Path, more: str, check_name: str) -> None:
    told = checked(configured(home, more.replace("ABOVE", str(home.parent))))
    assert check_name in [each["check"] for each in told["findings"] if each["ok"] and each["mend"]]


def test_a_file_that_others_may_read_is_wrong(home: Path) -> None:
    file = configured(home)
    file.chmod(0o640)
    assert wrong(checked(file, code=1)) == ["permissions"]


def test_a_configuration_that_cannot_be_used_is_one_finding_and_exit_code_2(home: Path) -> None:
    for file in (configured(home, "no_such_key = 1"), home / "missing.toml"):
        told = checked(file, code=2)
        assert (wrong(told), told["advert"]) == (["configuration"], None)
        assert len(told["findings"]) == 1


def test_an_ffmpeg_that_hangs_is_named_and_nothing_of_it_is_left(home: Path) -> None:
    program = home.parent / "ffmpeg-that-hangs"
    note = home.parent / "pid"
    program.write_text(f"#!/bin/sh\necho $$ >'{note}'\nexec sleep 1000\n")
    program.chmod(0o755)
    told = checked(configured(home, programs=f"ffmpeg = '{program}'"), code=1)
    assert wrong(told) == ["program"]
    assert "did not answer" in next(each["message"] for each in told["findings"] if not each["ok"])
    assert not Path(f"/proc/{int(note.read_text())}").exists()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here")
def test_the_ffmpeg_of_this_machine_has_its_usual_encoders(home: Path) -> None:
    assert "libx264" in checked(configured(home))["programs"]["encoders"]


def test_json_alone_is_wrong_usage(home: Path) -> None:
    words = [sys.executable, "-m", "ffmesh_agent", "--config", str(configured(home)), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)

"""The options of the program at hand are asked for once."""

import os
import shutil
from pathlib import Path

import pytest

from ffmesh_client.shell.options import table_at_hand
from ffmesh_protocol.ffmpeg.tables import FFMPEG, table_of


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The real one, with an option more, behind a script that notes its calls."""
    path = tmp_path / "my-ffmpeg"
    real = shutil.which("ffmpeg")
    path.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n{real} "$@" && printf "\\n  -brand_new <int> E..V.. new\\n"\n'
    )
    path.chmod(0o755)
    return path


def calls(tmp_path: Path) -> int:
    return len((tmp_path / "calls").read_text().splitlines())


def test_it_is_asked_once_and_again_when_it_is_another_one(program: Path, tmp_path: Path) -> None:
    first = table_at_hand(FFMPEG, program, tmp_path / "kept")
    assert "brand_new" in first.settings
    assert table_at_hand(FFMPEG, program, tmp_path / "kept") == first
    assert calls(tmp_path) == 1
    os.utime(program, ns=(1, 1))
    assert table_at_hand(FFMPEG, program, tmp_path / "kept") == first
    assert calls(tmp_path) == 2


def test_what_was_kept_and_is_damaged_is_asked_for_again(program: Path, tmp_path: Path) -> None:
    first = table_at_hand(FFMPEG, program, tmp_path / "kept")
    for kept in (tmp_path / "kept").iterdir():
        kept.write_bytes(b'{"values": 3')
    assert table_at_hand(FFMPEG, program, tmp_path / "kept") == first
    assert calls(tmp_path) == 2


def test_without_an_answer_there_is_the_reference(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o755)
    assert table_at_hand(FFMPEG, silent, tmp_path) == table_of(FFMPEG)
    assert table_at_hand(FFMPEG, tmp_path / "nowhere", tmp_path) == table_of(FFMPEG)


def test_a_folder_that_takes_nothing_costs_only_time(program: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "brand_new" in table_at_hand(FFMPEG, program, tmp_path / "file" / "below").settings

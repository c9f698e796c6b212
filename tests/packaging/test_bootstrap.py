"""scripts/bootstrap where Homebrew has the programs: a machine without apt, as far as its PATH says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "cat", "cksum", "dirname", "pwd", "rm", "touch", "id", "ln", "true")

BREW = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/said"
for each in mosquitto ffmpeg ffprobe; do
    [ -e "$here/$each" ] || ln -s "$here/true" "$here/$each"
done
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With an environment that was made for it already, so that nothing is fetched."""
    checkout = tmp_path / "checkout"
    (checkout / ".venv").mkdir(parents=True)
    (checkout / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "bootstrap", checkout / "scripts")
    shutil.copy(ROOT / "pyproject.toml", checkout)
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    sum_of = (checkout / "pyproject.toml").read_bytes()
    cksum = subprocess.run(["cksum"], input=sum_of, capture_output=True, check=True).stdout.decode()
    key = f"{cksum.strip()} {version} {checkout}\n"
    (checkout / ".venv" / ".installed-test").write_text(key)
    return checkout


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """All that is in PATH: no apt, no ffmpeg, a Homebrew."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    (folder / "python3").symlink_to(sys.executable)
    brew = folder / "brew"
    brew.write_text(BREW)
    brew.chmod(0o755)
    return folder


def bootstrap(checkout: Path, programs: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [programs / "sh", checkout / "scripts" / "bootstrap", "test"],
        env={"PATH": str(programs), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_is_missing_comes_from_homebrew_and_is_said_first(checkout: Path, programs: Path) -> None:
    done = bootstrap(checkout, programs)
    assert (done.returncode, done.stderr) == (0, "")
    words = (programs / "said").read_text().split()
    assert words[0] == "install"
    assert "ffmpeg" in words
    assert not {"bubblewrap", "strace", "python3-venv"} & set(words), "Linux has these"
    assert "Homebrew: " in done.stdout


def test_with_everything_there_homebrew_is_not_asked(checkout: Path, programs: Path) -> None:
    bootstrap(checkout, programs)
    (programs / "said").unlink()
    assert bootstrap(checkout, programs).stdout == ""
    assert not (programs / "said").exists()


def test_without_apt_and_homebrew_the_programs_are_named(checkout: Path, programs: Path) -> None:
    (programs / "brew").unlink()
    done = bootstrap(checkout, programs)
    assert done.returncode == 1
    assert "ffmpeg" in done.stderr

"""The shim in a folder, as `ffmesh shim` puts it there and takes it away."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

FFMPEG = shutil.which("ffmpeg") or ""

WITH_A_STATE_OF_ITS_OWN = """
import os, pathlib, sys
from ffmesh_client.supervisor import home
home.ROOTS_HOME = pathlib.Path(os.environ["HOME"])
from ffmesh_client.command_line import main
sys.exit(main(sys.argv[1:]))
"""
"""Root's would be the machine's."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path, None, None]:
    """Nobody's configuration, and no note of other shims. The helpers of those that are not removed end with it."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("FFMESH_CONFIG", raising=False)
    yield tmp_path / "home"
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            is_helper = b"ffmesh_client.shim.helper" in (entry / "cmdline").read_bytes().split(b"\0")
            if is_helper and f"HOME={tmp_path}/home".encode() in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def shim(*words: str) -> subprocess.CompletedProcess[str]:
    return ffmesh("shim", *words)


def ffmesh(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITH_A_STATE_OF_ITS_OWN, *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def said(program: Path, *words: str, stdin: int = subprocess.DEVNULL, **variables: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [program, *words], stdin=stdin, capture_output=True, timeout=60, check=False, env=dict(os.environ, **variables)
    )
    return done.returncode, done.stdout, done.stderr


def server_folder(tmp_path: Path) -> Path:
    """A server's own folder with its own programs."""
    folder = tmp_path / "server's ffmpeg"
    folder.mkdir()
    for name in ("ffmpeg", "ffprobe"):
        (folder / name).write_text(f'#!/bin/sh\necho "the server\'s {name}: $*"\n')
        (folder / name).chmod(0o755)
    return folder


def test_a_new_folder_gets_both_programs_and_goes_with_them(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "new" / "shim"
    done = shim("install", str(folder))
    assert done.returncode == 0, done.stderr
    assert "11 of 11 questions that servers ask are answered as there" in done.stdout
    assert said(folder / "ffmpeg", "-version") == said(Path(FFMPEG), "-version")
    assert said(folder / "ffprobe", "-version") == said(Path(FFMPEG).with_name("ffprobe"), "-version")
    assert shim("remove", str(folder)).returncode == 0
    assert not folder.exists()


def test_what_was_there_is_kept_runs_what_stays_here_and_comes_back(tmp_path: Path, home: Path) -> None:
    folder = server_folder(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = shim("install", str(folder), "--json")
    document = json.loads(done.stdout)
    assert document["kept"] == {"ffmpeg": "ffmpeg.before-ffmesh", "ffprobe": "ffprobe.before-ffmesh"}
    assert said(folder / "ffmpeg", "-encoders")[1] == b"the server's ffmpeg: -encoders\n"
    assert said(folder / "ffprobe", "a b")[1] == b"the server's ffprobe: a b\n"
    again = shim("install", str(folder), "--json")
    assert json.loads(again.stdout)["kept"] == document["kept"]
    assert shim("remove", str(folder)).returncode == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(("name", "why"), [(b"caf\xe9", "no UTF-8"), (b"two\nlines", "a line end")])
def test_a_folder_whose_name_cannot_be_noted_is_refused_before_anything_is_there(
    tmp_path: Path, home: Path, name: bytes, why: str
) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    done = shim("install", str(folder))
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()
    assert not home.exists()


def test_so_is_a_program_whose_path_cannot(tmp_path: Path, home: Path) -> None:
    local = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    local.mkdir()
    for each in ("ffmpeg", "ffprobe"):
        (local / each).symlink_to(FFMPEG)
    done = shim("install", str(tmp_path / "new"), "--local", str(local / "ffmpeg"))
    assert (done.returncode, "no UTF-8" in done.stderr) == (2, True)
    assert not (tmp_path / "new").exists()


def test_an_update_of_the_server_that_overwrites_it_is_noticed_and_survives_its_removal(
    tmp_path: Path, home: Path
) -> None:
    folder = server_folder(tmp_path)
    shim("install", str(folder))
    (folder / "ffmpeg").unlink()
    (folder / "ffmpeg").write_text("#!/bin/sh\necho newer\n")
    (folder / "ffmpeg").chmod(0o755)
    checked = shim("check", str(folder))
    assert checked.returncode == 1
    assert "is not the shim any more: an update of the server" in checked.stderr
    removed = shim("remove", str(folder))
    assert "it stays, and what was there before stays as" in removed.stderr
    assert said(folder / "ffmpeg")[1] == b"newer\n"
    assert (folder / "ffmpeg.before-ffmesh").exists()
    assert said(folder / "ffprobe", "x")[1] == b"the server's ffprobe: x\n"


def test_after_an_update_install_keeps_what_the_update_brought(tmp_path: Path, home: Path) -> None:
    folder = server_folder(tmp_path)
    shim("install", str(folder))
    (folder / "ffmpeg").unlink()
    (folder / "ffmpeg").write_text("#!/bin/sh\necho newer\n")
    (folder / "ffmpeg").chmod(0o755)
    shim("install", str(folder))
    assert said(folder / "ffmpeg", "-version")[1] == b"newer\n"
    shim("remove", str(folder))
    assert said(folder / "ffmpeg")[1] == b"newer\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("remove", "{}"), "there is no shim in"),
        (("check", "{}"), "there is no shim in"),
        (("install", "{}", "--local", "/nowhere/ffmpeg"), "there is no program /nowhere/ffmpeg"),
        (("install", "{}/file/below"), "is no folder"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, home: Path, words: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "file").touch()
    done = shim(*(word.format(tmp_path) for word in words))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_program_of_this_machine_nothing_is_installed(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = shim("install", str(tmp_path / "shim"))
    assert done.returncode == 2
    assert "there is no ffmpeg on this machine" in done.stderr
    assert not (tmp_path / "shim").exists()


def test_a_shim_is_never_taken_for_the_program_that_it_stands_for(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    assert shim("install", str(first)).returncode == 0
    monkeypatch.setenv("PATH", str(first), prepend=os.pathsep)
    done = shim("install", str(tmp_path / "second"), "--json")
    assert json.loads(done.stdout)["local"]["ffmpeg"] == FFMPEG
    refused = shim("install", str(tmp_path / "third"), "--local", str(first / "ffmpeg"))
    assert "is a shim itself" in refused.stderr


def test_what_the_server_gives_its_programs_reaches_them(tmp_path: Path, home: Path) -> None:
    """Through the shell script alone, and through interpreters, which must start without it: that of a call that may
    go to the mesh, and that of a call with a terminal."""
    folder = tmp_path / "server"
    folder.mkdir()
    for name in ("ffmpeg", "ffprobe"):
        (folder / name).write_text('#!/bin/sh\necho "$LD_LIBRARY_PATH $0 $*"\n')
        (folder / name).chmod(0o755)
    shim("install", str(folder))
    libraries = str(tmp_path)
    line = f"{tmp_path} {folder}/ffmpeg.before-ffmesh"
    assert said(folder / "ffmpeg", "-version", LD_LIBRARY_PATH=libraries)[1].decode() == f"{line} -version\n"
    assert said(folder / "ffmpeg", "-i", "x", "y", LD_LIBRARY_PATH=libraries)[1].decode() == f"{line} -i x y\n"
    ours, theirs = os.openpty()
    assert (
        said(folder / "ffmpeg", "-i", "x", "y", stdin=theirs, LD_LIBRARY_PATH=libraries)[1].decode()
        == f"{line} -i x y\n"
    )
    os.close(theirs)
    os.close(ours)


def test_the_doctor_notices_a_shim_that_was_overwritten(tmp_path: Path, home: Path) -> None:
    folder = server_folder(tmp_path)
    shim("install", str(folder))
    shutil.copy(folder / "ffmpeg.before-ffmesh", tmp_path / "update")
    (tmp_path / "update").replace(folder / "ffmpeg")
    found = json.loads(ffmesh("doctor", "--json").stdout)
    (finding,) = (each for each in found if each["check"] == "shim")
    assert not finding["ok"]
    assert f"{folder}/ffmpeg is not the shim any more" in finding["message"]
    assert f"ffmesh shim install {folder}" in finding["mend"]

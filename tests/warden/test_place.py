"""Where a warden can live, and what it needs."""

import asyncio
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ffmesh_warden.errors import WardenDied
from ffmesh_warden.handle import Warden
from warden.living import FOREVER, PATH, SOURCE, gone, lives, owner_of, written_pid


def moved(folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copytree(SOURCE, folder / "ffmesh_warden", ignore=shutil.ignore_patterns("__pycache__")))


async def test_a_path_with_spaces_and_umlauts_is_a_path_like_any_other(tmp_path: Path) -> None:
    with owner_of(FOREVER, source=moved(tmp_path / "Ein schöner Ort")) as owner:
        assert b"Ein sch" in Path(f"/proc/{owner.warden}/cmdline").read_bytes()
        assert lives(owner.program)


def without_the_kernels_help(folder: Path) -> Path:
    source = moved(folder)
    with (source / "kernel.py").open("a") as file:
        file.write("\n\ndef _prctl(option, value):\n    return False\n")
    return source


async def test_without_the_kernels_help_a_grandchild_does_not_outlive_its_program(tmp_path: Path) -> None:
    # One whose memory takes the kernel a while to clear away after the kill.
    big = "import time; big = b'x' * (200 << 20); open('ready', 'w').close(); time.sleep(1000)"
    script = f"""
        cd '{tmp_path}'
        {shlex.quote(sys.executable)} -S -I -c "{big}" & echo $! >child
        while ! [ -e ready ]; do sleep 0.01; done
        exit 5
    """
    with owner_of(["sh", "-c", script], source=without_the_kernels_help(tmp_path / "elsewhere")) as owner:
        assert owner.process.stdout is not None
        assert json.loads(owner.process.stdout.readline()) == {"exit_code": 5, "signal": None}
        assert not lives(await written_pid(tmp_path / "child"))


async def test_without_the_kernels_help_programs_die_with_owner_and_warden(tmp_path: Path) -> None:
    source = without_the_kernels_help(tmp_path / "elsewhere")
    script = f"sleep 1000 & echo $! >{tmp_path / 'child'}; wait"
    for victim in ("owner", "warden"):
        with owner_of(["sh", "-c", script], source=source) as owner:
            child = await written_pid(tmp_path / "child")
            os.kill(owner.pid if victim == "owner" else owner.warden, signal.SIGKILL)
            await gone(owner.warden, owner.program, child)
        (tmp_path / "child").unlink()


async def test_a_warden_says_which_help_it_has(warden: Warden) -> None:
    linux = sys.platform == "linux"
    assert (warden.guards.dies_with_warden, warden.guards.adopts_orphans) == (linux, linux)


async def test_a_warden_has_one_thread_and_sits_in_no_folder_of_ours(warden: Warden) -> None:
    assert len(list(Path(f"/proc/{warden.pid}/task").iterdir())) == 1
    assert Path(f"/proc/{warden.pid}/cwd").readlink() == Path("/")


async def test_a_warden_that_cannot_start_is_an_error_and_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(WardenDied, match="before it was ready"):
        async with asyncio.timeout(20), Warden.started():
            pass


def test_the_warden_process_needs_neither_asyncio_nor_anything_installed() -> None:
    # typing and pathlib are not forbidden, they are slow: together a third of the start.
    program = (
        f"import sys; sys.path.append({str(SOURCE.parent)!r}); import ffmesh_warden.process; "
        "print(*({'asyncio', 'typing', 'pathlib', 'subprocess', 'site'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-S", "-I", "-c", program], check=True, capture_output=True, env=PATH)
    assert ended.stdout.split() == []

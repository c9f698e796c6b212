"""Removing what programs left, whatever it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ffmesh_agent.shell.removing import removed
from support.deep import nested

DEPTH = 3000


def test_folders_in_folders_go_however_deep_they_are(tmp_path: Path) -> None:
    nested(tmp_path / "top", DEPTH)
    removed(tmp_path / "top")
    assert list(tmp_path.iterdir()) == []


def test_wide_ones_and_long_names_go_too(tmp_path: Path) -> None:
    for at in range(40):
        (tmp_path / "top" / f"{at}" / "x" / f"{at}").mkdir(parents=True)
        (tmp_path / "top" / f"{at}" / "x" / "ö\n").touch()
    nested(tmp_path / "top" / "long", 40, "n" * 255)
    removed(tmp_path / "top")
    assert list(tmp_path.iterdir()) == []


def test_links_go_and_what_they_lead_to_stays(tmp_path: Path) -> None:
    (tmp_path / "kept" / "in it").mkdir(parents=True)
    (tmp_path / "top" / "a").mkdir(parents=True)
    for place in (tmp_path / "top" / "link", tmp_path / "top" / "a" / "link", tmp_path / "link"):
        place.symlink_to(tmp_path / "kept")
    removed(tmp_path / "top")
    removed(tmp_path / "link")
    removed(tmp_path / "never there")
    assert [str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")] == ["kept", "kept/in it"]


def test_what_cannot_be_removed_is_warned_of_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    really = os.unlink

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        if path == "stuck":
            raise PermissionError(1, "Operation not permitted")
        really(path, dir_fd=dir_fd)

    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    for name in ("stuck", "other"):
        (tmp_path / "top" / "a" / "b" / name).touch()
    monkeypatch.setattr(os, "unlink", unlink)
    removed(tmp_path / "top")
    assert [each.name for each in tmp_path.rglob("*") if not each.is_dir()] == ["stuck"]
    assert f"{tmp_path / 'top'} could not be removed: Directory not empty" in caplog.text


def test_who_is_not_root_opens_what_was_closed_to_it(tmp_path: Path) -> None:
    for name in ("top", "top/a", "top/a/b", "top/a/b/c"):
        (tmp_path / name).mkdir()
    (tmp_path / "top" / "a" / "b" / "c" / "file").touch()
    script = "import os, sys, pathlib; from ffmesh_agent.shell.removing import removed\n"
    script += "for place in ('top/a/b/c', 'top/a/b', 'top/a', 'top'): os.chmod(place, 0)\n"
    script += "removed(pathlib.Path('top')); sys.exit(os.path.lexists('top'))"
    if os.geteuid() == 0:
        for place in (tmp_path, *tmp_path.rglob("*")):
            os.chown(place, 65534, 65534)
        script = f"import os, ffmesh_agent.shell.removing; os.setuid(65534); {script}"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)

"""What a version that wrote its notes otherwise has left in the roots goes when it is provably ours and old."""

import asyncio
import json
import os
import time
from pathlib import Path

import pytest

from agent.shell.crashing import ATTEMPT, HIDDEN, SPOOL, note_of, result_of
from agent.shell.stage import until
from ffmesh_agent.shell import leftovers, sealing, staging
from ffmesh_agent.shell.journal import Journal
from ffmesh_agent.shell.outputs import Outputs

WEEK = leftovers.OLD_SECONDS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def left(home: Path, root: Path, *, age: float = WEEK + 60, spool: str = SPOOL, stage: str = "sealed") -> Path:
    """A note that this version cannot read, and its folder. Gives back the note."""
    journal = Journal(home / "staged", spool)
    list(journal.found())
    note = staging.begin(journal, note_of(journal, root), umask=None, may_replace=True)
    (root / HIDDEN / "out").write_text("new")
    sealing.seal(journal, note, result_of(ATTEMPT))
    file = home / "staged" / f"{ATTEMPT}.json"
    said = json.loads(file.read_bytes()) | {"stage": stage, "result": "in other words"}
    file.write_text(json.dumps(said))
    written = time.time() - age
    os.utime(file, (written, written))
    return file


async def started(home: Path, root: Path) -> None:
    async with asyncio.TaskGroup() as tasks:
        outputs = Outputs(Journal(home / "staged", SPOOL), {"R": str(root)}, tasks, lambda _: None)
        assert await outputs.restored() == ()


async def test_an_old_folder_of_a_note_that_cannot_be_read_any_more_goes_at_a_start(tmp_path: Path, root: Path) -> None:
    left(tmp_path, root)
    (root / f"{HIDDEN}x").mkdir()
    (root / "film.mkv").write_text("a film")
    await started(tmp_path, root)
    await until(lambda: list((tmp_path / "staged").iterdir()) == [])
    assert sorted(each.name for each in root.iterdir()) == sorted([f"{HIDDEN}x", "film.mkv"])


def swept(home: Path, spool: str = SPOOL) -> None:
    journal = Journal(home / "staged", spool)
    list(journal.found())
    leftovers.swept(journal)


def test_one_that_is_young_and_one_of_another_home_stay(tmp_path: Path, root: Path) -> None:
    file = left(tmp_path, root, age=WEEK - 600)
    swept(tmp_path)
    assert (root / HIDDEN / "out").exists()
    aside = file.with_name(f"{file.name}.damaged")
    written = time.time() - WEEK - 60
    os.utime(aside, (written, written))
    swept(tmp_path, spool="another's")
    assert (root / HIDDEN / "out").exists()
    swept(tmp_path)
    assert not (root / HIDDEN).exists()


def test_one_that_may_hold_what_was_there_before_stays_and_is_warned_of(
    tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left(tmp_path, root, stage="committing")
    swept(tmp_path)
    assert (root / HIDDEN / "out").exists()
    assert "may hold what was in place before; it stays" in caplog.text


def test_what_is_called_otherwise_and_what_is_a_link_by_now_stays(tmp_path: Path, root: Path) -> None:
    file = left(tmp_path, root)
    (root / HIDDEN).rename(root / "kept")
    (root / HIDDEN).symlink_to(root / "kept")
    swept(tmp_path)
    assert (root / "kept" / "out").exists()
    (root / HIDDEN).unlink()
    aside = file.with_name(f"{file.name}.damaged")
    named = aside.read_text()
    assert ATTEMPT in named
    for hidden in ("kept", "root"):
        said = json.loads(named)
        said["places"] = [{"made": _as_told(root / hidden), "landings": []}]
        aside.write_text(json.dumps(said))
        written = time.time() - WEEK - 60
        os.utime(aside, (written, written))
        swept(tmp_path)
        assert (root / "kept" / "out").exists()


def test_what_no_version_has_written_stays(tmp_path: Path) -> None:
    (tmp_path / "staged").mkdir()
    file = tmp_path / "staged" / f"{ATTEMPT}.json"
    file.write_text('{"attempt":')
    os.utime(file, (0, 0))
    swept(tmp_path)
    assert [each.name for each in (tmp_path / "staged").iterdir()] == [f"{ATTEMPT}.json.damaged"]


def _as_told(path: Path) -> str:
    import base64

    return base64.b64encode(bytes(path)).decode()

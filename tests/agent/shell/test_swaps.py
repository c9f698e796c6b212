"""Whoever may write in a root swaps a folder for a link at any moment, and gets nothing of an output out of the root,
and nothing else into it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.shell.crashing import ATTEMPT, HIDDEN, SPOOL, place_of, result_of
from ffmesh_agent.ffmpeg.aside import Kind
from ffmesh_agent.shell import held, sealing, staging
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.journal import Journal
from ffmesh_agent.shell.noted import NotStaged

LATER = boottime() + 100_000
MANY = 100
"""Folders, more than are held at a time."""


@pytest.mark.parametrize(
    ("which", "end"),
    [
        ("films", "committed"),
        ("films/0", "committed"),
        ("films/{hidden}", "committed"),
        ("films", "undone"),
        ("films/{hidden}/0", "undone"),
        ("films", "begun"),
        ("films/{hidden}", "begun"),
        ("films/{hidden}/0", "begun"),
        ("films", "sealed"),
        ("films/{hidden}", "sealed"),
        ("films", "brought"),
        ("films/{hidden}", "brought"),
        ("films/{hidden}/0", "brought"),
        ("../scratch/{hidden}/R", "brought"),
        ("../scratch/{hidden}/R/0", "brought"),
    ],
)
def test_nothing_outside_is_touched_whenever_a_folder_becomes_a_link(which: str, end: str, quick: Path) -> None:
    tests = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, Path(__file__).with_name("parting.py"), which, end, quick],
        env=os.environ | {"PYTHONPATH": f"{tests}:{':'.join(sys.path)}"},
        check=True,
        timeout=100,
    )
    lives = list(quick.iterdir())
    assert len(lives) > 20
    assert [life.name for life in lives if (life / "touched").exists()] == []
    said = {(life / "said").read_text() for life in lives}
    assert (end != "undone") == (end in said)
    assert len(said) > 1, "or nobody noticed"


def test_of_many_folders_only_some_are_open_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    names = [f"{number}/{name}" for number in range(MANY) for name in "ab"]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("old")
    journal = Journal(tmp_path / "notes", SPOOL)
    list(journal.found())
    note = journal.fresh(ATTEMPT, (place_of(root, dict.fromkeys(names, Kind.FILE)),))
    note = staging.begin(journal, note, umask=None, may_replace=True)
    for name in names:
        (root / HIDDEN / name).write_text("new")
    note = sealing.seal(journal, note, result_of(ATTEMPT))
    before, most = _open_below(tmp_path), 0
    really = held.Held.opened

    def opened(self: held.Held, folder: held.Folder) -> int:
        nonlocal most
        descriptor = really(self, folder)
        most = max(most, _open_below(tmp_path))
        return descriptor

    monkeypatch.setattr(held.Held, "opened", opened)
    note = staging.commit(journal, note, LATER)
    assert {(root / name).read_text() for name in names} == {"new"}
    assert held.MOST_OPEN <= most - before < held.MOST_OPEN + 5
    assert _open_below(tmp_path) == before
    staging.drop(journal, note)


def test_a_folder_that_another_one_has_replaced_in_the_same_root_is_no_place_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    for name in ("x", "others"):
        (root / name).mkdir(parents=True)
    journal = Journal(tmp_path / "notes", SPOOL)
    list(journal.found())
    note = journal.fresh(ATTEMPT, (place_of(root, {"x/a": Kind.FILE, "x/b": Kind.FILE}),))
    note = staging.begin(journal, note, umask=None, may_replace=True)
    for name in ("x/a", "x/b"):
        (root / HIDDEN / name).write_text("new")
    note = sealing.seal(journal, note, result_of(ATTEMPT))
    really = held.Spot.replace

    def replace(spot: held.Spot, other: held.Spot) -> None:
        really(spot, other)
        if not (root / "y").exists():
            (root / "x").rename(root / "y")
            (root / "others").rename(root / "x")

    monkeypatch.setattr(held.Spot, "replace", replace)
    with pytest.raises(NotStaged, match=r"^\$R/x became another folder while something was put there$"):
        staging.commit(journal, note, LATER)
    assert not any(file.is_file() for folder in (root / "x", root / "y") for file in folder.iterdir())
    assert (root / HIDDEN / "x" / "a").read_text() == "new"


def _open_below(folder: Path) -> int:
    with os.scandir("/proc/self/fd") as descriptors:
        return sum(_leads_to(entry.path).startswith(f"{folder}/") for entry in descriptors)


def _leads_to(descriptor: str) -> str:
    try:
        return str(Path(descriptor).readlink())
    except FileNotFoundError:  # the descriptor of the listing itself
        return ""

"""kill -9 at any point of what an agent writes down loses nothing, and leaves no half output in place."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from agent.shell.crashing import (
    ATTEMPT,
    ATTEMPTS,
    NEW_LADDER,
    OLD_LADDER,
    SPOOL,
    result_of,
    write_ladder,
)
from ffmesh_agent.core.effects import CommitOutput, DropOutput
from ffmesh_agent.core.events import Event, OutputCommitted
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.journal import Journal
from ffmesh_agent.shell.outputs import Outputs
from ffmesh_agent.shell.spool import Spool


def _crashed(work: str, old: str, folder: Path, elsewhere: Path | None = None) -> Iterator[tuple[Path, list[str]]]:
    """The folder of each life that was killed, and what it had said; at last of one that was not."""
    tests = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, Path(__file__).with_name("crashing.py"), work, old, folder],
        env=os.environ | {"PYTHONPATH": f"{tests}:{':'.join(sys.path)}"},
        cwd=elsewhere,
        check=True,
        timeout=100,
    )
    lives = sorted(folder.iterdir(), key=lambda life: int(life.name))
    for life in lives:
        yield life, (life / "said").read_text().splitlines()


def _content(place: Path) -> dict[str, str] | str | None:
    if place.is_dir():
        return {file.name: file.read_text() for file in place.iterdir()}
    return place.read_text() if place.exists() else None


@pytest.mark.parametrize("permitted", [True, False])
@pytest.mark.parametrize(
    ("work", "old"), [("file", "none"), ("file", "file"), ("folder", "none"), ("folder", "folder")]
)
async def test_a_staged_output_is_whole_aside_or_whole_in_place_whenever_its_agent_is_killed(
    work: str, old: str, permitted: bool, quick: Path
) -> None:
    before = {"none": None, "file": "old", "folder": {"a": "old"}}[old]
    after = {"a": "new", "b": "new"} if work == "folder" else "new"
    found: set[str] = set()
    for life, said in _crashed(work, old, quick):
        root, events = life / "root", asyncio.Queue[Event]()
        place = root / "out"
        assert _content(place) in (before, after)
        async with asyncio.TaskGroup() as tasks:
            outputs = Outputs(Journal(life / "staged", SPOOL), {"R": str(root)}, tasks, events.put_nowait)
            staged = await outputs.restored()
            for output in staged:
                assert structs.replace(output.result, outputs=()) == result_of(ATTEMPT)
                assert _content(place) == (after if output.committed else before)
                if permitted and not output.committed:
                    outputs.carry_out(CommitOutput(attempt=ATTEMPT, until=boottime() + 1000))
                    assert await events.get() == OutputCommitted(attempt=ATTEMPT)
                    assert _content(place) == after
                found.add("committed" if output.committed else "sealed")
                outputs.carry_out(DropOutput(attempt=ATTEMPT))
        if not staged:
            assert "sealed" not in said or "committed" in said
            assert _content(place) == (after if "committed" in said else before)
        assert list(root.iterdir()) == ([place] if place.exists() else [])
        assert list((life / "staged").iterdir()) == []
    assert found == {"sealed", "committed"}


def _files(root: Path) -> dict[str, str]:
    """What a media server sees."""
    return {
        str(file.relative_to(root)): file.read_text()
        for file in root.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(root).parts)
    }


@pytest.mark.parametrize("work", ["ladder", "linked ladder", "ladder without numbers", "ladder from elsewhere"])
async def test_a_ladder_is_the_old_one_or_the_new_one_after_the_restart_whenever_its_agent_is_killed(
    work: str, quick: Path, tmp_path: Path
) -> None:
    if "elsewhere" in work and quick == tmp_path:
        pytest.skip("there is no /dev/shm, which is another file system")
    before, after = (_written(tmp_path / name, name) for name in ("old", "new"))
    made = tmp_path / "made"
    made.mkdir()
    found: set[str] = set()
    mixtures = 0
    for number, (life, said) in enumerate(_crashed(work, "ladder", quick, made)):
        permitted = number % 2 == 0
        root, events = life / "root", asyncio.Queue[Event]()
        mixtures += _files(root) not in (before, after)
        async with asyncio.TaskGroup() as tasks:
            outputs = Outputs(Journal(life / "staged", SPOOL), {"R": str(root)}, tasks, events.put_nowait)
            staged = await outputs.restored()
            assert _files(root) in (before, after)
            for output in staged:
                assert _files(root) == (after if output.committed else before)
                if permitted and not output.committed:
                    outputs.carry_out(CommitOutput(attempt=ATTEMPT, until=boottime() + 1000))
                    assert await events.get() == OutputCommitted(attempt=ATTEMPT)
                    assert _files(root) == after
                found.add("committed" if output.committed else "sealed")
                outputs.carry_out(DropOutput(attempt=ATTEMPT))
            is_new = permitted or any(output.committed for output in staged)
        if staged:
            assert _files(root) == (after if is_new else before)
        else:
            assert "sealed" not in said or "committed" in said
            assert _files(root) == (after if "committed" in said else before)
        assert sorted(each.name for each in root.iterdir()) == sorted({name.partition("/")[0] for name in _files(root)})
        assert list((life / "staged").iterdir()) == []
    assert found == {"sealed", "committed"}
    assert mixtures > 0, "or the moments were badly chosen"
    assert list(made.iterdir()) == []


def _written(folder: Path, content: str) -> dict[str, str]:
    """The ladder alone."""
    folder.mkdir()
    write_ladder(folder, OLD_LADDER if content == "old" else NEW_LADDER, content)
    return {**_files(folder), "0/poster.jpg": "stays"}


def test_a_result_that_was_said_to_be_kept_is_found_whenever_its_agent_was_killed(quick: Path) -> None:
    lives = list(_crashed("spool", "none", quick))
    assert len(lives) > 5
    for life, said in lives:
        restored = {result.attempt: result for result in Spool(life / "spool", Disk("unused")).opened()[1]}
        kept = {line.removeprefix("kept ") for line in said}
        assert kept - {ATTEMPTS[0]} <= restored.keys()
        assert all(result == result_of(attempt) for attempt, result in restored.items())
        assert list((life / "spool").glob("*.damaged")) == []

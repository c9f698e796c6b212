"""kill -9 at any point of what an agent writes down loses nothing, and leaves no half output in place."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.shell.crashing import ATTEMPT, ATTEMPTS, SPOOL, result_of
from ffmesh_agent.core.effects import CommitOutput, DropOutput
from ffmesh_agent.core.events import Event, OutputCommitted
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.journal import Journal
from ffmesh_agent.shell.outputs import Outputs
from ffmesh_agent.shell.spool import Spool


def _crashed(work: str, old: str, folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folder of each life that was killed, and what it had said; at last of one that was not."""
    tests = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, Path(__file__).with_name("crashing.py"), work, old, folder],
        env=os.environ | {"PYTHONPATH": f"{tests}:{':'.join(sys.path)}"},
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
    work: str, old: str, permitted: bool, tmp_path: Path
) -> None:
    before = {"none": None, "file": "old", "folder": {"a": "old"}}[old]
    after = {"a": "new", "b": "new"} if work == "folder" else "new"
    found: set[str] = set()
    for life, said in _crashed(work, old, tmp_path):
        root, events = life / "root", asyncio.Queue[Event]()
        place = root / "out"
        assert _content(place) in (before, after)
        async with asyncio.TaskGroup() as tasks:
            outputs = Outputs(Journal(life / "staged", SPOOL), {"R": str(root)}, tasks, events.put_nowait)
            staged = await outputs.restored()
            for output in staged:
                assert output.result == result_of(ATTEMPT)
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


def test_a_result_that_was_said_to_be_kept_is_found_whenever_its_agent_was_killed(tmp_path: Path) -> None:
    lives = list(_crashed("spool", "none", tmp_path))
    assert len(lives) > 10
    for life, said in lives:
        restored = {result.attempt: result for result in Spool(life / "spool", Disk("unused")).opened()[1]}
        kept = {line.removeprefix("kept ") for line in said}
        assert kept - {ATTEMPTS[0]} <= restored.keys()
        assert all(result == result_of(attempt) for attempt, result in restored.items())
        assert list((life / "spool").glob("*.damaged")) == []

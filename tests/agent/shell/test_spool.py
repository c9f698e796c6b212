import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from agent.shell.crashing import result_of
from agent.shell.stage import fresh_id
from ffmesh_agent.shell import spool as spool_module
from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.spool import Spool, owned
from ffmesh_protocol import codec
from ffmesh_protocol.errors import BadConfig
from ffmesh_protocol.messages.reports import Result


def _result() -> Result:
    return result_of(fresh_id())


class Kept:
    """A spool at work, and what it said."""

    def __init__(self, spool: Spool, tasks: asyncio.TaskGroup) -> None:
        self.spool = spool
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.task = tasks.create_task(spool.run(self.said.put_nowait))


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncGenerator[Kept, None]:
    disk = Disk("spool")
    async with asyncio.TaskGroup() as tasks:
        spool = Spool(tmp_path, disk)
        spool.opened()
        kept = Kept(spool, tasks)
        yield kept
        kept.task.cancel()
    disk.close()


def _reopened(folder: Path) -> tuple[str, tuple[Result, ...]]:
    return Spool(folder, Disk("unused")).opened()


async def test_when_a_result_is_said_to_be_kept_the_next_life_finds_it(kept: Kept, tmp_path: Path) -> None:
    results = [_result() for _ in range(20)]
    for result in results:
        kept.spool.keep(result)
    assert [await kept.said.get() for _ in results] == [result.attempt for result in results]
    assert sorted(_reopened(tmp_path)[1], key=lambda result: result.attempt) == sorted(
        results, key=lambda result: result.attempt
    )


async def test_a_result_that_was_dropped_is_not_found_again(kept: Kept, tmp_path: Path) -> None:
    first, second = _result(), _result()
    kept.spool.keep(first)
    kept.spool.drop(first.attempt)
    kept.spool.drop("never kept")
    kept.spool.keep(second)
    assert [await kept.said.get(), await kept.said.get()] == [first.attempt, second.attempt]
    assert _reopened(tmp_path)[1] == (second,)


async def test_results_that_come_together_share_a_file_which_goes_with_the_last_of_them(
    kept: Kept, tmp_path: Path
) -> None:
    results = [_result() for _ in range(3)]
    for result in results:
        kept.spool.keep(result)
    for _ in results:
        await kept.said.get()
    assert [file.stem for file in tmp_path.glob("*.json")] == [results[0].attempt]
    kept.spool.drop(results[0].attempt)
    kept.spool.drop(results[2].attempt)
    kept.spool.keep(later := _result())
    await kept.said.get()
    assert {result.attempt for result in _reopened(tmp_path)[1]} >= {results[1].attempt, later.attempt}
    kept.spool.drop(results[1].attempt)
    kept.spool.keep(_result())
    await kept.said.get()
    assert not (tmp_path / f"{results[0].attempt}.json").exists()


async def test_what_an_earlier_life_kept_goes_when_it_is_settled(tmp_path: Path) -> None:
    file = tmp_path / "spool"
    file.mkdir()
    old = _result()
    (file / f"{old.attempt}.json").write_bytes(codec.encode(old))
    disk, said = Disk("spool"), asyncio.Queue[str]()
    spool = Spool(file, disk)
    assert spool.opened()[1] == (old,)
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(spool.run(said.put_nowait))
        spool.drop(old.attempt)
        spool.keep(new := _result())
        await said.get()
        work.cancel()
    disk.close()
    assert [kept.stem for kept in file.glob("*.json")] == [new.attempt]


async def test_file_and_folder_are_synced_before_a_result_is_said_to_be_kept(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    result = _result()
    kept.spool.keep(result)
    await kept.said.get()
    assert synced == [f"{result.attempt}.new", tmp_path.name]


async def test_a_full_disk_is_tried_again_and_at_last_the_result_is_told_all_the_same(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool_module, "RETRY_SECONDS", 0.0)
    tmp_path.joinpath("id").unlink()
    tmp_path.rmdir()
    result = _result()
    kept.spool.keep(result)
    assert await kept.said.get() == result.attempt
    assert "told without being kept" in caplog.text
    tmp_path.mkdir()


def test_a_damaged_file_is_set_aside_and_the_others_are_found(tmp_path: Path) -> None:
    good, other = _result(), _result()
    (tmp_path / f"{good.attempt}.json").write_bytes(codec.encode(good))
    (tmp_path / f"{fresh_id()}.json").write_bytes(codec.encode(other))  # under another's name
    (tmp_path / "half.json").write_bytes(b'{"attempt":')
    (tmp_path / "half.new").write_bytes(b"{")
    assert _reopened(tmp_path)[1] == (good,)
    assert len(list(tmp_path.glob("*.damaged"))) == 2
    assert list(tmp_path.glob("*.new")) == []
    assert _reopened(tmp_path)[1] == (good,)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_line_that_cannot_be_read_sets_only_itself_aside(at: int, tmp_path: Path) -> None:
    results = [_result() for _ in range(3)]
    lines = [codec.encode(result) for result in results]
    lines[at] = b'{"attempt":'
    file = tmp_path / f"{results[0].attempt}.json"
    file.write_bytes(b"\n".join(lines))
    for _ in range(2):
        assert _reopened(tmp_path)[1] == tuple(each for each in results if each is not results[at])
    assert file.with_name(f"{file.name}.damaged").read_bytes() == b'{"attempt":'


def test_the_id_is_made_once_and_made_anew_only_when_it_is_damaged(tmp_path: Path) -> None:
    first = _reopened(tmp_path)[0]
    assert len(first) == 32
    assert _reopened(tmp_path)[0] == first
    (tmp_path / "id").write_bytes(b"\xff")
    assert _reopened(tmp_path)[0] not in {first, ""}


def test_a_home_has_one_owner_and_the_second_is_told_whose_it_is(tmp_path: Path) -> None:
    sentence = rf"pid {os.getpid()}\) runs with {tmp_path} already"
    with owned(tmp_path), pytest.raises(BadConfig, match=sentence), owned(tmp_path):
        pass
    with owned(tmp_path):
        pass


def test_a_home_is_free_when_its_owner_was_killed(tmp_path: Path) -> None:
    script = "import sys, pathlib; from ffmesh_agent.shell.spool import owned\n"
    script += "with owned(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BadConfig, match=f"pid {process.pid}"), owned(tmp_path):
            pass
        process.kill()
    with owned(tmp_path):
        pass


def test_a_copy_of_a_home_has_another_id_and_a_home_that_was_moved_has_its_own(tmp_path: Path) -> None:
    first = _reopened(tmp_path / "home")[0]
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    assert _reopened(tmp_path / "copy")[0] not in {first, ""}
    (tmp_path / "home").rename(tmp_path / "moved")
    assert _reopened(tmp_path / "moved")[0] == first

"""What is seen of roots, on real mounts: those of this test alone."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell import roots as roots_module
from ffmesh_agent.shell.capability import is_news
from ffmesh_agent.shell.mounts import told_of_changes
from ffmesh_agent.shell.roots import NO_ANSWER, Roots
from ffmesh_agent.shell.storage import NONCE_FILE, StorageMemory
from ffmesh_protocol.messages.capability import RootState
from support.mounts import bind, mount_tmpfs, mountable, remount, silent_mount, unmount

READ_ONLY = "it cannot be written: it is mounted for reading only"


class Watch:
    """The roots of one agent, and what was seen of each last. A new one with the same home is its next life."""

    def __init__(self, home: Path, **places: RootPlace | Path) -> None:
        home.mkdir(exist_ok=True)
        tables = {
            name: place if isinstance(place, RootPlace) else RootPlace(path=str(place))
            for name, place in places.items()
        }
        memory = StorageMemory(home / "storage.json", {name: place.path for name, place in tables.items()})
        self.seen: asyncio.Queue[tuple[str, RootState]] = asyncio.Queue()
        self.roots = Roots(tables, memory, lambda name, state: self.seen.put_nowait((name, state)))

    async def state(self, name: str = "R") -> RootState:
        return (await self.roots.states([name]))[name]

    async def why(self, name: str = "R") -> str | None:
        """Of one that is not there."""
        state = await self.state(name)
        assert not state.mounted
        return state.why


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def place(tmp_path: Path) -> Generator[Path, None, None]:
    with mountable(tmp_path / "place") as place:
        yield place


def table(path: Path, **said: Any) -> RootPlace:
    return RootPlace(path=str(path), **said)


# --- is it there ------------------------------------------------------------------------------------------------------


async def test_a_folder_is_there_with_its_room_and_is_left_as_it_was(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    state = await Watch(home, R=folder).state()
    room = os.statvfs(folder)
    assert (state.mounted, state.writable, state.storage) == (True, True, None)
    total = room.f_blocks * room.f_frsize
    assert state.total_bytes == total
    assert state.free_bytes is not None
    assert 0 <= state.free_bytes <= total
    assert list(folder.iterdir()) == []


async def test_what_is_no_folder_is_not_there_and_no_sentence_says_where_it_would_be(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "file").touch()
    watch = Watch(home, Gone=tmp_path / "gone", File=tmp_path / "file")
    assert await watch.why("Gone") == "there is no such folder"
    assert await watch.why("File") == "there is no folder, but something else"


async def test_a_mount_point_is_there_while_something_is_mounted_on_it(place: Path, home: Path, tmp_path: Path) -> None:
    watch = Watch(home, R=table(place, mount_point=True))
    assert await watch.why() == "nothing is mounted there"
    mount_tmpfs(place)
    assert (await watch.state()).mounted
    unmount(place)
    assert await watch.why() == "nothing is mounted there"
    (tmp_path / "elsewhere").mkdir()
    bind(tmp_path / "elsewhere", place)  # of the same file system: its number is the same
    assert (await watch.state()).mounted


async def test_a_mount_that_goes_and_leaves_an_empty_folder_is_seen_by_its_file_system(place: Path, home: Path) -> None:
    mount_tmpfs(place)
    watch = Watch(home, R=place)
    assert watch.roots.device("R") is None
    assert (await watch.state()).mounted
    before = watch.roots.device("R")
    assert before == place.stat().st_dev
    unmount(place)
    assert (await watch.state()).mounted, "there is a folder"
    assert watch.roots.device("R") == place.stat().st_dev != before


async def test_a_folder_below_a_mount_is_no_mount_point_and_a_link_to_one_is(
    place: Path, home: Path, tmp_path: Path
) -> None:
    mount_tmpfs(place)
    (place / "below").mkdir()
    (tmp_path / "link").symlink_to(place)
    watch = Watch(home, Below=table(place / "below", mount_point=True), Link=table(tmp_path / "link", mount_point=True))
    assert await watch.why("Below") == "nothing is mounted there"
    assert (await watch.state("Link")).mounted


async def test_a_sentinel_tells_whether_the_right_thing_is_mounted(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    watch = Watch(home, R=table(folder, sentinel=".mounted"))
    assert await watch.why() == "the file .mounted is missing in it"
    (folder / ".mounted").touch()
    assert (await watch.state()).mounted


async def test_a_mount_whose_server_has_died_is_not_there(tmp_path: Path, home: Path) -> None:
    with mountable(tmp_path / "dead") as place:
        watch = Watch(home, R=place)
        with silent_mount(tmp_path / "silent"):
            bind(tmp_path / "silent", place)
        assert await watch.why() == "its mount has lost its server"


# --- can it be written ------------------------------------------------------------------------------------------------


async def test_a_mount_that_becomes_read_only_takes_no_output_and_can_still_be_read(place: Path, home: Path) -> None:
    mount_tmpfs(place)
    watch = Watch(home, R=place)
    assert (await watch.state()).writable
    remount(place, "ro")
    state = await watch.state()
    assert (state.mounted, state.writable, state.why) == (True, False, READ_ONLY)
    remount(place, "rw")
    state = await watch.state()
    assert (state.writable, state.why) == (True, None)


async def test_a_root_where_no_file_can_be_made_is_not_writable(place: Path, home: Path) -> None:
    mount_tmpfs(place, "nr_inodes=2")
    (place / "the only file").touch()
    state = await Watch(home, R=place).state()
    assert (state.mounted, state.writable) == (True, False)
    assert state.why == "it cannot be written: there is no room left in it"


async def test_a_file_system_without_nameless_files_is_tried_by_one_that_is_gone_at_once(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.setattr("ffmesh_agent.shell.looking._TEMPORARY", None)
    before = folder.stat().st_mtime_ns
    assert (await Watch(home, R=folder).state()).writable
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mtime_ns > before, "it was tried"


async def test_it_is_really_tried_once_and_not_at_every_look(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    monkeypatch.setattr("ffmesh_agent.shell.looking._write", tried.append)
    watch = Watch(home, R=tmp_path)
    for _ in range(3):
        await watch.state()
    assert len(tried) == 1


async def test_one_that_is_only_to_be_read_is_never_written(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    before = folder.stat().st_mtime_ns
    state = await Watch(home, R=table(folder, read_only=True, storage=True)).state()
    assert (state.mounted, state.writable, state.storage) == (True, False, None)
    assert state.why == "nothing is written there, as its agent is configured"
    assert folder.stat().st_mtime_ns == before


async def test_less_room_than_is_kept_free_is_said(tmp_path: Path, home: Path) -> None:
    state = await Watch(home, R=table(tmp_path, keep_free="999999 TB")).state()
    assert (state.mounted, state.writable) == (True, True)
    assert state.why is not None
    assert "free" in state.why


# --- is it the same storage -------------------------------------------------------------------------------------------


async def test_two_machines_that_see_the_same_storage_tell_the_same_nonce_and_another_one_another(
    tmp_path: Path,
) -> None:
    nonces: list[str | None] = []
    for home, folder in (("one", "shared"), ("two", "shared"), ("three", "other")):
        (tmp_path / folder).mkdir(exist_ok=True)
        nonces.append((await Watch(tmp_path / home, R=table(tmp_path / folder, storage=True)).state()).storage)
    assert all(nonces)
    assert (nonces[0] == nonces[1], nonces[0] == nonces[2]) == (True, False)
    assert (tmp_path / "shared" / NONCE_FILE).read_text() == f"{nonces[0]}\n"


async def test_where_a_known_storage_is_missing_nothing_is_there_and_no_second_nonce_is_made(
    place: Path, home: Path
) -> None:
    mount_tmpfs(place)
    watch = Watch(home, R=table(place, storage=True))
    nonce = (await watch.state()).storage
    (nonce_file := place / NONCE_FILE).rename(place / "kept")
    missing = f"the storage that was there is not: {NONCE_FILE} is missing in it"
    for life in (watch, Watch(home, R=table(place, storage=True))):
        assert await life.why() == missing
    unmount(place)
    assert await watch.why() == missing
    assert list(place.iterdir()) == []
    nonce_file.write_text(f"{nonce}\n")
    assert (await watch.state()).storage == nonce


async def test_a_root_that_is_given_another_place_gets_another_nonce(tmp_path: Path, home: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        assert (await Watch(home, R=table(tmp_path / name, storage=True)).state()).storage


# --- what one needs of the other --------------------------------------------------------------------------------------


async def test_a_root_is_not_there_while_one_that_it_needs_is_not_and_nothing_is_made_in_its_place(
    place: Path, home: Path, tmp_path: Path
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    watch = Watch(
        home,
        Films=table(films, storage=True, needs=("Pool",)),
        Pool=table(place, mount_point=True, needs=("Disk",)),
        Disk=tmp_path,
    )
    assert await watch.why("Films") == "root Pool, which it needs, is not there"
    assert list(films.iterdir()) == []
    mount_tmpfs(place)
    assert (await watch.state("Films")).mounted
    assert sorted(await watch.roots.states(["Films"])) == ["Disk", "Films", "Pool"]


# --- mounts that never answer -----------------------------------------------------------------------------------------


def _threads(name: str) -> int:
    return sum(1 for each in threading.enumerate() if each.name == f"look at {name}")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots_module, "ANSWER_SECONDS", 0.05)


@pytest.mark.parametrize("takes_requests", [False, True], ids=["killable", "not killable"])
async def test_a_mount_that_never_answers_costs_one_thread_and_holds_up_no_other_root(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, takes_requests: bool
) -> None:
    with silent_mount(tmp_path / "silent", takes_requests=takes_requests):
        watch = Watch(home, Silent=tmp_path / "silent", R=tmp_path)
        looking = asyncio.get_running_loop().create_task(watch.roots.states())
        name, state = await watch.seen.get()
        assert (name, state.mounted, looking.done()) == ("R", True, False), "it was told before the other had answered"
        assert (await looking)["Silent"] == RootState(mounted=False, why=NO_ANSWER)
        monkeypatch.setattr(roots_module, "ANSWER_SECONDS", 0.05)
        for _ in range(3):
            assert await watch.why("Silent") == NO_ANSWER
            assert (await watch.state("R")).mounted
        assert _threads("Silent") == 1


@pytest.mark.usefixtures("impatient")
async def test_once_a_mount_that_hung_is_gone_its_place_is_looked_at_anew(tmp_path: Path, home: Path) -> None:
    place = tmp_path / "silent"
    with silent_mount(place, takes_requests=True):
        watch = Watch(home, R=table(place, mount_point=True))
        assert await watch.why() == NO_ANSWER
        unmount(place)
        assert await watch.why() == NO_ANSWER, "its thread hangs on what it has begun with"
        watch.roots.mounts_changed()
        async with looked(watch, lambda state: state.why == "nothing is mounted there"):
            mount_tmpfs(place)
        async with looked(watch, lambda state: state.mounted):
            pass


@asynccontextmanager
async def looked(watch: Watch, is_so: Callable[[RootState], bool]) -> AsyncGenerator[None, None]:
    """On a slow machine a healthy root may miss an impatient look or two."""
    async with asyncio.timeout(20):
        while not is_so(await watch.state()):
            pass
    yield


async def test_a_change_of_the_mounts_is_told_at_once(place: Path) -> None:
    changed = asyncio.Event()
    with told_of_changes(changed.set):
        for change in (mount_tmpfs, unmount):
            changed.clear()
            change(place)
            async with asyncio.timeout(20):
                await changed.wait()


# --- what is news -----------------------------------------------------------------------------------------------------

GB = 1_000_000_000


@pytest.mark.parametrize(
    ("free", "total", "now", "is_told"),
    [
        (500 * GB, 1000 * GB, {"free_bytes": 500 * GB - 10**8}, False),
        (500 * GB, 1000 * GB, {"free_bytes": 498 * GB}, True),
        (5 * GB, 10 * GB, {"free_bytes": 5 * GB - 4 * 10**8}, False),
        (5 * GB, 10 * GB, {"free_bytes": 5 * GB - 6 * 10**8}, True),
        (5 * GB, 10 * GB, {"why": "less is free"}, True),
        (5 * GB, 10 * GB, {"writable": False}, True),
        (5 * GB, 10 * GB, {"storage": "x"}, True),
        (5 * GB, 10 * GB, {"total_bytes": 20 * GB}, True),
        (0, 0, {}, False),
    ],
)
def test_the_room_alone_is_news_only_when_it_has_changed_by_much(
    free: int, total: int, now: dict[str, Any], is_told: bool
) -> None:
    before = {"mounted": True, "writable": True, "free_bytes": free, "total_bytes": total}
    assert is_news(RootState(**before), RootState(**(before | now))) is is_told  # type: ignore[arg-type] # as JSON


def test_the_room_that_a_sentence_tells_is_no_news_either() -> None:
    before = RootState(mounted=True, writable=True, free_bytes=3 * 10**8, total_bytes=100 * GB, why="it has 300 MB")
    assert not is_news(
        before, RootState(mounted=True, writable=True, free_bytes=2 * 10**8, total_bytes=100 * GB, why="it has 200 MB")
    )
    assert is_news(before, RootState(mounted=True, writable=True, free_bytes=3 * 10**8, total_bytes=100 * GB))

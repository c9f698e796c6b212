"""How much room is promised: what a look asks of the disk, and by what a promise shrinks."""

import os
from pathlib import Path

import pytest

from ffmesh_agent.shell import room
from ffmesh_agent.shell.room import Growth, Promise, Wish, looked

KB = 1024


def wish(place: Path, expected: int | None = None) -> Wish:
    return Wish(root="Out", place=os.fsencode(place), expected=expected)


def outstanding(place: Path, *promises: Promise) -> int:
    (sight,) = looked([wish(place / "other.mkv")], {"first": promises})
    return sight.kept_promises["first"]


def promise(place: Path, expected: int) -> Promise:
    (sight,) = looked([wish(place, expected)], {})
    return Promise(device=sight.device, expected=expected, grows=sight.grows)


@pytest.mark.parametrize("name", ["index.m3u8", "film.MPD"])
def test_a_promise_to_a_playlist_shrinks_by_what_comes_to_lie_beside_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "older.ts").write_bytes(bytes(64 * KB))
    (tmp_path / "elsewhere").mkdir()
    made = promise(tmp_path / name, 1000 * KB)
    assert outstanding(tmp_path, made) == 1000 * KB
    (tmp_path / "0.ts").write_bytes(bytes(400 * KB))
    (tmp_path / "elsewhere" / "0.ts").write_bytes(bytes(400 * KB))
    assert outstanding(tmp_path, made) == 600 * KB


def test_it_does_so_too_in_a_folder_that_is_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    made = promise(tmp_path / "link" / "index.m3u8", 1000 * KB)
    (tmp_path / "real" / "0.ts").write_bytes(bytes(400 * KB))
    assert outstanding(tmp_path, made) == 600 * KB


def test_a_promise_to_a_film_shrinks_by_the_film_alone(tmp_path: Path) -> None:
    made = promise(tmp_path / "film.mkv", 1000 * KB)
    (tmp_path / "other.ts").write_bytes(bytes(400 * KB))
    assert outstanding(tmp_path, made) == 1000 * KB
    (tmp_path / "film.mkv").write_bytes(bytes(400 * KB))
    assert outstanding(tmp_path, made) == 600 * KB


def test_of_two_that_grow_in_one_folder_what_lies_there_counts_once(tmp_path: Path) -> None:
    first, second = (promise(tmp_path / name, 1000 * KB) for name in ("low.m3u8", "high.m3u8"))
    (tmp_path / "0.ts").write_bytes(bytes(400 * KB))
    assert outstanding(tmp_path, first, second) == 1600 * KB


def test_a_look_walks_each_folder_once_however_many_outputs_it_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladders = [tmp_path / f"ladder-{number}" for number in range(4)]
    for ladder in ladders:
        ladder.mkdir()
        for number in range(5):
            (ladder / f"{number}.ts").touch()
    made = {str(at): (Promise(tmp_path.stat().st_dev, KB, Growth(os.fsencode(at))),) for at in ladders}
    asked: list[Path] = []
    lstat = Path.lstat

    def counted(path: Path) -> os.stat_result:
        asked.append(path)
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", counted)
    sights = looked([wish(tmp_path / f"{number}.mkv") for number in range(256)], made)
    of_ladders = [path for path in asked if path.suffix == ".ts"]
    assert len(sights) == 256
    assert len(of_ladders) == len(set(of_ladders)) == 20


def test_a_look_has_an_end_and_what_it_did_not_see_counts_as_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "FILES_LOOKED_AT", 3)
    folders = [tmp_path / f"{number}" for number in range(3)]
    for folder in folders:
        folder.mkdir()
        for number in range(2):
            (folder / f"{number}.ts").write_bytes(bytes(100 * KB))
    made = [Promise(tmp_path.stat().st_dev, 200 * KB, Growth(os.fsencode(folder))) for folder in folders]
    (sight,) = looked([wish(tmp_path / "a.mkv")], {"first": tuple(made)})
    assert 300 * KB <= sight.kept_promises["first"] <= 400 * KB

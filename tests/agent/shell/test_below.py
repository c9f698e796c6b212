import ctypes
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ffmesh_agent.shell.below import Found, LeadsOut, found

LOOKS = 3000
_EXCHANGE, _HERE = 2, -100


@pytest.fixture(params=["at once", "step by step"])
def look(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Found]:
    """Below a root that is reached through a link itself, with a stranger's folder beside it."""
    (root := tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to("real")
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "film.mkv").touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "film.mkv").touch()
    return lambda path: found(os.fsencode(tmp_path / "root"), path.encode(), openat2=request.param == "at once")


def link(tmp_path: Path, name: str, target: str | Path) -> None:
    (tmp_path / "real" / name).symlink_to(target)


def whole(name: str, *, is_folder: bool = False) -> Found:
    return Found(name=name.encode(), is_folder=is_folder, is_whole=True)


def test_what_is_there_is_found_by_its_plain_name(look: Callable[[str], Found]) -> None:
    assert look("") == look(".") == look("a/..") == whole("", is_folder=True)
    assert look("a//b/") == look("a/b/../b") == whole("a/b", is_folder=True)
    assert look("a/./film.mkv") == whole("a/film.mkv")


def test_what_is_not_there_yet_is_found_as_far_as_it_is(look: Callable[[str], Found]) -> None:
    assert look("a/new.mkv") == Found(name=b"a", is_folder=True, is_whole=False)
    assert look("new/sub/x") == Found(name=b"", is_folder=True, is_whole=False)
    assert not look("a/film.mkv/x").is_whole


def test_links_that_stay_are_followed_to_where_they_lead(look: Callable[[str], Found], tmp_path: Path) -> None:
    link(tmp_path, "relative", "a/b/..")
    link(tmp_path, "absolute", tmp_path / "root" / "a")
    link(tmp_path, "really", tmp_path / "real" / "a")
    for name in ("relative", "absolute", "really"):
        assert look(f"{name}/film.mkv") == whole("a/film.mkv"), name
        assert look(f"{name}/new.mkv") == Found(name=b"a", is_folder=True, is_whole=False), name


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("../outside", "link/film.mkv"),
        ("../outside/film.mkv", "link"),
        ("../outside/new.mkv", "link"),
        ("/etc", "link/hostname"),
        ("a/b/../../../outside", "link"),
        ("link2", "link/film.mkv"),
        ("a", "link/../../outside/film.mkv"),
    ],
)
def test_links_that_leave_are_told(look: Callable[[str], Found], tmp_path: Path, target: str, path: str) -> None:
    link(tmp_path, "link", target)
    link(tmp_path, "link2", tmp_path / "outside")
    with pytest.raises(LeadsOut):
        look(path)


@pytest.mark.parametrize("path", ["..", "../real/a", "a/../../outside", "new/../../outside"])
def test_dots_that_leave_are_told_also_if_they_come_back(look: Callable[[str], Found], path: str) -> None:
    with pytest.raises(LeadsOut):
        look(path)


def test_links_in_a_circle_lead_nowhere(look: Callable[[str], Found], tmp_path: Path) -> None:
    link(tmp_path, "one", "two")
    link(tmp_path, "two", "one")
    assert not look("one/film.mkv").is_whole


def test_a_pipe_is_not_opened(look: Callable[[str], Found], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "real" / "pipe")
    assert look("pipe") == whole("pipe")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "renameat2"), reason="this system cannot exchange names")
def test_a_folder_that_is_swapped_for_a_link_all_the_time_is_itself_or_leads_out(
    look: Callable[[str], Found], tmp_path: Path
) -> None:
    """And whatever is found lies in the root: never is the stranger's film taken for ours."""
    link(tmp_path, "b", "../outside")
    names = os.fsencode(tmp_path / "real" / "a"), os.fsencode(tmp_path / "real" / "b")
    exchange = partial(ctypes.CDLL(None).renameat2, _HERE, names[0], _HERE, names[1], _EXCHANGE)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            exchange()

    swapping = threading.Thread(target=swap)
    swapping.start()
    came: set[bytes | None] = set()
    try:
        for _ in range(LOOKS):
            try:
                came.add(look("a/film.mkv").name)
            except LeadsOut:
                came.add(None)
    finally:
        over.set()
        swapping.join()
    # Found while it was moved, its name may be the one that it has by now; not there, while its folder was none.
    assert came <= {None, b"a/film.mkv", b"b/film.mkv", b"", b"a", b"b"}


def test_a_root_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        found(os.fsencode(tmp_path / "none"), b"x")

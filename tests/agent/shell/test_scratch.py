from pathlib import Path

from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.scratch import Scratch


async def test_what_an_earlier_life_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    disk = Disk("disk")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    old = tmp_path / "scratch" / "old"
    (old / "deep").mkdir(parents=True)
    (old / "deep" / "file").write_text("x")
    (old / "deep").chmod(0)
    (old / "link").symlink_to(outside)
    (tmp_path / "scratch" / "file").write_text("x")
    (tmp_path / "scratch" / "link").symlink_to(outside)
    scratch = Scratch(tmp_path / "scratch", disk)
    left = scratch.left()
    new = scratch.made("new")
    await scratch.sweep(left)
    assert list((tmp_path / "scratch").iterdir()) == [new]
    assert (outside / "kept").exists()
    await scratch.remove(new)
    assert not new.exists()
    disk.close()

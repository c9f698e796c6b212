"""The sizes of what a job made, for its summary."""

from pathlib import Path

from ffmesh_agent.shell.removing import removed
from ffmesh_agent.shell.sizes import written
from ffmesh_protocol.messages.jobs import Written
from support.deep import nested


def test_a_folder_counts_with_all_that_is_in_it_as_deep_as_a_path_leads(tmp_path: Path) -> None:
    nested(tmp_path / "top", 1200)
    nested(tmp_path / "deeper", 2500)
    (tmp_path / "top" / "b").write_bytes(b"4567")
    (tmp_path / "top" / "link").symlink_to(tmp_path)
    told = written([("$R/deeper/", tmp_path / "deeper"), ("$R/top/", tmp_path / "top")])
    assert told == (Written(path="$R/top/", bytes=3604),)
    removed(tmp_path / "top")
    removed(tmp_path / "deeper")

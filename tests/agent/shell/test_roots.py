import errno
import os
from pathlib import Path

import pytest

from ffmesh_agent.shell.roots import Roots
from ffmesh_protocol.messages.capability import RootState


async def test_a_mount_that_answers_with_an_error_is_not_there_until_it_is_well_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_dir(self: Path) -> bool:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(self))

    roots = Roots({"R": str(tmp_path), "None": str(tmp_path / "none")})
    with monkeypatch.context() as broken:
        broken.setattr(Path, "is_dir", is_dir)
        assert await roots.states() == {"R": RootState(mounted=False), "None": RootState(mounted=False)}
    assert await roots.states() == {"R": RootState(mounted=True), "None": RootState(mounted=False)}

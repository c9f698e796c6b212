"""Of a shim that was removed, no helper goes on and nothing is left where helpers have their sockets."""

import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from ffmesh_client.shim import front
from ffmesh_client.shim.installing import Wish, install, key_of, noted, remove
from ffmesh_client.shim.sockets import taken_away

PATIENCE = 60.0


class Installed:
    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "shim"
        config = str(tmp_path / "there is no client.toml")  # so that each call stays here
        install(Wish(folder=str(self.folder), config=config), os.environ)
        self.socket = Path(os.fsdecode(front.folder_of_sockets())) / key_of(config)

    def left(self) -> list[str]:
        return [path.name for path in self.socket.parent.glob(f"{self.socket.name}*")]

    def is_called(self) -> None:
        """Which starts a helper."""
        line = [str(self.folder / "ffmpeg"), "-v", "quiet", "-i", "none", "o.mkv"]
        assert subprocess.run(line, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False).returncode == 1
        assert self.socket.exists()

    def helper(self) -> int:
        """A descriptor that says when it has ended."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.socket))
            pid, *_ = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return os.pidfd_open(pid)


@pytest.fixture
def shim(tmp_path: Path) -> Generator[Installed, None, None]:
    made = Installed(tmp_path)
    yield made
    list(taken_away(made.socket.name))


def ends(process: int) -> bool:
    return bool(select.select([process], [], [], PATIENCE)[0])


def test_with_the_shim_its_helper_goes_and_all_that_was_its(shim: Installed) -> None:
    shim.is_called()
    process = shim.helper()
    assert remove(shim.folder) == []
    assert shim.left() == []
    assert ends(process)
    os.close(process)


def test_a_helper_with_a_call_ends_with_that(shim: Installed) -> None:
    shim.is_called()
    process = shim.helper()
    with socket.socket(socket.AF_UNIX) as call:
        call.connect(str(shim.socket))
        call.sendall(b"ffmesh 1 ")
        shim.is_called()  # and was taken behind the other one
        assert remove(shim.folder) == []
        assert shim.left() == []
        call.settimeout(0)
        with pytest.raises(BlockingIOError):
            call.recv(1)  # it is still there
    assert ends(process)
    os.close(process)


def test_what_a_killed_helper_left_goes_as_well(shim: Installed) -> None:
    shim.is_called()
    process = shim.helper()
    signal.pidfd_send_signal(process, signal.SIGKILL)
    assert ends(process)
    assert len(shim.left()) == 2
    remove(shim.folder)
    assert shim.left() == []
    os.close(process)


def test_a_helper_that_does_not_let_go_is_told_of_and_left(shim: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffmesh_client.shim.sockets.LET_GO_SECONDS", 0.05)
    lock = shim.socket.with_name(f"{shim.socket.name}.lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (remark,) = remove(shim.folder)
        assert "does not let go" in remark
        assert lock.exists()


def test_another_installation_takes_the_helpers_of_the_one_before_away(shim: Installed, tmp_path: Path) -> None:
    shim.is_called()
    process = shim.helper()
    install(Wish(folder=str(shim.folder), config=str(tmp_path / "another.toml")), os.environ)
    assert ends(process)
    assert shim.left() == []
    note = noted(shim.folder)
    assert note is not None
    assert note.key == key_of(str(tmp_path / "another.toml"))
    os.close(process)


def test_no_link_is_followed(shim: Installed, tmp_path: Path) -> None:
    elsewhere = tmp_path / "somebody's"
    elsewhere.write_text("theirs")
    shim.socket.with_name(f"{shim.socket.name}.lock").symlink_to(elsewhere)
    shim.socket.symlink_to(elsewhere)
    remove(shim.folder)
    assert elsewhere.read_text() == "theirs"

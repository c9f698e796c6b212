"""One process at a time has a home, and says who it is."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ffmesh_coordinator.shell.errors import HomeInUse, HomeUnusable
from ffmesh_coordinator.shell.home import SERVICE, Home, made_folder

HOLDER = """
import sys
from pathlib import Path
from ffmesh_coordinator.shell.home import Home
with Home(Path(sys.argv[1])).locked(sys.argv[2]):
    print(flush=True)
    sys.stdin.read()
"""


def holder(home: Home, who: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, home.folder, who], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_home_in_use_names_who_has_it_until_that_process_ends(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with holder(home, SERVICE) as other:
        with pytest.raises(HomeInUse, match=rf"ffmesh-coordinator \(process {other.pid}\)") as caught, home.locked("x"):
            pass
        assert caught.value.by_service
        other.send_signal(signal.SIGKILL)
    with home.locked("x"):
        assert home.lock.read_text() == f"{os.getpid()} x\n"


def test_a_home_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with Home(tmp_path).locked("x"):
            pass


async def test_a_service_waits_for_a_command_but_not_for_another_service(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with holder(home, "ffmesh principal") as command:
        async with asyncio.TaskGroup() as group:
            entered = asyncio.Event()

            async def enter() -> None:
                async with home.locked_by_service(patience=60):
                    entered.set()

            group.create_task(enter())
            assert command.stdin is not None
            command.stdin.close()
            async with asyncio.timeout(30):
                await entered.wait()
    with holder(home, SERVICE), pytest.raises(HomeInUse):
        async with home.locked_by_service(patience=60):
            pass


async def test_the_patience_of_a_service_ends(tmp_path: Path) -> None:
    with Home(tmp_path).locked("ffmesh principal"), pytest.raises(HomeInUse, match="ffmesh principal"):
        async with Home(tmp_path).locked_by_service(patience=0):
            pass


def test_a_home_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(HomeUnusable, match="No such file"), Home(tmp_path / "missing").locked("x"):
        pass


def test_a_folder_is_made_for_its_owner_alone_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    made_folder(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "new").chmod(0o755)
    made_folder(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o755
    with pytest.raises(HomeUnusable):
        made_folder(tmp_path / "missing" / "new")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files in the homes of others")
def test_what_root_makes_in_a_home_belongs_to_the_owner_of_the_home(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with Home(tmp_path).locked("x"):
        assert Home(tmp_path).lock.stat().st_uid == 65534
    assert Home(tmp_path).made_run().stat().st_uid == 65534


def test_paths_are_relative_to_the_home_unless_they_are_absolute() -> None:
    home = Home(Path("/srv/mesh"))
    assert home.path("broker/passwords") == Path("/srv/mesh/broker/passwords")
    assert home.path("/etc/mosquitto/passwords") == Path("/etc/mosquitto/passwords")

"""The broker is told to read its logins again, and nobody else is ever signalled."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ffmesh_coordinator.shell.broker_process import BrokerNotTold, told_to_read_its_logins
from ffmesh_protocol.bus import BrokerAddress, connected
from ffmesh_protocol.errors import BrokerUnreachable
from support.broker import private_broker, write_logins

LOGIN, PASSWORD = "agents/pi", "secret"

DEAF = """
import signal, sys
print(flush=True)
if sys.stdin.readline():
    signal.signal(signal.SIGHUP, lambda *_: (print("heard", flush=True), sys.exit()))
    signal.pause()
"""


PYTHON = Path(sys.executable).resolve()
"""Not the link of the environment: Python finds that by its own first word, which says something else here."""


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "broker.pid"


def program(called: str) -> "subprocess.Popen[bytes]":
    """One that would die of SIGHUP, until it is told a line."""
    process = subprocess.Popen(
        [called, "-I", "-S", "-c", DEAF], executable=PYTHON, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


async def test_a_login_that_was_taken_away_is_disconnected_at_once(tmp_path: Path, pid_file: Path) -> None:
    async with private_broker(tmp_path, logins={LOGIN: PASSWORD}) as broker:
        pid_file.write_text(f"{broker.pid}\n")
        address = BrokerAddress(host=broker.host, port=broker.port, username=LOGIN, password=PASSWORD)
        async with asyncio.timeout(30), connected(address, client_id="agents/pi/x") as bus:
            write_logins(broker.folder, {})
            assert await told_to_read_its_logins(pid_file)
            with pytest.raises(BrokerUnreachable):
                await bus.received()


@pytest.mark.parametrize("content", ["", "nonsense", "0", "-1", "1 2", "99999999999999999999", "١٢", "4194305"])
async def test_a_pid_file_that_names_no_process_is_nobody_to_tell(pid_file: Path, content: str) -> None:
    pid_file.write_text(content, encoding="utf-8")
    assert not await told_to_read_its_logins(pid_file)


async def test_no_pid_file_is_nobody_to_tell(pid_file: Path) -> None:
    assert not await told_to_read_its_logins(pid_file)
    assert not await told_to_read_its_logins(pid_file / "further")


async def test_a_process_that_is_no_mosquitto_is_not_signalled(pid_file: Path) -> None:
    with program("mosquitto-lookalike") as other:
        pid_file.write_text(str(other.pid))
        assert not await told_to_read_its_logins(pid_file)
        assert other.poll() is None
        other.kill()


async def test_a_mosquitto_that_has_ended_is_nobody_to_tell(pid_file: Path) -> None:
    with program("mosquitto") as ended:
        pid_file.write_text(str(ended.pid))
        ended.kill()
        # It stays a zombie, whose pid is still taken.
        await asyncio.to_thread(os.waitid, os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert not await told_to_read_its_logins(pid_file)


async def test_a_mosquitto_that_does_not_listen_yet_is_waited_for(pid_file: Path) -> None:
    with program("mosquitto") as starting:
        assert starting.stdin is not None
        assert starting.stdout is not None
        pid_file.write_text(str(starting.pid))
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(told_to_read_its_logins(pid_file))
            await asyncio.sleep(0)
            assert starting.poll() is None
            starting.stdin.write(b"\n")
            starting.stdin.flush()
        assert telling.result()
        assert starting.stdout.readline() == b"heard\n"


async def test_a_mosquitto_that_never_listens_is_said_so(pid_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffmesh_coordinator.shell.broker_process.START_SECONDS", 0.02)
    with program("mosquitto") as deaf:
        pid_file.write_text(str(deaf.pid))
        with pytest.raises(BrokerNotTold, match=f"process {deaf.pid}.*restart it"):
            await told_to_read_its_logins(pid_file)
        assert deaf.poll() is None
        deaf.send_signal(signal.SIGKILL)


@pytest.mark.skipif(shutil.which("ps") is None, reason="ps is not installed; where it is needed it is")
async def test_where_processes_cannot_be_held_a_mosquitto_is_told_by_its_number_and_nobody_else_is(
    tmp_path: Path, pid_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS, which is not here."""
    async with private_broker(tmp_path / "broker", logins={LOGIN: PASSWORD}) as broker:
        address = BrokerAddress(host=broker.host, port=broker.port, username=LOGIN, password=PASSWORD)
        async with connected(address, client_id="tester") as bus:
            pid_file.write_text(str(broker.pid))
            write_logins(broker.folder, {})
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(sys, "platform", "darwin")
                assert await told_to_read_its_logins(pid_file)
            with pytest.raises(BrokerUnreachable):
                await bus.received()
    with program("mosquitto-lookalike") as other, monkeypatch.context() as elsewhere:
        pid_file.write_text(str(other.pid))
        elsewhere.setattr(sys, "platform", "darwin")
        assert not await told_to_read_its_logins(pid_file)
        assert other.poll() is None
        other.kill()

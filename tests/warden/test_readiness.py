"""What is told to whoever has started us, and that nothing else is said or done when nobody has asked for it."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from ffmesh_warden.readiness import SILENT, readiness
from support.notified import Notified, notified


@pytest.fixture(params=["file", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Notified, None, None]:
    with notified(tmp_path, abstract=request.param == "abstract") as listener:
        yield listener


def test_ready_is_said_once_and_what_comes_later_is_a_status(systemd: Notified) -> None:
    told = readiness(dict(systemd.environment))
    told.ready("connected")
    told.status("away")
    told.ready("connected\nagain")
    told.stopping()
    said = [systemd.next(5.0) for _ in range(4)]
    assert said == [
        ["READY=1", "STATUS=connected"],
        ["STATUS=away"],
        ["STATUS=connected again"],
        ["STOPPING=1", "STATUS=stopping"],
    ]


def test_signs_of_life_fall_into_the_time_and_only_for_the_process_that_is_meant(systemd: Notified) -> None:
    assert readiness(systemd.environment | {"WATCHDOG_USEC": "60000000"}).every == 20.0
    mine = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert readiness(systemd.environment | mine).every == 10.0
    assert readiness(systemd.environment | mine | {"WATCHDOG_PID": "1"}).every is None
    assert readiness(systemd.environment | {"WATCHDOG_USEC": "soon"}).every is None


def test_no_program_of_ours_inherits_the_socket(systemd: Notified) -> None:
    environment = systemd.environment | {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    readiness(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("named", ["", "relative", "vsock:2:1234"])
def test_where_nobody_can_be_told_nothing_is(named: str) -> None:
    assert readiness({"NOTIFY_SOCKET": named, "WATCHDOG_USEC": "1000000"}) is SILENT
    assert SILENT.every is None
    SILENT.ready("nobody hears it")


def test_a_listener_that_is_gone_or_full_holds_nobody_up(tmp_path: Path) -> None:
    with notified(tmp_path) as listener:
        told = readiness(dict(listener.environment))
        for _ in range(2000):  # more than any socket keeps for who does not read
            told.lives()
    told.lives()

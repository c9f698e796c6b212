"""`ffmesh-coordinator --check`: what is wrong with a coordinator's home, and nothing started or changed."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ffmesh_coordinator.shell.home import SERVICE, Home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [*PROGRAM, "init", "--home", str(home), "--port", port]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return home


PROGRAM = (sys.executable, "-m", "ffmesh_coordinator")


def checked(home: Path, code: int = 0) -> list[dict[str, Any]]:
    words = [*PROGRAM, "--config", str(home / "coordinator.toml"), "--check", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    assert all(each["mend"] for each in findings if not each["ok"])
    return findings


def wrong(findings: list[dict[str, Any]]) -> list[str]:
    return [each["check"] for each in findings if not each["ok"]]


def add_somebody(home: Path) -> None:
    words = [*PROGRAM, "principal", "add", "pi", "--role", "agent", "--home", str(home)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)


def test_a_home_that_is_well_has_nothing_wrong_and_is_left_as_it_is(home: Path) -> None:
    add_somebody(home)
    before = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
    assert wrong(checked(home)) == []
    assert {file: file.read_bytes() for file in home.rglob("*") if file.is_file()} == before


def test_a_broker_for_this_machine_alone_is_a_note(home: Path) -> None:
    (note,) = [each for each in checked(home) if each["ok"] and each["mend"]]
    assert note["check"] == "address"


def test_who_has_the_home_is_named_and_not_disturbed(home: Path) -> None:
    with Home(home).locked(SERVICE):
        (process,) = [each for each in checked(home) if each["check"] == "process"]
    assert f"{SERVICE} (process {os.getpid()})" in process["message"]


def test_a_port_that_another_program_has_is_wrong(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        file = home / "coordinator.toml"
        lines = [line for line in file.read_text().splitlines() if not line.startswith("port")]
        file.write_text("\n".join([*lines, f"port = {other.getsockname()[1]}", ""]))
        assert wrong(checked(home, 1)) == ["listen"]


def test_a_key_that_is_gone_or_open_and_a_damaged_database_are_wrong(home: Path) -> None:
    add_somebody(home)
    (home / "master.key").chmod(0o644)
    assert wrong(checked(home, 1)) == ["key"]
    (home / "master.key").chmod(0o600)
    (home / "coordinator.db").write_bytes(b"x" * 10_000)
    assert wrong(checked(home, 1)) == ["database"]
    (home / "master.key").unlink()
    assert wrong(checked(home, 1)) == ["key", "database"]


def test_a_configuration_that_cannot_be_used_is_exit_code_2(home: Path) -> None:
    (home / "coordinator.toml").write_text("[broker]\nrum = true\n")
    assert wrong(checked(home, 2)) == ["configuration"]


def test_without_mosquitto_a_broker_of_its_own_is_wrong(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ffmesh_broker import private, version

    monkeypatch.setattr(private, "SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", str(home))
    found = version.mosquitto_found()
    assert (found.ok, "apt install mosquitto" in (found.mend or "")) == (False, True)


@pytest.mark.parametrize(("said", "ok"), [("2.0.11", True), ("2.0.9", False), ("1.6.12", False), ("2.1", True)])
def test_an_old_mosquitto_is_wrong(said: str, ok: bool) -> None:
    from ffmesh_broker.version import judged

    assert judged(said).ok is ok

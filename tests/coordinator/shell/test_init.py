"""A server without `ffmesh up`: `ffmesh-coordinator init`, and a coordinator that runs its own broker."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ffmesh_coordinator.config import load
from ffmesh_protocol.bus import BrokerAddress, connected
from ffmesh_protocol.errors import LoginRefused
from ffmesh_protocol.keys import broker_password
from ffmesh_protocol.names import client
from ffmesh_protocol.tokens import JoinToken, understood
from support.mesh import wait_until

PROGRAM = (sys.executable, "-m", "ffmesh_coordinator")
CONNECTED = "connected to the broker"


def init(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return _done("init", "--home", str(home), *words)


def made(home: Path, *words: str) -> dict[str, object]:
    done = init(home, *words, "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def contents(folder: Path) -> dict[str, bytes]:
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock")
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


@contextmanager
def serving(home: Path) -> Generator["Coordinator", None, None]:
    """From when it is connected to its broker."""
    coordinator = Coordinator(home)
    try:
        wait_until(lambda: CONNECTED in coordinator.said(), coordinator.said, 30.0)
        yield coordinator
    finally:
        coordinator.end()


class Coordinator:
    def __init__(self, home: Path) -> None:
        self.home = home
        self._log = home.with_name(f"{home.name}.log")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "--config", str(home / "coordinator.toml")], stdin=subprocess.DEVNULL, stderr=log
            )

    @property
    def broker(self) -> int:
        return int((self.home / "run" / "broker.pid").read_text())

    def said(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)


def test_init_makes_a_home_that_its_owner_alone_may_read(tmp_path: Path) -> None:
    home = tmp_path / "a new one" / "größer"
    told = made(home, "--cluster", "studio", "--port", "28831", "--advertise", "mesh.example")
    assert told == {
        "config": str(home / "coordinator.toml"),
        "created": True,
        "cluster": "studio",
        "listen": "127.0.0.1",
        "port": 28831,
        "address": "mesh.example",
    }
    config = load(home / "coordinator.toml")
    assert (config.broker.run, config.broker.host, config.public_host) == (True, "127.0.0.1", "mesh.example")
    assert {"mosquitto.conf", "acl.conf", "passwords"} <= {file.name for file in (home / "broker").iterdir()}
    assert "listener 28831 127.0.0.1" in (home / "broker" / "mosquitto.conf").read_text()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert all(not stat.S_IMODE(file.stat().st_mode) & 0o077 for file in home.rglob("*"))


def test_init_again_changes_nothing_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = made(home, "--port", "28831")
    before = contents(home)
    assert made(home) == made(home, "--listen", "127.0.0.1", "--port", "28831") == first | {"created": False}
    assert contents(home) == before


@pytest.mark.parametrize(
    "words", [["--listen", "0.0.0.0"], ["--port", "28832"], ["--cluster", "other"], ["--advertise", "a.example"]]
)
def test_init_otherwise_is_refused_by_the_option_that_differs(tmp_path: Path, words: list[str]) -> None:
    made(tmp_path / "home", "--port", "28831")
    before = contents(tmp_path)
    done = init(tmp_path / "home", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert words[0] in done.stderr
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--listen", "192.0.2.1"], "192.0.2.1"),
        (["--listen", "no address"], "no address"),
        (["--port", "0"], "0 is no port"),
        (["--cluster", "Upper"], "Upper"),
    ],
)
def test_what_cannot_be_makes_no_configuration(tmp_path: Path, words: list[str], named: str) -> None:
    done = init(tmp_path / "home", *words)
    assert (done.returncode != 0, done.stdout, done.stderr.count("\n")) == (True, "", 1)
    assert named in done.stderr
    assert not (tmp_path / "home" / "coordinator.toml").exists()


def test_a_home_of_up_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "coordinator.toml").write_text('[broker]\nport = 28831\npid_file = "run/broker.pid"\n')
    done = init(tmp_path)
    assert done.returncode == 2
    assert "ffmesh up" in done.stderr


def test_a_port_that_is_taken_is_not_chosen(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 1883))
            other.listen()
        except OSError:
            pass  # somebody else has it, which is as good
        assert made(tmp_path / "home")["port"] != 1883


def test_where_it_says_others_run_the_broker_none_is_started(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made(home)
    file = home / "coordinator.toml"
    file.write_text(file.read_text().replace("run = true", "run = false"))
    coordinator = Coordinator(home)
    try:
        wait_until(lambda: "trying again" in coordinator.said(), coordinator.said, 30.0)
        assert not (home / "run" / "broker.pid").exists()
    finally:
        coordinator.end()


@pytest.mark.skipif(shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None, reason="no mosquitto")
class TestServing:
    def test_its_broker_dies_with_it_and_nothing_listens_any_more(self, tmp_path: Path) -> None:
        made(tmp_path / "home")
        with serving(tmp_path / "home") as coordinator:
            broker = coordinator.broker
            assert coordinator.end() == 0
            assert not _lives(broker)
        with serving(tmp_path / "home") as coordinator:
            broker = coordinator.broker
            coordinator.process.kill()
            wait_until(lambda: not _lives(broker), "the broker outlived it", 10.0)

    def test_a_port_that_is_free_in_a_moment_is_waited_for(self, tmp_path: Path) -> None:
        """The broker of a coordinator that was killed may have it a moment longer."""
        home = tmp_path / "home"
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            made(home, "--port", str(other.getsockname()[1]))
            coordinator = Coordinator(home)
            try:
                log = home / "broker" / "mosquitto.log"
                wait_until(lambda: log.exists() and "in use" in log.read_text(), coordinator.said, 30.0)
                other.close()
                wait_until(lambda: CONNECTED in coordinator.said(), coordinator.said, 30.0)
            finally:
                coordinator.end()

    def test_a_broker_that_dies_is_started_again_with_the_logins_of_now(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        made(home)
        with serving(home) as coordinator:
            first = coordinator.broker
            os.kill(first, signal.SIGKILL)
            wait_until(
                lambda: coordinator.said().count(CONNECTED) == 2 and coordinator.broker != first, coordinator.said, 30.0
            )

    async def test_logins_come_and_go_while_it_runs(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        made(home)
        with serving(home):
            added = _done("principal", "add", "tv", "--role", "client", "--home", str(home))
            token = understood(added.stdout)
            assert token.port == tomllib.loads((home / "coordinator.toml").read_text())["broker"]["port"]
            async with connected(_address(token), client_id="tv-1"):
                pass
            assert _done("principal", "remove", "tv", "--home", str(home)).returncode == 0
            with pytest.raises(LoginRefused):
                async with connected(_address(token), client_id="tv-2"):
                    pass

    def test_init_beside_one_that_runs_disturbs_nothing(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        made(home)
        with serving(home):
            before = (home / "broker" / "acl.conf").stat().st_mtime_ns
            assert made(home)["created"] is False
            assert (home / "broker" / "acl.conf").stat().st_mtime_ns == before
            assert init(home, "--cluster", "other").returncode == 2

    def test_a_port_that_is_taken_ends_it_with_a_sentence(self, tmp_path: Path) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            made(tmp_path / "home", "--port", str(port))
            coordinator = Coordinator(tmp_path / "home")
            assert coordinator.process.wait(60) == 1
            assert f"port {port}" in coordinator.said()
            assert "Traceback" not in coordinator.said()

    def test_the_death_of_its_warden_ends_it_with_a_sentence(self, tmp_path: Path) -> None:
        made(tmp_path / "home")
        with serving(tmp_path / "home") as coordinator:
            broker = coordinator.broker
            os.kill(_parent(broker), signal.SIGKILL)
            assert coordinator.process.wait(30) == 1
            assert "Traceback" not in coordinator.said()
            wait_until(lambda: not _lives(broker), "the broker outlived its warden", 10.0)


def _done(*words: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done


def _address(token: JoinToken) -> BrokerAddress:
    return BrokerAddress(
        host=token.host,
        port=token.port,
        username=client(token.name).login,
        password=broker_password(token.secret, token.cluster, client(token.name)),
    )


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False

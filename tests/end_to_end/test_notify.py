"""Agent and coordinator tell systemd the truth: ready when connected, alive while they work, stopping when told."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.mesh import frozen, wait_until
from support.notified import Notified, notified

PATIENCE = 30.0
WATCHDOG_SECONDS = 0.6
SIGN, READY, STOPPING = "WATCHDOG=1", "READY=1", "STOPPING=1"


class Homes:
    """Of a coordinator with a broker of its own, and of an agent that has joined it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.coordinator, self.agent = folder / "coordinator", folder / "agent"
        _done("ffmesh_coordinator", "init", "--home", str(self.coordinator))
        added = _done(
            "ffmesh_coordinator", "principal", "add", "pi", "--role", "agent", "--home", str(self.coordinator)
        )
        _done("ffmesh_client", "join", added.strip(), "--home", str(self.agent))

    @contextmanager
    def serving(self, part: str) -> Generator[tuple["subprocess.Popen[bytes]", Notified], None, None]:
        file = self.folder / part / f"{part}.toml"
        place = self.folder / f"of {part}"
        place.mkdir()
        with notified(place, watchdog_seconds=WATCHDOG_SECONDS) as systemd, self.log(part).open("wb") as log:
            words = [sys.executable, "-m", f"ffmesh_{part}", "--config", str(file)]
            process = subprocess.Popen(words, env=os.environ | systemd.environment, stderr=log)
            try:
                yield process, systemd
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait(PATIENCE)

    def log(self, part: str) -> Path:
        return self.folder / f"{part}.log"


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


@pytest.mark.parametrize("part", ["coordinator", "agent"])
def test_what_a_service_does_is_told_from_its_first_moment_to_its_last(homes: Homes, part: str) -> None:
    with homes.serving("coordinator") as coordinator:
        coordinator[1].until(READY, PATIENCE)
        with coordinator_or_agent(homes, part, coordinator) as (process, systemd):
            systemd.until(SIGN, PATIENCE)
            process.send_signal(signal.SIGTERM)
            systemd.until(STOPPING, PATIENCE)
            assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("part", ["coordinator", "agent"])
def test_from_a_service_that_is_frozen_no_sign_of_life_comes(homes: Homes, part: str) -> None:
    with homes.serving("coordinator") as coordinator:
        coordinator[1].until(READY, PATIENCE)
        with coordinator_or_agent(homes, part, coordinator) as (process, systemd):
            systemd.until(SIGN, PATIENCE)
            with frozen(process.pid):
                systemd.empty()
                with pytest.raises(TimeoutError):
                    systemd.next(WATCHDOG_SECONDS * 3)
            systemd.until(SIGN, PATIENCE)


def test_an_agent_is_not_ready_before_it_is_connected(homes: Homes) -> None:
    with homes.serving("agent") as (_, systemd):
        wait_until(lambda: b"trying again" in homes.log("agent").read_bytes(), "it does not try", PATIENCE)
        assert not any(READY in said for said in systemd.until(SIGN, PATIENCE))
        with homes.serving("coordinator"):
            systemd.until(READY, PATIENCE)
        assert ["STATUS=the broker is away; trying again"] in systemd.until(
            "STATUS=the broker is away; trying again", PATIENCE
        )


def test_nothing_that_they_start_could_speak_in_their_name(homes: Homes) -> None:
    with homes.serving("coordinator") as (_, systemd):
        systemd.until(READY, PATIENCE)
        broker = int((homes.coordinator / "run" / "broker.pid").read_text())
        warden = int(Path(f"/proc/{broker}/stat").read_text().rpartition(")")[2].split()[1])
        for pid in (broker, warden):
            assert b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes()


@contextmanager
def coordinator_or_agent(
    homes: Homes, part: str, coordinator: tuple["subprocess.Popen[bytes]", Notified]
) -> Generator[tuple["subprocess.Popen[bytes]", Notified], None, None]:
    """From when it is ready."""
    if part == "coordinator":
        yield coordinator
        return
    with homes.serving(part) as (process, systemd):
        systemd.until(READY, PATIENCE)
        yield process, systemd


def _done(module: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *words], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout

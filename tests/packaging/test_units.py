"""The units of systemd: what `systemd-analyze` says of them, and what a real systemd makes of them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.booted import Machine, booted
from support.mesh import wait_until

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"
AGENT, COORDINATOR = "ffmesh-agent.service", "ffmesh-coordinator.service"
MOST_EXPOSED = {AGENT: 4.0, COORDINATOR: 2.0}
"""Of 10. The agent's is what is left when roots, GPUs, fences and cgroups are to work."""

WATCHDOG = "[Service]\nWatchdogSec=2\nRestartSec=1\n"
PATIENCE = 60.0
HOME = "/var/lib/ffmesh"

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


@needs_analyze
@pytest.mark.parametrize("unit", [AGENT, COORDINATOR])
def test_a_unit_is_verified_without_a_word(unit: str, tmp_path: Path) -> None:
    done = _analyzed("verify", _with_programs_of_here(unit, tmp_path))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_analyze
@pytest.mark.parametrize("unit", [AGENT, COORDINATOR])
def test_a_unit_is_exposed_no_more_than_it_must_be(unit: str, tmp_path: Path) -> None:
    done = _analyzed("security", "--offline=true", _with_programs_of_here(unit, tmp_path))
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert level is not None, done.stdout + done.stderr
    assert float(level[1]) <= MOST_EXPOSED[unit]


def test_an_exit_code_that_says_stay_down_is_obeyed() -> None:
    assert "RestartPreventExitStatus=2 77 78" in (UNITS / AGENT).read_text()
    assert "RestartPreventExitStatus=2 78" in (UNITS / COORDINATOR).read_text()


@pytest.mark.timeout(400)
def test_under_a_real_systemd_they_work_are_watched_and_stay_down_when_they_say_so(tmp_path: Path) -> None:
    with booted(tmp_path) as machine:
        _a_mesh_of_services(machine)
        _a_job_is_done(machine)
        for unit in (AGENT, COORDINATOR):
            _what_hangs_is_started_again(machine, unit)
        machine.run("ffmesh", "principal", "remove", "pi", "--home", HOME)
        wait_until(lambda: machine.unit(AGENT, "ActiveState") == ["failed"], "it was started again", PATIENCE)
        assert machine.unit(AGENT, "ExecMainStatus", "NRestarts") == ["77", "1"]
        machine.run("systemctl", "stop", COORDINATOR)
        assert machine.unit(COORDINATOR, "Result", "ExecMainStatus") == ["success", "0"]
        assert machine.run("pgrep", "mosquitto", check=False) == ""


def _a_mesh_of_services(machine: Machine) -> None:
    as_ffmesh = ("runuser", "-u", "ffmesh", "--")
    machine.run("install", "-d", "-o", "ffmesh", "-g", "ffmesh", "/srv/films")
    machine.run(*as_ffmesh, "ffmesh-coordinator", "init", "--home", HOME)
    for unit in (AGENT, COORDINATOR):
        folder = f"/run/systemd/system/{unit}.d"
        machine.run("sh", "-c", f'mkdir -p {folder} && printf "$1" >{folder}/test.conf', "sh", WATCHDOG)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", COORDINATOR)  # returns when it is ready
    token = machine.run("ffmesh", "principal", "add", "pi", "--role", "agent", "--home", HOME)
    machine.run(*as_ffmesh, "ffmesh", "join", token, "--home", HOME, "--root", "Movies=/srv/films")
    machine.run("systemctl", "start", AGENT)
    for unit in (AGENT, COORDINATOR):
        assert machine.unit(unit, "ActiveState", "StatusText") == ["active", "connected to the broker"]


def _a_job_is_done(machine: Machine) -> None:
    """Behind its fence, within the unit's."""
    token = machine.run("ffmesh", "principal", "add", "me", "--role", "client", "--home", HOME)
    machine.run("ffmesh", "join", token, "--root", "Movies=/srv/films")
    source = ("-f", "lavfi", "-i", "testsrc=duration=1:size=64x64:rate=5")
    machine.run("ffmesh", "run", "--", "ffmpeg", "-v", "error", *source, "-c:v", "libx264", "/srv/films/a.mkv")
    assert machine.run("stat", "-c", "%U %a", "/srv/films/a.mkv") == "ffmesh 644"


def _what_hangs_is_started_again(machine: Machine, unit: str) -> None:
    (pid,) = machine.unit(unit, "MainPID")
    machine.run("kill", "-STOP", pid)
    wait_until(
        lambda: machine.unit(unit, "NRestarts", "ActiveState") == ["1", "active"], f"{unit} still hangs", PATIENCE
    )
    assert machine.unit(unit, "MainPID") != [pid]


def _with_programs_of_here(unit: str, folder: Path) -> Path:
    """As it stands, but that its program is where this checkout has it."""
    text = (UNITS / unit).read_text(encoding="utf-8")
    file = folder / unit
    file.write_text(text.replace("/usr/local/bin/", f"{Path(sys.executable).parent}/"), encoding="utf-8")
    return file


def _analyzed(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, timeout=60, check=False
    )

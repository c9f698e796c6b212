"""A real systemd for one test: process 1 of namespaces of its own, on a copy-on-write root that is thrown away.

    with booted(tmp_path) as machine:
        machine.run("systemctl", "is-system-running")

Installed in it is the code of this checkout, as /usr/local/bin/ffmesh and its like, run by the system's own Python. It
needs root and an overlay file system; where it cannot be had, the test is skipped with the reason.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from support.cgroups import cgroup_of_a_test

CHECKOUT: Final = Path(__file__).parents[2]
SYSTEMD: Final = Path("/lib/systemd/systemd")
PYTHON: Final = Path("/usr/bin/python3")
SOURCES: Final = ("protocol", "coordinator", "agent", "client", "mosquitto", "warden")
PROGRAMS: Final = {
    "ffmesh": "ffmesh_client",
    "ffmesh-agent": "ffmesh_agent",
    "ffmesh-coordinator": "ffmesh_coordinator",
}

BOOT_SECONDS: Final = 30.0
COMMAND_SECONDS: Final = 60.0

ENTER: Final = """
echo $$ >"$4/cgroup.procs"
exec unshare --mount --pid --fork --cgroup --uts --ipc --net --kill-child=KILL sh -c "$5" boot "$1" "$2" "$3"
"""
"""Its cgroups are below one of ours, and go with it."""

BOOT: Final = r"""
set -e
mount --make-rprivate /
mkdir -p "$1/disk" "$1/root"
mount -t tmpfs tmpfs "$1/disk"
mkdir "$1/disk/up" "$1/disk/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/disk/up,workdir=$1/disk/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
# What is the kernel's own stays as it is: no settings, no devices found anew.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --rbind /dev dev
mkdir -p opt/ffmesh/code opt/ffmesh/packages
mount --bind "$2" opt/ffmesh/code
mount --bind "$3" opt/ffmesh/packages
ip link set lo up
exec chroot . /usr/bin/env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=basic.target --log-target=null --show-status=no
"""


class Machine:
    """Made by `booted`."""

    def __init__(self, init: int) -> None:
        self._init = init

    def run(self, *words: str, check: bool = True) -> str:
        """A command in it, as root: what it printed."""
        inside = [
            "nsenter",
            "-t",
            str(self._init),
            "--mount",
            "--pid",
            "--cgroup",
            "--uts",
            "--ipc",
            "--net",
            "-r",
            "-w",
        ]
        done = subprocess.run(
            [*inside, "--", *words],
            env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/var/home", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0 or not check, (words, done.stdout, done.stderr)
        return done.stdout.strip()

    def unit(self, name: str, *properties: str) -> list[str]:
        """What `systemctl show` says of these, in their order."""
        return [self.run("systemctl", "show", "-P", each, name) for each in properties]


@contextmanager
def booted(folder: Path) -> Generator[Machine, None, None]:
    reason = _why_not()
    if reason:
        pytest.skip(reason)
    packages, log = sysconfig.get_paths()["purelib"], folder / "boot.log"
    with cgroup_of_a_test() as cgroup, log.open("wb") as said:
        boot = subprocess.Popen(
            ["sh", "-c", ENTER, "enter", folder, CHECKOUT, packages, cgroup, BOOT],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            machine = _running(boot, log)
            _install(machine)
            yield machine
        finally:
            boot.kill()  # and with it process 1, and with that all there is
            boot.wait()


def _running(boot: "subprocess.Popen[bytes]", log: Path) -> Machine:
    """As soon as it has booted."""
    until = time.monotonic() + BOOT_SECONDS
    children = Path(f"/proc/{boot.pid}/task/{boot.pid}/children")
    while time.monotonic() < until and boot.poll() is None:
        inits = children.read_text().split()
        if inits:
            machine = Machine(int(inits[0]))
            if machine.run("systemctl", "is-system-running", check=False) in ("running", "degraded"):
                return machine
        time.sleep(0.1)
    pytest.skip(f"no systemd boots here: {log.read_text(errors='replace')[-300:]}")


def _install(machine: Machine) -> None:
    path = ":".join([*(f"/opt/ffmesh/code/{each}" for each in SOURCES), "/opt/ffmesh/packages"])
    for name, module in PROGRAMS.items():
        variables = f"PYTHONDONTWRITEBYTECODE=1 FFMESH_TRIALS=off PYTHONPATH={path}"
        lines = f'#!/bin/sh\nexport {variables}\nexec {PYTHON} -P -m {module} "$@"\n'
        machine.run("sh", "-c", 'printf %s "$1" >"$0"; chmod 755 "$0"', f"/usr/local/bin/{name}", lines)
    units = "/opt/ffmesh/code/packaging/systemd"
    machine.run("sh", "-c", f"cp {units}/*.service /etc/systemd/system/ && systemd-sysusers {units}/*.conf")
    machine.run("install", "-d", "-o", "ffmesh", "-g", "ffmesh", "-m", "700", "/var/lib/ffmesh")
    machine.run("systemctl", "daemon-reload")


def _why_not() -> str:
    if os.geteuid() != 0:
        return "only root may boot a systemd in namespaces"
    if not SYSTEMD.exists() or shutil.which("nsenter") is None or shutil.which("ip") is None:
        return "systemd, nsenter or ip is not installed"
    try:
        version = subprocess.run(
            [PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "the system has no Python of its own"
    if version.stdout.split() != [str(part) for part in sys.version_info[:2]]:
        return "the system's Python is of another version than the one that has the packages"
    return ""

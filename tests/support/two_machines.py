"""Two machines on this one: two network namespaces with a cable between them, and nothing else.

    with two_machines("192.168.1.10", "192.168.1.11") as (first, second):
        first.run("echo from here >/dev/tcp/192.168.1.11/80", home=tmp_path / "first")

It needs root, who may make them; `why_not` says why there are none. What was started in them is killed at the end.
"""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

SECONDS: Final = 60.0
PREFIX: Final = 24


class Machine:
    """Made by `two_machines`."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def run(self, line: str, *, home: Path) -> "subprocess.CompletedProcess[str]":
        """A line as a person types it, to its end. What it leaves in the background stays there, and is not heard."""
        said = home / "said"
        with said.open("w+", encoding="utf-8") as stdout, (home / "complained").open("a+", encoding="utf-8") as stderr:
            begins = stderr.tell()
            done = subprocess.run(
                ["ip", "netns", "exec", self._namespace, "bash", "-c", line],
                env=_environment(home),
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=SECONDS,
                check=False,
            )
            stderr.seek(begins)
            return subprocess.CompletedProcess(line, done.returncode, said.read_text(encoding="utf-8"), stderr.read())

    def end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in _told("ip", "netns", "pids", self._namespace).split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), number)


def why_not() -> str:
    """Why there can be no two machines here; empty if there can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    try:
        name = f"ffmesh-{uuid.uuid4().hex[:6]}"
        _told("ip", "netns", "add", name)
        _told("ip", "netns", "del", name)
    except FileNotFoundError:
        return "there is no program ip (iproute2)"
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made here: {error.stderr.strip()}"
    return ""


@contextmanager
def two_machines(first: str, second: str) -> Generator[tuple[Machine, Machine], None, None]:
    """At these addresses, in one network without a way out of it."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    mark = uuid.uuid4().hex[:6]
    places = {f"ffmesh-{mark}-{end}": (f"ff{mark}{end}", address) for end, address in (("a", first), ("b", second))}
    machines = [Machine(namespace) for namespace in places]
    try:
        for namespace in places:
            _told("ip", "netns", "add", namespace)
        (one, _), (other, _) = places.values()
        _told("ip", "link", "add", one, "type", "veth", "peer", "name", other)
        for namespace, (cable, address) in places.items():
            _told("ip", "link", "set", cable, "netns", namespace)
            inside = ("ip", "-n", namespace)
            _told(*inside, "addr", "add", f"{address}/{PREFIX}", "dev", cable)
            _told(*inside, "link", "set", cable, "up")
            _told(*inside, "link", "set", "lo", "up")
        yield machines[0], machines[1]
    finally:
        for machine in machines:
            with suppress(subprocess.CalledProcessError):
                machine.end()
        for namespace in places:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)  # the cable goes too


def _environment(home: Path) -> Mapping[str, str]:
    """Of a person who has just logged in there, and has installed ffmesh."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8"}


def _told(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=SECONDS).stdout

"""Looking at processes from outside, and owners that can be killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ffmesh_warden

SOURCE = Path(ffmesh_warden.__file__).resolve().parent
PATH = {"PATH": os.environ["PATH"]}
FOREVER = ["sleep", "1000"]


def lives(pid: int) -> bool:
    """A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"T"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # other processes set no events of ours
            await asyncio.sleep(0.002)


async def gone(*pids: int) -> None:
    await until(lambda: not any(lives(pid) for pid in pids))


async def written_pid(path: Path) -> int:
    """The number that a program writes, with a line end, into a file."""
    await until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


@dataclass(frozen=True)
class Owner:
    """A process of its own that has a warden with one program."""

    process: subprocess.Popen[bytes]
    warden: int
    program: int

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def owner_of(
    argv: list[str],
    *,
    source: Path = SOURCE,
    deadline_in: float | None = None,
    user: str | None = None,
    fence: str | None = None,
) -> Generator[Owner, None, None]:
    wanted = json.dumps({"argv": argv, "deadline_in": deadline_in, "user": user, "fence": fence})
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("owner.py"), wanted],
        env=PATH | {"PYTHONPATH": str(source.parent)},
        stdout=subprocess.PIPE,
        process_group=0,
    ) as process:
        try:
            assert process.stdout is not None
            pids = json.loads(process.stdout.readline())
            yield Owner(process, pids["warden"], pids["program"])
        finally:
            process.send_signal(signal.SIGKILL)

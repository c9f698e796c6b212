"""The folder of a mesh that `up` runs: what lies where, and the lock by which one `up` at a time has it.

    up.toml             the options that were said, for the next time
    coordinator.toml    and what the coordinator keeps beside it
    client.toml         to take part from here, as the client `local`
    watcher.toml        the broker login of the watcher `watcher`
    agents/agent-1/     agent.toml, and what that agent keeps
    broker/             Mosquitto's files, its log too
    logs/               what the other parts say
    run/                the pid of each part, and coordinator.sock
    up.lock             held by the `up` that runs; it says its pid

The lock is the kernel's (flock): it ends with its process, however that ends. The file itself is never removed.
"""

import os
import select
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ffmesh_broker.configuration import one_line
from ffmesh_client.errors import WrongUsage
from ffmesh_client.writing import PRIVATE_FILE, PRIVATE_FOLDER, give, made_folder, write
from ffmesh_protocol.errors import BadConfig

if sys.platform != "win32":
    import fcntl

ROOTS_HOME: Final = Path("/var/lib/ffmesh")

LEFT_OVER_SECONDS: Final = 5.0
"""How long to wait for what an `up` that was killed has left to its warden, which ends it in a fraction of that."""


class MeshHome:
    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.options = self.folder / "up.toml"
        self.client = self.folder / "client.toml"
        self.watcher = self.folder / "watcher.toml"
        self.coordinator = self.folder / "coordinator.toml"
        self.database = self.folder / "coordinator.db"
        self.broker = self.folder / "broker"
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"
        self.socket = self.run / "coordinator.sock"

    def agent(self, name: str) -> Path:
        return self.folder / "agents" / name / "agent.toml"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        return self.run / f"{part}.pid"

    def make(self) -> None:
        """All folders, for their owner alone. One that was there before keeps its mode if it holds anything."""
        one_line(self.folder)  # `ready` and its path are one line too
        made_folder(self.folder)
        try:
            if not any(self.folder.iterdir()):
                self.folder.chmod(PRIVATE_FOLDER)
        except OSError as error:
            raise BadConfig(f"{self.folder} cannot be used: {error.strerror or error}") from error
        for folder in (self.broker, self.logs, self.run, self.folder / "agents"):
            made_folder(folder)

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """The folder for the length of the block; `WrongUsage`, naming its pid, if another `up` has it."""
        path = self.folder / "up.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
        except OSError as error:
            raise BadConfig(f"{path} cannot be opened: {error.strerror}") from error
        try:
            give(descriptor, self.folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                raise WrongUsage(
                    f"{self.folder} is in use by another `ffmesh up` (process {pid or 'unknown'}); "
                    "end that one, or choose another --home"
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def note_pid(self, part: str, pid: int) -> None:
        write(self.pid_file(part), f"{pid}\n")

    def forget_pid(self, part: str) -> None:
        self.pid_file(part).unlink(missing_ok=True)

    def wait_for_left_overs(self) -> None:
        """Returns when no part of an earlier mesh runs here any more: it may still have the port and the database."""
        for pid_file in sorted(self.run.glob("*.pid")):
            pid = _pid_in(pid_file)
            if pid is not None and _sits_in(self.folder, pid) and not _ends(pid, LEFT_OVER_SECONDS):
                raise WrongUsage(
                    f"process {pid} is left of an earlier mesh in {self.folder} ({pid_file.stem}); end it and try again"
                )
            pid_file.unlink(missing_ok=True)


def default_home(environment: Mapping[str, str], user: int) -> Path:
    """Where the folder is when nobody says. The coordinator's commands look in the same place."""
    if user == 0:
        return ROOTS_HOME
    states = environment.get("XDG_STATE_HOME", "")
    # What is not absolute is to be ignored, says the standard of those folders.
    folder = Path(states) if states.startswith("/") else Path.home() / ".local" / "state"
    return folder / "ffmesh"


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _sits_in(folder: Path, pid: int) -> bool:
    """Whether that process works in the folder, as all parts do. The number may be another's by now."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder.resolve())
    except OSError:
        return False


def _ends(pid: int, seconds: float) -> bool:
    """Whether the process is over within that time. It need not be a child of ours."""
    if sys.platform != "linux":
        return True
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))
    finally:
        os.close(descriptor)

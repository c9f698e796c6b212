"""Tells the Mosquitto whose pid a file names to read its logins again (SIGHUP), and never signals anything else.

A pid is only a number: the process may have died, and another may have it now. So the process is taken hold of first
(a pidfd), then looked at, then signalled through that hold. A Mosquitto that has only just started and does not
catch SIGHUP yet would die of it; it is given a moment.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from ffmesh_protocol.errors import FfmeshError

PROGRAM: Final = "mosquitto"
START_SECONDS: Final = 5.0
LOOK_AGAIN: Final = 0.01


class BrokerNotTold(FfmeshError):
    """It runs, but may not be signalled by us, or does not listen: the change comes into force at its next start."""


async def told_to_read_its_logins(pid_file: Path) -> bool:
    """Whether there was one to tell. One that is not there now reads its logins when it starts."""
    pid = _pid(pid_file)
    if pid is None:
        return False
    if sys.platform != "linux":
        return await _signalled_by_number(pid)
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except OSError as error:
        raise BrokerNotTold(f"process {pid}, named by {pid_file}, cannot be signalled: {error.strerror}") from error
    try:
        return await _signalled(process, pid, pid_file)
    finally:
        os.close(process)


async def _signalled_by_number(pid: int) -> bool:
    """Where there is no hold on a process: it is looked at and signalled at once, and that has to do."""
    look = await asyncio.create_subprocess_exec("ps", "-o", "comm=", "-p", str(pid), stdout=asyncio.subprocess.PIPE)
    said, _ = await look.communicate()
    if Path(said.decode(errors="replace").strip()).name != PROGRAM:
        return False
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise BrokerNotTold(f"the broker (process {pid}) belongs to another user: kill -HUP {pid}") from None
    return True


async def _signalled(process: int, pid: int, pid_file: Path) -> bool:
    if not _is_mosquitto(pid):
        return False
    try:
        async with asyncio.timeout(START_SECONDS):
            while not _catches_sighup(pid):
                if not _is_mosquitto(pid):
                    return False
                await asyncio.sleep(LOOK_AGAIN)
        signal.pidfd_send_signal(process, signal.SIGHUP)
    except TimeoutError:
        raise BrokerNotTold(f"the broker (process {pid}) does not listen to SIGHUP; restart it") from None
    except ProcessLookupError:
        return False
    except PermissionError:
        raise BrokerNotTold(
            f"the broker (process {pid}, named by {pid_file}) belongs to another user; "
            f"make it read its logins again: kill -HUP {pid} as that user or root"
        ) from None
    return True


def _pid(pid_file: Path) -> int | None:
    try:
        text = pid_file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    # A pid of 0 or below would mean a whole group of processes.
    return int(text) if text.isdecimal() and 0 < int(text) < 2**31 else None


def _is_mosquitto(pid: int) -> bool:
    """By the first word of its command line; a process that has ended has none."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.path.basename(command.split(b"\0", 1)[0]) == PROGRAM.encode()  # noqa: PTH119 - these are bytes


def _catches_sighup(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) & (1 << (signal.SIGHUP - 1)))

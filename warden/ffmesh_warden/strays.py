"""Which processes belong to which program, also when they have left its session.

Every program carries in its environment one variable of ours, FFMESH_PROGRAM, and its children inherit it. Wardens
nest (`up` starts an agent, which starts ffmpeg), so the value is a path of marks: `4f1c09aa.2:91be77d0.17`, outermost
first. A process that wipes its environment, or that the kernel does not let us read, has no mark; what happens to it
then is said where this is used. Without /proc nothing is found and nothing is claimed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

from ffmesh_warden.wire import boottime

MARK = "FFMESH_PROGRAM"
_ENTRY = b"FFMESH_PROGRAM="
_PF_EXITING = 0x4

LOOK_AGAIN_SECONDS = 0.25
"""What is dying may have forked: nothing tells of that, so it is looked for again."""


def marked(environment_value: str, warden: str, program: str) -> str:
    """The value for a program, given the one that its warden was started with."""
    own = f"{warden}.{program}"
    return f"{environment_value}:{own}" if environment_value else own


def program_of(pid: int, warden: str) -> str | None:
    """The program of that warden to which a process belongs."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123  # pathlib costs the warden 4 ms of its start
            environment = file.read()
    except OSError:
        return None
    ours = warden.encode() + b"."
    for entry in environment.split(b"\0"):
        if entry.startswith(_ENTRY):
            for mark in entry.removeprefix(_ENTRY).split(b":"):
                if mark.startswith(ours):
                    return mark.removeprefix(ours).decode("ascii", "replace")
    return None


def is_ending(pid: int) -> bool:
    """It exits, or is gone. Its memory goes first, and with it its mark; its children become ours last."""
    stat = _stat(pid)
    return not stat or stat[0] in {b"Z", b"X"} or bool(int(stat[6]) & _PF_EXITING)


def children() -> set[int]:
    """All children of this single-threaded process, dead ones included.

    The kernel calls its list unreliable while children end; it loses entries only when they are reaped, which is done
    by us and not meanwhile.
    """
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # noqa: PTH123  # see program_of
            return {int(pid) for pid in file.read().split()}
    except OSError:
        return {pid for pid in _all_processes() if _parent(pid) == os.getpid()}


def kill_marked(warden: str) -> None:
    """Kills every process that carries a mark of that warden. For the owner, when the warden can no longer do it."""
    killed: set[int] = set()
    while found := {pid for pid in _all_processes() if program_of(pid, warden) is not None} - killed:
        # Again until nothing new is found: what was forked meanwhile is seen in the next round.
        for pid in found:
            _kill_if_marked(pid, warden)
        killed |= found


def end_marked(warden: str, seconds: float) -> set[int]:
    """As `kill_marked`, and waits until none is left. Which are, if they are not gone after so long."""
    deadline = boottime() + seconds
    while found := {pid for pid in _all_processes() if program_of(pid, warden) is not None}:
        watched = _watched(found)
        try:
            for pid in found:
                _kill_if_marked(pid, warden)
            left = deadline - boottime()
            if left <= 0:
                return found
            _wait_for_all(watched, min(left, LOOK_AGAIN_SECONDS))
        finally:
            for descriptor in watched:
                os.close(descriptor)
    return set()


def end_process(pid: int, started: str) -> None:
    """Kills this very process, if it is still there, and waits for its end."""
    for descriptor in _watched({pid}):
        try:
            if started_at(pid) == started and sys.platform == "linux":
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                _wait_for_all([descriptor], LOOK_AGAIN_SECONDS)
        except OSError:
            pass  # gone, or another user's
        finally:
            os.close(descriptor)


def started_at(pid: int) -> str | None:
    """With the number, it tells a process from every other of this machine since its start."""
    stat = _stat(pid)
    return stat[19].decode("ascii") if stat else None


def _watched(pids: set[int]) -> list[int]:
    """Descriptors that become readable when these end."""
    descriptors: list[int] = []
    if sys.platform == "linux":
        for pid in pids:
            with contextlib.suppress(OSError):
                descriptors.append(os.pidfd_open(pid))
    return descriptors


def _wait_for_all(descriptors: list[int], seconds: float) -> None:
    waiting, deadline = set(descriptors), boottime() + seconds
    while waiting and (left := deadline - boottime()) > 0:
        poll = select.poll()
        for descriptor in waiting:
            poll.register(descriptor, select.POLLIN)
        waiting -= {descriptor for descriptor, _ in poll.poll(left * 1000)}


def _kill_if_marked(pid: int, warden: str) -> None:
    if sys.platform != "linux":
        return
    try:
        # The descriptor holds on to this very process: were its number given to another meanwhile, the second look
        # would find no mark.
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if program_of(pid, warden) is not None:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _all_processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208  # see program_of
    except OSError:
        return []


def _parent(pid: int) -> int | None:
    stat = _stat(pid)
    return int(stat[1]) if stat else None


def _stat(pid: int) -> list[bytes]:
    """State, parent and the rest. Before them stands the name, in parentheses, which may itself contain any byte."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  # see program_of
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []

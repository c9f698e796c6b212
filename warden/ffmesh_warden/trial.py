"""Tries each fence once: `python -S -I -E …/ffmesh_warden/trial.py`, started by `fences.found`; not for hands.

Each in a child of its own, and by the very code that will fence programs; then the child looks whether the fence
holds. Prints a JSON object: for each kind a sentence why it cannot be, or null.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys


def main() -> None:
    # As in __main__.py.
    sys.path.append(__file__.rpartition("/ffmesh_warden/")[0])
    sys.stdout.write(json.dumps({kind: _tried(kind) for kind in ("landlock", "bubblewrap")}))


def _tried(kind: str) -> str | None:
    try:
        from ffmesh_warden import calls, enclosing
    except ImportError as error:
        return f"this Python cannot call the kernel ({error})"
    report, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            enclosing.enclose({"kind": kind, "read": [], "write": [], "devices": [], "network": False})
            sentence = hole(kind, filters=calls.can_be_limited())
        except enclosing.CannotEnclose as refusal:
            sentence = refusal.sentence
        except Exception as error:  # noqa: BLE001  # a process's edge
            sentence = f"the trial failed: {error!r}"
        os.write(told, sentence.encode("utf-8", "backslashreplace")[:4096])
        os._exit(0)
    os.close(told)
    said = b"".join(iter(lambda: os.read(report, 4096), b""))
    os.close(report)
    _, status = os.waitpid(child, 0)
    if status != 0:
        return f"the trial was ended by a signal or an error (status {status})"
    return said.decode() or None


def hole(kind: str, *, filters: bool) -> str:
    """A sentence about what the fence around this process leaves open; "" if it holds.

    `filters`: sockets are to be closed by a filter of system calls.
    """
    with contextlib.suppress(OSError), open(__file__, "rb"):  # noqa: PTH123  # pathlib costs more than the trial
        return "it is put up, but files can still be opened: this kernel does not keep its word"
    if filters:
        try:
            socket.socket().close()
        except OSError as error:
            if error.errno != errno.EACCES:
                return f"it is put up, but whether sockets are closed cannot be told: {error.strerror}"
        else:
            return "it is put up, but sockets can still be made: this kernel does not keep its word"
    if kind == "bubblewrap":
        reached = _reached()
        if reached is None:
            return "it is put up, but whether the network is closed cannot be told: /proc does not say"
        if reached - {b"lo"}:
            return f"it is put up, but the network can be reached, by {os.fsdecode(b', '.join(sorted(reached)))}"
    return ""


def _reached() -> set[bytes] | None:
    """The interfaces that lead anywhere. (In a room of its own a kernel may put more than `lo`, which lead nowhere.)"""
    reached: set[bytes] = set()
    told = 0
    for name, column, heading in (("route", 0, 1), ("ipv6_route", -1, 0)):
        with contextlib.suppress(OSError), open(f"/proc/self/net/{name}", "rb") as routes:  # noqa: PTH123  # as above
            reached.update(line.split()[column] for line in routes.readlines()[heading:])
            told += 1
    return reached if told else None


if __name__ == "__main__":
    main()

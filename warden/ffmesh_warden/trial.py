"""Tries each fence once: `python -S -I -E …/ffmesh_warden/trial.py`, started by `fences.found`; not for hands.

Each in a child of its own, and by the very code that will fence programs; then the child looks whether the fence
holds. Prints a JSON object: for each kind a sentence why it cannot be, or null.
"""

from __future__ import annotations

import contextlib
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
        from ffmesh_warden import enclosing
    except ImportError as error:
        return f"this Python cannot call the kernel ({error})"
    report, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            enclosing.enclose({"kind": kind, "read": [], "write": [], "devices": [], "network": False})
            sentence = _hole()
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


def _hole() -> str:
    with contextlib.suppress(OSError), open(__file__, "rb"):  # noqa: PTH123  # pathlib costs more than the trial
        return "it is put up, but files can still be opened: this kernel does not keep its word"
    with contextlib.suppress(OSError), socket.socket() as one:
        one.settimeout(1)
        # In a room without a network there may be sockets, but nothing to talk to.
        one.connect(("127.0.0.1", 9))
    return ""


main()

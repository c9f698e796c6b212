"""What this machine is: read once."""

import os
from pathlib import Path
from typing import Final

from ffmesh_agent.shell.sensors import temperature
from ffmesh_protocol.limits import WORD_CHARS
from ffmesh_protocol.messages.capability import Host

_DEVICE_TREE_MODEL: Final = Path("/proc/device-tree/model")
_CPU_INFO: Final = Path("/proc/cpuinfo")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def host() -> Host:
    arch = os.uname().machine
    return Host(
        arch=arch,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        model=(_board() or _processor() or arch)[:WORD_CHARS],
        temperature_sensor=temperature() is not None,
    )


def boot() -> str:
    """Differs after each start of the machine. Where the kernel does not tell, nobody can be taken for this machine."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return os.urandom(16).hex()


def _board() -> str | None:
    """“Raspberry Pi 4 Model B Rev 1.4”, on machines that are described by a device tree."""
    try:
        return _DEVICE_TREE_MODEL.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _processor() -> str | None:
    try:
        described = _CPU_INFO.read_text(errors="replace")
    except OSError:
        return None
    for line in described.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model"} and value.strip():
            return " ".join(value.split())
    return None

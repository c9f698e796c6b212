"""What a process has used, as Linux tells it."""

from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024


def cpu_seconds(pid: int) -> float:
    """On a core, all threads together, in nanoseconds: `stat` counts hundredths of a second."""
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        nanoseconds += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
    return nanoseconds / 1e9


def rss_bytes(pid: int) -> int:
    """What is in memory, shared pages counted in full."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmRSS")


def peak_rss_bytes(pid: int) -> int:
    """The most that it ever had."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM")


def pss_bytes(pid: int) -> int:
    """A page that three processes share counts a third for each."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def _kilobytes(file: Path, name: str) -> int:
    for line in file.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{file} does not tell {name}")

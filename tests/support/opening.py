"""Which files a program opens, as the kernel saw it."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

_opened = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"((?:\\x[0-9a-f]{2})*)"')

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace tells which files are opened")


def opened_by(words: Sequence[str], folder: Path, log: Path) -> set[str]:
    """The absolute names below that folder that it opened, or tried to; the program must have succeeded."""
    ended = subprocess.run(
        ["strace", "-f", "-qq", "-xx", "-s", "8192", "-e", "trace=open,openat", "-o", str(log), *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 0, (words, ended.stderr.decode(errors="replace"))
    names = (bytes.fromhex(hexes.replace("\\x", "")).decode() for hexes in _opened.findall(log.read_text()))
    absolute = (name if name.startswith("/") else f"{folder}/{name}" for name in names)
    return {name for name in absolute if name.startswith(f"{folder}/")}

"""The front in C, built where the shim is installed: there is a compiler on many machines, and none is needed.

Without one, calls go through front.py, which does the same and takes longer to begin. It is linked without libraries
where that can be had: the folder of a shim may be seen from a container that has others.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ffmesh_protocol.media import printable

SOURCE: Final = Path(__file__).with_name("front.c")
PROGRAM: Final = "ffmesh-front"
FLAGS: Final = ("-std=c11", "-O2")
LINKED: Final = (("-static",), ())
SECONDS: Final = 60.0
"""A compiler that takes longer hangs."""


WITHOUT_WORDS: Final = 1
"""Its exit code when it is called with nothing."""


class NotBuilt(Exception):
    """Why not: a sentence."""


def build(folder: Path, environment: Mapping[str, str]) -> None:
    """Into the folder, in one step. `NotBuilt`; then what was there is there still."""
    compiler = shutil.which(environment.get("CC") or "cc", path=environment.get("PATH", os.defpath))
    if compiler is None:
        raise NotBuilt("there is no C compiler (Debian, Ubuntu, Raspberry Pi OS: apt install gcc libc6-dev)")
    beside = folder / f".{PROGRAM}"
    why = ""
    try:
        for linked in LINKED:
            why = _compiled([compiler, *FLAGS, *linked, "-o", os.fspath(beside), os.fspath(SOURCE)], environment)
            if not why:
                why = _unusable(beside)
            if not why:
                beside.chmod(0o755)
                beside.replace(folder / PROGRAM)
                return
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
    finally:
        beside.unlink(missing_ok=True)
    raise NotBuilt(f"{compiler} cannot build it: {printable(why)[:300]}")


def _compiled(line: list[str], environment: Mapping[str, str]) -> str:
    """Why not."""
    try:
        done = subprocess.run(
            line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it takes longer than {SECONDS:.0f} s"
    if done.returncode == 0:
        return ""
    lines = done.stderr.decode(errors="replace").splitlines()
    return next((line for line in lines if "error" in line), f"exit code {done.returncode}")


def _unusable(program: Path) -> str:
    """Why it does not run here: a folder that may hold no programs, a compiler for another machine."""
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except OSError as error:
        return f"what it builds does not run in {program.parent}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return "what it builds hangs"
    return "" if done.returncode == WITHOUT_WORDS else f"what it builds ends with {done.returncode}"

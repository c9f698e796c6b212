"""The options of the ffmpeg or ffprobe at hand: asked for once, and kept until the program is another one.

Kept by its path, size and time of change, in a folder that may be lost at any time. A program that does not answer, or
a folder that takes nothing, costs the knowledge of options that only this program has, and no more.
"""

import hashlib
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from ffmesh_protocol.ffmpeg.options import Table
from ffmesh_protocol.ffmpeg.tables import of, table_of

ANSWER_SECONDS: Final = 5.0
"""A tenth of that is usual on a Raspberry Pi."""


def table_at_hand(program: str, path: Path, kept_in: Path) -> Table:
    """`program` is `ffmpeg` or `ffprobe`, whatever the file is called."""
    try:
        seen = path.stat()
    except OSError:
        return table_of(program)
    identity = f"{path.resolve()}\0{seen.st_size}\0{seen.st_mtime_ns}"
    name = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:32]
    place = kept_in / f"{program}-{name}.json"
    kept = _kept(place)
    if kept is not None:
        return kept
    text = _asked(path)
    if not text:
        return table_of(program)
    table = of(program, text)
    _keep(place, table)
    return table


def _kept(place: Path) -> Table | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Table)
    except (OSError, msgspec.MsgspecError):
        return None


def _asked(path: Path) -> str:
    try:
        ended = subprocess.run(
            [path, "-hide_banner", "-h", "full"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.decode(errors="replace") if ended.returncode == 0 else ""


def _keep(place: Path, table: Table) -> None:
    """Whole or not at all: others may read at the same time."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_suffix(f".{os.getpid()}")
        aside.write_bytes(msgspec.json.encode(table))
        aside.replace(place)

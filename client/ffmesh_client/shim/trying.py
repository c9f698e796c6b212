"""Whether an installed shim answers what media servers ask at their start as the program that it stands for does."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ffmesh_protocol.wire import Told

PATIENCE_SECONDS: Final = 30.0

QUESTIONS: Final[tuple[tuple[str, ...], ...]] = (
    ("ffmpeg", "-version"),
    ("ffmpeg", "-hide_banner", "-encoders"),
    ("ffmpeg", "-decoders"),
    ("ffmpeg", "-filters"),
    ("ffmpeg", "-hwaccels"),
    ("ffmpeg", "-h", "filter=scale"),
    ("ffmpeg", "-h", "bsf=h264_metadata"),
    ("ffmpeg", "-buildconf"),
    ("ffprobe", "-version"),
    ("ffprobe", "-hide_banner", "-only_first_vframe", "-i", "/dev/null"),
)
"""As Jellyfin and Emby ask. The last one fails everywhere; how it fails is the answer."""

_KEY_HELP: Final = ("ffmpeg", "-hide_banner", "-f", "lavfi", "-i", "nullsrc=s=1x1:d=1000", "-f", "null", "-")
_KEYS: Final = b"?"
_HELP_OF_KEYS: Final = b"help"


class Trial(Told, frozen=True):
    line: tuple[str, ...]
    ok: bool
    message: str


def tried(folder: Path, local: Mapping[str, str]) -> list[Trial]:
    return [*(_compared(folder, local, line) for line in QUESTIONS), _keys(folder)]


def _compared(folder: Path, local: Mapping[str, str], line: Sequence[str]) -> Trial:
    program, *words = line
    try:
        ours = _said([os.fspath(folder / program), *words], b"")
        theirs = _said([local[program], *words], b"")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Trial(line=tuple(line), ok=False, message=str(error))
    same = ours == theirs
    message = "as the program of this machine" if same else f"another answer than that of {local[program]}"
    return Trial(line=tuple(line), ok=same, message=message)


def _keys(folder: Path) -> Trial:
    """A server learns by typing `?` whether it can pause a program, and has little time for the answer."""
    program, *words = _KEY_HELP
    try:
        _, _, heard = _said([os.fspath(folder / program), *words], _KEYS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Trial(line=_KEY_HELP, ok=False, message=str(error))
    ok = _HELP_OF_KEYS in heard
    return Trial(line=_KEY_HELP, ok=ok, message="keys are read" if ok else "the key ? shows no help")


def _said(line: Sequence[str], keys: bytes) -> tuple[int, bytes, bytes]:
    ended = subprocess.run(line, input=keys, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    return ended.returncode, ended.stdout, ended.stderr

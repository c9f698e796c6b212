"""Which file or folder a staged job is to put in place, as its command line says it. Pure.

What is named here is looked for among the arguments by the agent, which writes it aside: as an absolute path, as a
relative one from the working folder, with or without `file:`. So it is named as they name it. Whether the program
writes more than that, nobody knows before it has run; what is sure to is refused here, before the work.
"""

import posixpath
import re
import shlex
from collections.abc import Sequence
from typing import Final

from ffmesh_client.errors import WrongUsage
from ffmesh_protocol.limits import PATH_CHARS
from ffmesh_protocol.media import is_descriptor, printable

FILE: Final = "file:"

_other_protocol = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_pattern = re.compile(r"%[0-9]*d")
_PLAYLISTS: Final = (".m3u8", ".mpd")
_SAY_WHICH: Final = "say with --output PATH what the job writes (a folder ends in /)"


def output_of(program: str, words: Sequence[str]) -> str:
    """What such a command line usually writes: its last argument. `WrongUsage` if that cannot be it."""
    last = words[-1] if words else ""
    path = without_protocol(last)
    if not path or last.startswith("-") or is_descriptor(path) or (path == last and _other_protocol.match(last)):
        named = f"the last argument, {printable(last[:80])}, is no path" if last else "there is no argument"
        raise WrongUsage(f"--staged: {named}; {_SAY_WHICH}")
    if program == "ffmpeg" and (_pattern.search(path) or path.lower().endswith(_PLAYLISTS)):
        folder = posixpath.join(posixpath.dirname(path) or ".", "")
        raise WrongUsage(
            f"--staged: ffmpeg writes more than one file for {printable(path[:80])}; "
            f"say which folder the job fills, as in --output {shlex.quote(printable(folder))}"
        )
    return path


def without_protocol(word: str) -> str:
    """ffmpeg takes `file:NAME` for any NAME."""
    return word.removeprefix(FILE)


def is_folder(path: str) -> bool:
    return posixpath.basename(path) in ("", ".", "..")


def checked(path: str) -> str:
    """What one can get wrong in `--output` without a look at roots."""
    if not path or "\0" in path:
        raise WrongUsage("--output names no path: say which file the job writes, or which folder (it ends in /)")
    if len(path) > PATH_CHARS:
        raise WrongUsage(f"--output {printable(path[:80])}… is longer than a path can be")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise WrongUsage(
            f"the output {printable(path[:80])} of a staged job must be UTF-8; choose another name"
        ) from None
    return path

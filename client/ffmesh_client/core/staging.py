"""Which files and folders a staged job is to put in place, as its command line says it. Pure.

What is named here is looked for among the arguments by the agent, which writes it aside: as an absolute path, as a
relative one from the working folder, with or without `file:`. So it is named as they name it. Whether the program
writes more than that, nobody knows before it has run; the agent tells then. What cannot be told plainly is asked for
here, before the work: better a question than a guess that costs an encode.
"""

import posixpath
import re
import shlex
from collections.abc import Sequence
from typing import Final

from ffmesh_client.errors import WrongUsage
from ffmesh_protocol.ffmpeg.line import read
from ffmesh_protocol.ffmpeg.tables import FFMPEG
from ffmesh_protocol.ffmpeg.writes import Unclear, Written, written_by
from ffmesh_protocol.limits import OUTPUTS, PATH_CHARS
from ffmesh_protocol.media import is_pattern, is_same_everywhere, printable

FILE: Final = "file:"

_other_protocol = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_SAY_WHICH: Final = "say with --output PATH what the job writes (a folder ends in /)"


def outputs_of(program: str, words: Sequence[str]) -> tuple[Written, ...]:
    """What such a command line usually writes. `WrongUsage` if that cannot be told from it."""
    if program != FFMPEG:
        return (Written(path=_last(words)),)
    try:
        outputs = written_by(read(FFMPEG, words))
    except Unclear as unclear:
        folder = posixpath.join(posixpath.dirname(without_protocol(unclear.path)) or ".", "")
        raise WrongUsage(
            f"--staged: which files ffmpeg writes for {printable(unclear.path[:80])} cannot be told; "
            f"say which folder the job fills, as in --output {shlex.quote(printable(folder))}"
        ) from None
    if not outputs:
        raise WrongUsage(f"--staged: these arguments name no file that ffmpeg writes; {_SAY_WHICH}")
    return outputs


def _last(words: Sequence[str]) -> str:
    last = words[-1] if words else ""
    if _is_no_path(last):
        named = f"the last argument, {printable(last[:80])}, is no path" if last else "there is no argument"
        raise WrongUsage(f"--staged: {named}; {_SAY_WHICH}")
    return without_protocol(last)


def _is_no_path(word: str) -> bool:
    path = without_protocol(word)
    is_elsewhere = path == word and _other_protocol.match(word) is not None
    return not path or word.startswith("-") or is_same_everywhere(path) or is_elsewhere


def said(paths: Sequence[str]) -> tuple[Written, ...]:
    """What `--output` names: a pattern is a set of names."""
    if len(paths) > OUTPUTS:
        raise WrongUsage(f"a job has {OUTPUTS} outputs at most, and these are {len(paths)}; name their folder")
    return tuple(Written(path=path, is_set=is_pattern(path)) for path in paths)


def without_protocol(word: str) -> str:
    """ffmpeg takes `file:NAME` for any NAME."""
    return word.removeprefix(FILE)


def is_folder(path: str) -> bool:
    return posixpath.basename(path) in ("", ".", "..")


def checked(output: Written) -> str:
    """What one can get wrong in `--output` without a look at roots."""
    path = output.path
    if not path or "\0" in path:
        raise WrongUsage("--output names no path: say which file the job writes, or which folder (it ends in /)")
    if len(path) > PATH_CHARS:
        raise WrongUsage(f"--output {printable(path[:80])}… is longer than a path can be")
    if output.is_set and is_folder(path):
        raise WrongUsage(
            f"--output {printable(path[:80])}: the name of a folder is no pattern; say which one holds them"
        )
    try:
        path.encode()
    except UnicodeEncodeError:
        raise WrongUsage(
            f"the output {printable(path[:80])} of a staged job must be UTF-8; choose another name"
        ) from None
    return path

"""The process's standard streams and its Ctrl-C, as the commands want to find them."""

import io
import os
import signal
import stat
import sys
from typing import TYPE_CHECKING, TextIO

from ffmesh_protocol.standard_input import Reads

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _StandardOutput(io.FileIO):
    """Tells that standard output failed, and not some other file."""

    def write(self, content: "ReadableBuffer", /) -> int:
        try:
            return super().write(content)
        except BrokenPipeError:
            raise
        except OSError as error:
            from ffmesh_client.errors import OutputLost

            raise OutputLost(f"standard output cannot be written: {error.strerror}") from error


def hold() -> None:
    """One of the first three may be closed: the next thing to be opened, a connection perhaps, would take its place.

    What is put there fails as a closed one does: it can be read where one writes, and written where one reads.
    """
    for number, way in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # takes the lowest free number, which is this one
    nowhere: list[TextIO | None] = [sys.stdout, sys.stderr]
    if None in nowhere:
        sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
        sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
    is_the_processs_own = sys.stdout is sys.__stdout__
    if is_the_processs_own:
        sys.stdout = _telling(sys.stdout)


def _telling(stdout: TextIO) -> TextIO:
    stdout.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_StandardOutput(1, "w", closefd=False)),
        encoding=stdout.encoding,
        errors=stdout.errors,
        line_buffering=bool(stdout.line_buffering),
    )


def has_input() -> bool:
    """Whether there may be something to read: it was closed, or is the null device, where there never is."""
    try:
        here, nowhere = os.fstat(0), os.stat(os.devnull)  # noqa: PTH116 - to compare with
    except OSError:
        return False
    return not (stat.S_ISCHR(here.st_mode) and here.st_rdev == nowhere.st_rdev)


def streams(wanted: Reads) -> dict[str, int]:
    """Those of a program that we speak for, by name."""
    has_stdin = wanted is not Reads.NOTHING and has_input()
    return {"stdout": 1, "stderr": 2} | ({"stdin": 0} if has_stdin else {})


def umask() -> int:
    """It can be asked for only by setting it."""
    ours = os.umask(0)
    os.umask(ours)
    return ours


def silence_stdout() -> None:
    """Nobody reads it any more; the interpreter would complain about what it could not flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def heed_interrupts() -> None:
    """A Ctrl-C is from now on a `KeyboardInterrupt`, which `main` catches, where until now it has just ended us."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)

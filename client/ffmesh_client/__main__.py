"""`ffmesh` as a process. What is imported comes later than what a Ctrl-C does meanwhile."""

import os
import signal
import sys


def main() -> int:
    """Its exit code; or `SystemExit` with it."""
    from ffmesh_client import command_line

    return command_line.main()


def entry() -> None:
    """The program's own way in and out.

    Python would answer a Ctrl-C with a traceback as long as nobody catches it: until a command runs, it just ends us.
    After `main` nothing is left to do, and the interpreter need not take itself apart: that would be a tenth of what a
    short `run` costs.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else our parent wants it ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        code = main()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


if __name__ == "__main__":
    entry()

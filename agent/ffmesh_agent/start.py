"""`ffmesh-agent` as it is installed: where it cannot run, it says so before it imports what is not there."""

import sys
from typing import Final

NOT_HERE: Final = "ffmesh-agent: it does not run on Windows yet; install it in WSL 2\n"
WRONG_USAGE: Final = 2


def main() -> None:
    if sys.platform == "win32":
        sys.stderr.write(NOT_HERE)
        sys.exit(WRONG_USAGE)
    from ffmesh_agent.__main__ import main as run

    run()

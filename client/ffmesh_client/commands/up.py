"""`ffmesh up`: the whole mesh on this machine, in the foreground.

Not here yet: TLS, and a system other than Linux.
"""

import os
import shlex
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from ffmesh_client.errors import WrongUsage

if TYPE_CHECKING:
    from ffmesh_client.supervisor.home import MeshHome
    from ffmesh_client.supervisor.options import Said

HELP: Final = """\
Starts a broker of its own (Mosquitto), a coordinator and agents on this machine, keeps them running, and prints
`ready` and the path of client.toml as soon as a job can run. SIGINT or SIGTERM ends all of it; the files stay, and
the next `up` goes on with them. What was said is kept: an option said now replaces the one said before (--root and
--program all of those said before)."""

NEEDED: Final = {"aiosqlite": "coordinator", "psutil": "agent", "rich": "client"}
"""Packages that only one extra brings, and that extra."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--home", metavar="DIR", help="where all files are ($XDG_STATE_HOME/ffmesh; for root /var/lib/ffmesh)"
    )
    parser.add_argument("--agents", metavar="N", type=_number(1, 1000), help="how many agents: agent-1 … agent-N (1)")
    parser.add_argument("--slots", metavar="N", type=_number(1, 1024), help="cpu slots of each agent (1)")
    parser.add_argument(
        "--port", metavar="N", type=_number(1, 65535), help="of the broker (as before, else a free one)"
    )
    parser.add_argument("--listen", metavar="ADDRESS", help="of the broker (127.0.0.1: this machine only)")
    parser.add_argument(
        "--root",
        metavar="[AGENT:]NAME=PATH",
        action="append",
        help="a folder that jobs may use, for the client here and all agents, or for one agent alone; repeatable",
    )
    parser.add_argument(
        "--program",
        metavar="NAME[=PATH]",
        action="append",
        help="a program that jobs may run, besides ffmpeg and ffprobe; repeatable",
    )


def run(arguments: Namespace) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    _check_extras()
    return _supervise(arguments)


def _supervise(arguments: Namespace) -> int:
    import asyncio

    from ffmesh_broker.listening import check_can_listen
    from ffmesh_client.places import missing
    from ffmesh_client.supervisor.absent import absent_roots
    from ffmesh_client.supervisor.home import MeshHome, default_home
    from ffmesh_client.supervisor.keeper import GaveUp
    from ffmesh_client.supervisor.mesh import Mesh
    from ffmesh_client.supervisor.notices import say
    from ffmesh_client.supervisor.options import kept, merged

    said = _said(arguments)
    home = MeshHome(Path(arguments.home) if arguments.home else default_home(os.environ, os.geteuid()))
    home.make()

    async def live() -> None:
        await Mesh(home, options, demanded_port=options.port).run(lambda: _announce(home))

    with home.locked():
        home.wait_for_left_overs()
        options = merged(kept(home.options), said)
        check_can_listen(options.listen)
        for sentence in missing(options.all_programs.items()):
            say(f"{sentence}; until then no job that needs it can run")
        for sentence in absent_roots(options):
            say(sentence)
        try:
            asyncio.run(live())
        except GaveUp as error:
            say(f"{error}")
            return 1
        finally:
            # What was asked for is done: whoever asks again must not make it look like a failure.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
    return 0


def _said(arguments: Namespace) -> "Said":
    from ffmesh_client.places import programs, root
    from ffmesh_client.supervisor.options import Said

    roots, listed = arguments.root, arguments.program
    return Said(
        agents=arguments.agents,
        slots=arguments.slots,
        listen=arguments.listen,
        port=arguments.port,
        roots=None if roots is None else [root(word, of_one_agent=True) for word in roots],
        programs=None if listed is None else programs(listed),
    )


def _announce(home: "MeshHome") -> None:
    from ffmesh_client.supervisor.notices import say

    try:
        # Past print(): a path is bytes, whatever the locale says, and nobody may have to wait for a buffer.
        os.write(sys.stdout.fileno(), os.fsencode(f"ready {home.client}\n"))
    except (OSError, ValueError):
        pass  # nobody listens, and the mesh runs all the same
    say(f"ready: try `ffmesh --config {shlex.quote(str(home.client))} agents`; Ctrl-C ends it all; logs: {home.logs}")


def _check_extras() -> None:
    missing = [extra for package, extra in NEEDED.items() if find_spec(package) is None]
    if missing:
        raise WrongUsage(
            f"`ffmesh up` runs every part and needs the extra `all`: pip install 'ffmesh[all]' "
            f"(missing: {', '.join(missing)})"
        )


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def number(word: str) -> int:
        if not word.isdecimal() or not lowest <= int(word) <= highest:
            raise ArgumentTypeError(f"{word} is no number from {lowest} to {highest}")
        return int(word)

    return number


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Nothing runs yet, so there is nothing to end."""
    os._exit(0)

"""`ffmesh top`: the mesh, as it happens, for as long as somebody watches."""

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Final

from ffmesh_client import calling
from ffmesh_client.config import ClientConfig
from ffmesh_client.errors import WrongUsage
from ffmesh_client.exits import SIGNAL_BASE

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh

HELP = """\
Watch the mesh: agents and what they run, all jobs and why they wait, one job with its log, workflows, events.
Jobs are cancelled and tried again from there, agents drained. `?` shows the keys, `q` leaves.

    ffmesh top
    ffmesh top --theme light

It needs a terminal. Without colours (NO_COLOR) and without Unicode (LANG=C) it says the same by letters.
A broker that goes away is waited for: the last picture stays, and says since when it is old.
"""

THEMES: Final = ("dark", "light")
LEAVING: Final = (signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--theme", choices=THEMES, default="dark", help="dark unless said; the key t changes it")


def run(arguments: Namespace) -> int:
    if arguments.json:
        raise WrongUsage("top draws for people; `ffmesh agents --json` and `ffmesh jobs --json` tell it to programs")
    if not (sys.stdin.isatty() and sys.__stderr__ is not None and sys.__stderr__.isatty()):
        raise WrongUsage("top needs a terminal; `ffmesh agents` and `ffmesh jobs` print what there is")
    for name in ("COLUMNS", "LINES"):  # what some shell has exported would hold, however the terminal is resized
        os.environ.pop(name, None)
    config = calling.configured(arguments)
    return calling.conversed(config, lambda mesh: _shown(mesh, config, arguments.theme))


async def _shown(mesh: "Mesh", config: ClientConfig, theme: str) -> int:
    """The exit code. Whatever ends it, the terminal is then as it was."""
    from ffmesh_client.tui.app import Top
    from ffmesh_client.tui.clock import now
    from ffmesh_client.tui.desk import Desk
    from ffmesh_client.tui.looks import DARK, LIGHT
    from ffmesh_client.tui.model.fold import Fold
    from ffmesh_client.tui.terminal import has_colours, has_unicode
    from ffmesh_client.tui.watch import Watch

    fold = Fold(config.cluster)
    app = Top(
        Desk(config.cluster, fold, mesh, now, config.roots),
        looks=LIGHT if theme == "light" else DARK,
        unicode=has_unicode(os.environ),
        colours=has_colours(os.environ),
    )
    loop = asyncio.get_running_loop()
    for number in LEAVING:
        loop.add_signal_handler(number, app.exit, SIGNAL_BASE + number)
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(Watch(config, fold, now).run(), name="watch")
        code = await app.run_async()
        watch.cancel()
    if app.fault is not None:
        raise app.fault
    return code or app.return_code or 0

"""`ffmesh doctor`: finds out what is wrong, and says how to mend it. Works with the extra `agent` alone."""

import asyncio
import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ffmesh_client import calling
from ffmesh_client.config import FILE_NAME, VARIABLE, found
from ffmesh_client.supervisor.home import default_home
from ffmesh_protocol.errors import BadConfig

if TYPE_CHECKING:
    from ffmesh_protocol.finding import Finding

HELP: Final = """\
Checks what this machine needs to take part: its configuration, who may read it, the broker, the login, the access list,
the coordinator, keys, clocks and versions, agents with their fences, encoders and roots, and on this machine Mosquitto,
programs, roots, room on the disk and the shims that were installed; and says how to mend what is wrong. The file is
client.toml, or agent.toml where --config names one or there is no client.toml. Exit code 1 if something is wrong.
"""

AGENT_FILE: Final = "agent.toml"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="client.toml or agent.toml to check")
    parser.add_argument("--home", metavar="DIR", help="the folder of the client.toml or agent.toml to check")


def run(arguments: Namespace) -> int:
    from ffmesh_client.checkup import examined
    from ffmesh_client.shim.ailing import shims
    from ffmesh_protocol.finding import lines

    try:
        file = _file(arguments)
    except BadConfig as error:
        findings = [_no_configuration(error)]
    else:
        findings = asyncio.run(examined(file))
    findings += shims()
    if arguments.json:
        calling.print_json(findings)
    else:
        print("\n".join(lines(findings)))
    return 0 if all(finding.ok for finding in findings) else 1


def _file(arguments: Namespace) -> Path:
    if arguments.config:
        return Path(arguments.config)
    if arguments.home:
        return _in_folder(Path(arguments.home))
    try:
        return found(None, os.environ, Path.home())
    except BadConfig:
        agents = default_home(os.environ, os.geteuid()) / AGENT_FILE
        if VARIABLE not in os.environ and agents.exists():
            return agents
        raise


def _in_folder(folder: Path) -> Path:
    for name in (FILE_NAME, AGENT_FILE):
        if (folder / name).exists():
            return folder / name
    raise BadConfig(f"there is neither {FILE_NAME} nor {AGENT_FILE} in {folder}")


def _no_configuration(error: BadConfig) -> "Finding":
    from ffmesh_protocol.finding import wrong

    mend = "`ffmesh up` makes a mesh on this machine, `ffmesh join TOKEN` lets it take part in another's"
    return wrong("configuration", f"{error}".partition(":")[0], mend)

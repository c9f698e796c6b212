"""`ffmesh agent`: one agent, with all that it can do."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ffmesh_client import calling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ffmesh_client.mesh import Mesh
    from ffmesh_protocol.messages.capability import AgentView

HELP = """\
Show one agent: its machine, what it runs, what it can do, and how its roots are: there, writable, with how
much room.

    ffmesh agent pi-1
    ffmesh agent pi-1 --json | jq .encoders
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the agent, as `ffmesh agents` shows it")


def run(arguments: Namespace) -> int:
    name = calling.checked_agent(arguments.name)
    config = calling.configured(arguments)
    if arguments.json:
        calling.print_json(calling.conversed(config, lambda mesh: mesh.agent(name)))
        return 0
    from ffmesh_client.render.agents import show_agent

    async def look(mesh: "Mesh") -> "tuple[AgentView, Sequence[AgentView]]":
        return await mesh.agent(name), await mesh.agents()

    show_agent(*calling.conversed(config, look))
    return 0

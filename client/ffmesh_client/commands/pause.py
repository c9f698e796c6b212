"""`ffmesh pause`: what an agent runs stands still."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
Let what an agent runs stand still until `ffmesh resume`. Programs keep their memory and go on later. The
agent takes no new job, also over restarts. What somebody waits for (`ffmesh run`, the shim) and runs there
already goes on to its end.

    ffmesh pause pi-1
    ffmesh resume pi-1
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the agent, as `ffmesh agents` shows it")


def run(arguments: Namespace) -> int:
    name = calling.checked_agent(arguments.name)
    agent = calling.conversed(calling.configured(arguments), lambda mesh: mesh.pause(name))
    if arguments.json:
        calling.print_json(agent)
    else:
        print(f"{name} lets its jobs stand still and takes no more. `ffmesh resume {name}` lets them go on.")
    return 0

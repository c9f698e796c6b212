"""`ffmesh drain`: an agent is to take no new work."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
Let an agent finish what it has and take no more, until `ffmesh resume`, also over restarts.

    ffmesh drain pi-1
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the agent, as `ffmesh agents` shows it")


def run(arguments: Namespace) -> int:
    name = calling.checked_agent(arguments.name)
    agent = calling.conversed(calling.configured(arguments), lambda mesh: mesh.drain(name, draining=True))
    if arguments.json:
        calling.print_json(agent)
    else:
        print(f"{name} takes no more jobs; it runs {len(agent.running)}. `ffmesh resume {name}` lets it take more.")
    return 0

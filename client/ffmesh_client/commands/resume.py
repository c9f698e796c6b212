"""`ffmesh resume`: an agent takes work again."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
Let an agent take jobs again that was drained, paused or stopped. What stands still there goes on.

    ffmesh resume pi-1
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the agent, as `ffmesh agents` shows it")


def run(arguments: Namespace) -> int:
    name = calling.checked_agent(arguments.name)
    agent = calling.conversed(calling.configured(arguments), lambda mesh: mesh.drain(name, draining=False))
    if arguments.json:
        calling.print_json(agent)
    else:
        print(f"{name} takes jobs again; it is {agent.state.value}.")
    return 0

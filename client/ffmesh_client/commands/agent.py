"""`ffmesh agent`: one agent, with all that it can do."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
Show one agent: its machine, what it runs, and what it can do.

    ffmesh agent pi-1
    ffmesh agent pi-1 --json | jq .encoders
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the agent, as `ffmesh agents` shows it")


def run(arguments: Namespace) -> int:
    name = calling.checked_agent(arguments.name)
    agent = calling.conversed(calling.configured(arguments), lambda mesh: mesh.agent(name))
    if arguments.json:
        calling.print_json(agent)
    else:
        from ffmesh_client.render.agents import show_agent

        show_agent(agent)
    return 0

"""`ffmesh agents`: who does the work."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
List agents: what state they are in, how many of their slots are used, which roots and programs they have.

    ffmesh agents
    ffmesh agents --json | jq -r '.[] | select(.state == "online") | .name'
"""


def add_arguments(parser: ArgumentParser) -> None:
    del parser


def run(arguments: Namespace) -> int:
    agents = calling.conversed(calling.configured(arguments), lambda mesh: mesh.agents())
    if arguments.json:
        calling.print_json(agents)
    else:
        from ffmesh_client.render.agents import show_agents

        show_agents(agents)
    return 0

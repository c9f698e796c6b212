"""`ffmesh resume`: an agent takes work again."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling
from ffmesh_protocol.messages.presence import AgentState

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
        print(said(name, agent.state))
    return 0


def said(name: str, state: AgentState) -> str:
    """Nobody but itself keeps it from working any more."""
    if state is AgentState.DRAINING:
        return f"{name} may take jobs again, and does not by itself: `ffmesh agent {name}` says what it minds."
    return f"{name} takes jobs again; it is {state.value}."

"""`ffmesh stop`: what an agent runs ends, and is handed back."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
End what an agent runs and hand it back, and let it take no more, until `ffmesh resume`, also over restarts.
Jobs that were handed in begin anew on another agent, or wait for one; that is no attempt that counts. What
somebody waits for (`ffmesh run`, the shim) fails.

    ffmesh stop pi-1
    ffmesh resume pi-1
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the agent, as `ffmesh agents` shows it")


def run(arguments: Namespace) -> int:
    name = calling.checked_agent(arguments.name)
    agent = calling.conversed(calling.configured(arguments), lambda mesh: mesh.stop(name))
    if arguments.json:
        calling.print_json(agent)
    else:
        print(f"{name} ends what it runs and takes no more jobs. `ffmesh resume {name}` lets it take jobs again.")
    return 0

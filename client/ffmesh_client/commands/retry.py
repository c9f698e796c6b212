"""`ffmesh retry`: these jobs are to be tried again."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import asking, calling, exits
from ffmesh_client.exits import Exit
from ffmesh_protocol.errors import RefusalCode, Refused

HELP = """\
Try jobs again that failed or were cancelled. Each keeps its id, has as many attempts as it had at first,
and numbers them on; what had ended with it because it comes after it (--after) comes back as well.

    ffmesh retry 01JB2M0Z3V8Q6T4R9XKWCE5D7F
    ffmesh retry $(ffmesh jobs --state failed --label show=Holiday --json | jq -r '.[].id')

To retry what is open already is no error. What has succeeded is submitted anew instead, and what `run` had
started is run anew: exit code 1. So is what comes after a job that failed: retry that one. --json prints the
job as `ffmesh job ID --json` does; several are an array, oldest first.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="+", help="of a job, as `submit` printed it")


def run(arguments: Namespace) -> int:
    # The oldest first: a job is younger than those it comes after, and is refused as long as these are not open.
    ids = sorted(calling.checked_id(word) for word in arguments.ids)
    return asking.about_each(arguments, ids, lambda mesh, each: mesh.retry(each), _code)


def _code(refused: Refused) -> int:
    """Nobody lacks a right here: a job that cannot be tried again is one that ended otherwise."""
    return Exit.FAILED if refused.code is RefusalCode.NOT_ALLOWED else exits.of_error(refused)

"""`ffmesh cancel`: these jobs are not wanted any more."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import asking, calling

HELP = """\
Cancel jobs. One that runs is stopped; `ffmesh wait` tells when it has ended. To cancel what is cancelled
already is no error; to cancel what has ended otherwise is: exit code 1.

    ffmesh cancel 01JB2M0Z3V8Q6T4R9XKWCE5D7F
    ffmesh cancel $(ffmesh jobs --state queued --json | jq -r '.[].id')
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="+", help="of a job, as `submit` printed it")


def run(arguments: Namespace) -> int:
    ids = [calling.checked_id(word) for word in arguments.ids]
    return asking.about_each(arguments, ids, lambda mesh, each: mesh.cancel(each))

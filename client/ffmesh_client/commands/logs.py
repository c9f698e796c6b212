"""`ffmesh logs`: what a job's program said last."""

import sys
from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
Show the kept end of a job's standard error. Its agent has it, so that must be there: else exit code 69.

    ffmesh logs 01JB2M0Z3V8Q6T4R9XKWCE5D7F
    ffmesh logs 01JB2M0Z3V8Q6T4R9XKWCE5D7F --json | jq -r '"\\(.time) \\(.text)"'

--json prints one object a line: `time` (seconds since the program's start), `stream`, `text`.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the job, as `submit` printed it")


def run(arguments: Namespace) -> int:
    job_id = calling.checked_id(arguments.id)
    lines = calling.conversed(calling.configured(arguments), lambda mesh: mesh.logs(job_id))
    if arguments.json:
        calling.print_json_lines(lines)
        return 0
    from ffmesh_protocol.media import printable

    for line in lines:
        # What a program says to a pipe goes through as it is; a terminal would obey it.
        print(printable(line.text) if sys.stdout.isatty() else line.text)
    return 0

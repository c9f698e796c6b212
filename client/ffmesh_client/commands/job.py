"""`ffmesh job`: one job, with all that is known of it."""

from argparse import ArgumentParser, Namespace

from ffmesh_client import calling

HELP = """\
Show one job: what it runs, where, how far it is, how it ended and why.

    ffmesh job 01JB2M0Z3V8Q6T4R9XKWCE5D7F
    ffmesh job 01JB2M0Z3V8Q6T4R9XKWCE5D7F --json | jq .reason
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the job, as `submit` printed it")


def run(arguments: Namespace) -> int:
    job_id = calling.checked_id(arguments.id)
    job = calling.conversed(calling.configured(arguments), lambda mesh: mesh.job(job_id))
    if arguments.json:
        calling.print_json(job)
    else:
        from ffmesh_client.render.jobs import show_job

        show_job(job)
    return 0

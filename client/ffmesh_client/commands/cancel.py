"""`ffmesh cancel`: these jobs are not wanted any more."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ffmesh_client import calling, exits
from ffmesh_protocol.errors import Refused
from ffmesh_protocol.messages.jobs import JobView

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh

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
    answers = calling.conversed(calling.configured(arguments), lambda mesh: _cancelled(mesh, ids))
    jobs = [answer for answer in answers if not isinstance(answer, Refused)]
    if arguments.json and jobs:
        calling.print_json(jobs[0] if len(ids) == 1 else jobs)
    code = 0
    for answer in answers:
        if isinstance(answer, Refused):
            calling.complain(str(answer))
            code = code or exits.of_error(answer)
        elif not arguments.json:
            print(f"{answer.id}  {answer.state.value}")
    return code


async def _cancelled(mesh: "Mesh", ids: list[str]) -> list[JobView | Refused]:
    answers: list[JobView | Refused] = []
    for each in ids:
        try:
            answers.append(await mesh.cancel(each))
        except Refused as refused:
            answers.append(refused)
    return answers

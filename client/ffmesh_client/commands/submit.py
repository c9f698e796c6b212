"""`ffmesh submit`: hands a job in and leaves."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ffmesh_client import calling, wishing
from ffmesh_client.errors import Unreachable
from ffmesh_protocol.messages.jobs import JobKind, JobView

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh

HELP = """\
Hand in a job and print its id. It runs when an agent is free, also while this machine is off.

PROGRAM is a name that agents have on their list (`ffmesh agents`). Absolute paths must lie under a
root (client.toml, --root); the program starts in the folder of the same root, if this one is in one.

    ffmesh submit -- ffmpeg -i /media/movies/in.mkv -c:v libx265 /media/movies/out.mkv
    ffmesh wait $(ffmesh submit --label title=Holiday -- ffmpeg -i in.mkv out.mkv)

--json prints the job as `ffmesh job ID --json` does.
"""


def add_arguments(parser: ArgumentParser) -> None:
    wishing.add_options(parser)


def run(arguments: Namespace) -> int:
    config = calling.configured(arguments)
    submit = wishing.submit_of(arguments, JobKind.DIRECT, config)

    async def handed_in(mesh: "Mesh") -> JobView | None:
        try:
            await mesh.submit(submit)
        except Unreachable as error:
            raise type(error)(f"{error} (`ffmesh job {submit.job}` tells whether the job was accepted)") from error
        return await mesh.job(submit.job) if arguments.json else None

    job = calling.conversed(config, handed_in)
    if job is not None:
        calling.print_json(job)
    else:
        print(submit.job)
    return 0

"""`ffmesh submit`: hands a job in and leaves."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ffmesh_client import calling, wishing
from ffmesh_client.errors import Unreachable, WrongUsage
from ffmesh_protocol.messages.jobs import JobKind, JobView

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh

HELP = """\
Hand in a job and print its id. It runs when an agent is free, also while this machine is off.

PROGRAM is a name that agents have on their list (`ffmesh agents`). Absolute paths must lie under a
root (client.toml, --root); the program starts in the folder of the same root, if this one is in one.

    ffmesh submit -- ffmpeg -i /media/movies/in.mkv -c:v libx265 /media/movies/out.mkv
    ffmesh wait $(ffmesh submit --label title=Holiday -- ffmpeg -i in.mkv out.mkv)

With --staged the program writes aside, and what it wrote takes its place at once when it is whole; when it
fails or its agent is lost, what was there before stays, and it is tried again. What ffmpeg writes is known by
its arguments, segments and pictures too; any other program's last argument is its output, unless said:

    ffmesh submit --staged -- ffmpeg -y -i in.mkv -c:v libx265 out.mkv
    ffmesh submit --staged -- ffmpeg -y -i in.mkv -f hls film.m3u8
    ffmesh submit --staged --output hls/ -- ffmpeg -i in.mkv -f hls hls/index.m3u8
    ffmesh submit --staged --output a.txt --output 'part_%03d' -- sh -c 'split …; wc …'

A folder is put in place whole: what was in it before is gone then. Files, and sets with a pattern for their
name (%d, %03d, %v), go into the folders that are there; what an older set had besides goes, nothing else.

With --after it begins when others have succeeded:

    first=$(ffmesh submit --staged -- ffmpeg -i in.mkv -c:v libx265 film.mkv)
    ffmesh submit --staged --after "$first" -- ffmpeg -i film.mkv -vf scale=640:-2 small.mkv

--json prints the job as `ffmesh job ID --json` does.
"""


def add_arguments(parser: ArgumentParser) -> None:
    wishing.add_options(parser)
    staging = parser.add_argument_group("how it writes")
    staging.add_argument("--staged", action="store_true", help="put the output in place at once, when it is whole")
    staging.add_argument(
        "--output",
        metavar="PATH",
        action="append",
        default=[],
        help="of a staged job: a file that it writes, a folder (ends in /), or a pattern as in out_%%03d.png; "
        "what its arguments name unless said; may be repeated",
    )


def run(arguments: Namespace) -> int:
    if arguments.output and not arguments.staged:
        raise WrongUsage("--output says what a staged job writes: say --staged too, or leave it out")
    config = calling.configured(arguments)
    kind = JobKind.STAGED if arguments.staged else JobKind.DIRECT
    submit = wishing.submit_of(arguments, kind, config, tuple(arguments.output))

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

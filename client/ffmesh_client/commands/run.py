"""`ffmesh run`: a program on the mesh, attached, as if it were local."""

import os
from argparse import SUPPRESS, ArgumentParser, Namespace

from ffmesh_client import calling, standard, wishing
from ffmesh_client.errors import WrongUsage
from ffmesh_protocol.standard_input import Reads, reads

HELP = """\
Run a program on the mesh as if it were here: standard input goes to it, its standard output and error
come byte for byte and unmixed, and its exit code is ours. When this command ends, the program is
stopped.

PROGRAM is a name that agents have on their list (`ffmesh agents`). Absolute paths must lie under a
root (client.toml, --root); the program starts in the folder of the same root, if this one is in one.

    ffmesh run -- ffmpeg -i /media/movies/in.mkv -c:v libx265 /media/movies/out.mkv
    ffmesh run --on pi-1 --need encoder=h264_v4l2m2m -- ffmpeg -i in.mkv -c:v h264_v4l2m2m out.mkv

With --after it waits for other jobs first. With --max-attempts it is tried again as long as the program did
not start; what it has written nobody can take back.

Standard input is read as soon as the program runs, and no further once it has ended. ffmpeg reads keys
there (q, ?, c) unless -nostdin says otherwise; then nothing is read. A terminal is put into the mode
that ffmpeg wants for its keys, and back.

Ctrl-C, SIGTERM, SIGHUP and SIGQUIT go to the program, each of them: ffmpeg ends its files and exits with
255. Where no program runs yet they cancel the job, and where the agent does not hear them for 10 s this
command leaves, as it does at a second one after 1 s. Ctrl-Z stops the program and then this command; fg
lets both go on.
Exit code: the program's own; 128+N for signal N; cancelled 130; timed out 124; lost or else 1.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="changes nothing: standard output is the program's")
    wishing.add_options(parser)
    for option in ("--staged", "--output"):
        parser.add_argument(option, nargs="?", const="", help=SUPPRESS)  # refused, in words about it


def run(arguments: Namespace) -> int:
    if arguments.staged is not None or arguments.output is not None:
        raise WrongUsage("run is attached, and stages nothing: say `ffmesh submit --staged`, then `ffmesh wait`")
    from ffmesh_protocol.messages.jobs import JobKind

    config = calling.configured(arguments)
    submit = wishing.submit_of(arguments, JobKind.INTERACTIVE, config)
    program, *words = arguments.line
    wanted = reads(program, [os.fsencode(word) for word in words])
    streams = standard.streams(wanted)
    from ffmesh_client.shell.caller import ThisProcess  # not before there is something to run: it imports asyncio

    finish = calling.conversed(
        config,
        lambda mesh: mesh.run(
            submit,
            streams,
            ThisProcess.of_a_command(),
            calling.complain,
            terminal=wanted is Reads.KEYS and submit.stdin_is_terminal,
        ),
    )
    if finish.sentence is not None:
        calling.complain(finish.sentence)
    return finish.exit_code

"""`ffmesh run`: a program on the mesh, attached, as if it were local."""

import signal
from argparse import SUPPRESS, ArgumentParser, Namespace
from typing import Final

from ffmesh_client import calling, wishing
from ffmesh_client.errors import WrongUsage

HELP = """\
Run a program on the mesh as if it were here: its standard output and error come byte for byte and
unmixed, and its exit code is ours. When this command ends, the program is stopped.

PROGRAM is a name that agents have on their list (`ffmesh agents`). Absolute paths must lie under a
root (client.toml, --root); the program starts in the folder of the same root, if this one is in one.
Standard input is not passed on.

    ffmesh run -- ffmpeg -i /media/movies/in.mkv -c:v libx265 /media/movies/out.mkv
    ffmesh run --on pi-1 --need encoder=h264_v4l2m2m -- ffmpeg -i in.mkv -c:v h264_v4l2m2m out.mkv

With --after it waits for other jobs first. With --max-attempts it is tried again as long as the program did
not start; what it has written nobody can take back.

Ctrl-C and SIGTERM cancel the job, wait for its end and exit 130 or 143; a second one leaves at once.
Exit code: the program's own; 128+N for signal N; cancelled 130; timed out 124; lost or else 1.
"""

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a program to end; unless our parent wants it ignored, as nohup does and `trap '' INT`."""


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
    signals = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    streams = {"stdout": 1, "stderr": 2}
    finish = calling.conversed(config, lambda mesh: mesh.run(submit, streams, signals, calling.complain))
    if finish.sentence is not None:
        calling.complain(finish.sentence)
    return finish.exit_code

"""`ffmesh logs`: what a job's program said last, and with `-f` what it goes on to say."""

import select
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING

from ffmesh_client import calling

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh
    from ffmesh_protocol.messages.reports import LogLine

HELP = """\
Show the kept end of a job's standard error. Its agent has it, so that must be there: else exit code 69.

    ffmesh logs 01JB2M0Z3V8Q6T4R9XKWCE5D7F
    ffmesh logs -f 01JB2M0Z3V8Q6T4R9XKWCE5D7F
    ffmesh logs 01JB2M0Z3V8Q6T4R9XKWCE5D7F --json | jq -r '"\\(.time) \\(.text)"'

With -f it goes on until the job has ended, however that is, and exits 0. It waits for a job that has not
begun, and for a broker, coordinator or agent that is away. It goes over to the next attempt, and says so
on standard error; also that lines are missing, where a program says more than its agent keeps. Ctrl-C
leaves the job alone.

--json prints one object a line: `time` (seconds since the program's start), `stream`, `text`.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of the job, as `submit` printed it")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what it says, until it has ended")


def run(arguments: Namespace) -> int:
    job_id = calling.checked_id(arguments.id)
    config = calling.configured(arguments)
    if arguments.follow:
        calling.conversed(config, lambda mesh: _follow(mesh, job_id, as_json=arguments.json))
    else:
        _show(calling.conversed(config, lambda mesh: mesh.logs(job_id)), as_json=arguments.json)
    return 0


async def _follow(mesh: "Mesh", job_id: str, *, as_json: bool) -> None:
    from ffmesh_client.core.following import Remark
    from ffmesh_client.following import followed

    async with aclosing(followed(mesh, job_id)) as news:
        async for heard in news:
            for each in heard:
                if isinstance(each, Remark):
                    sys.stdout.flush()
                    calling.complain(each.sentence)
                else:
                    _show([each], as_json=as_json)
            sys.stdout.flush()
            if _reader_is_gone():
                raise BrokenPipeError


def _show(lines: "Iterable[LogLine]", *, as_json: bool) -> None:
    from ffmesh_protocol.media import printable

    if as_json:
        calling.print_json_lines({"time": line.time, "stream": line.stream, "text": line.text} for line in lines)
        return
    for line in lines:
        # What a program says to a pipe goes through as it is; a terminal would obey it.
        print(printable(line.text) if sys.stdout.isatty() else line.text)


def _reader_is_gone() -> bool:
    """Whether nobody can read standard output any more. Who has nothing to write would not notice for hours."""
    look = select.poll()
    look.register(1, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in look.poll(0))

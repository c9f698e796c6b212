"""`ffmesh jobs`: what there is to do, and was done."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING, Final

from ffmesh_client import calling, wishing
from ffmesh_protocol.messages.answers import JobList
from ffmesh_protocol.messages.jobs import JobState

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh

HELP = """\
List jobs, newest first. One that is `waiting` comes after others; one that is `queued` waits for an agent.

    ffmesh jobs --state running --state queued
    ffmesh jobs --label show=Holiday --limit 200
    ffmesh jobs --json | jq -r '.[] | select(.state == "failed") | .id'

If there are more than --limit, the cursor that goes on from there is told on standard error.
"""

STATES: Final = tuple(state.value for state in JobState)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--state",
        metavar="STATE",
        action="append",
        default=[],
        choices=STATES,
        help=f"only jobs in this state; may be repeated ({', '.join(STATES)})",
    )
    parser.add_argument("--limit", metavar="N", type=_limit, default=50, help="this many at most; 50 unless said")
    parser.add_argument("--cursor", metavar="C", help="go on where an earlier list ended")
    parser.add_argument(
        "--label", metavar="K=V", type=wishing.label, action="append", default=[], help="only jobs with this label"
    )


def run(arguments: Namespace) -> int:
    page = calling.conversed(calling.configured(arguments), lambda mesh: _found(mesh, arguments))
    if arguments.json:
        calling.print_json(page.jobs)
    else:
        from ffmesh_client.render.jobs import show_jobs

        show_jobs(page.jobs)
    if page.cursor is not None:
        calling.complain(f"there are more: --cursor {page.cursor} goes on from here")
    return 0


async def _found(mesh: "Mesh", arguments: Namespace) -> JobList:
    states = tuple(map(JobState, arguments.state))
    return await mesh.jobs(states=states, labels=dict(arguments.label), limit=arguments.limit, cursor=arguments.cursor)


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of jobs")
    return int(text)

"""`ffmesh wait`: until all of these jobs have ended."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from ffmesh_client import calling, exits
from ffmesh_client.core.events import ProgressSeen
from ffmesh_client.errors import NoSuchId
from ffmesh_client.exits import Exit
from ffmesh_protocol.messages.jobs import JobView

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh

HELP = """\
Wait until these jobs have ended, and show how far they are. To leave with Ctrl-C stops none of them.

    ffmesh wait 01JB2M0Z3V8Q6T4R9XKWCE5D7F
    ffmesh wait 01JB2M0Z3V8Q6T4R9XKWCE5D7F 01JB2M1C6QH0AYS3N8ZT5RWEXK && echo all succeeded

Exit code of a job: its program's own; 128+N for signal N; cancelled 130; timed out 124; lost or else,
or unknown, 1. Of several jobs the first, in order, that is not 0. --json prints them all at the end.
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("ids", metavar="ID", nargs="+", help="of a job, as `submit` printed it")


def run(arguments: Namespace) -> int:
    config = calling.configured(arguments)
    names: dict[str, str | None] = {word: _id(word) for word in arguments.ids}
    ids = [*dict[str, None].fromkeys(each for each in names.values() if each is not None)]

    async def waited(mesh: "Mesh") -> dict[str, JobView]:
        return await _waited(mesh, ids, quiet=arguments.json)

    ended = calling.conversed(config, waited, follow=ids) if ids else {}
    codes: list[int] = []
    for word, each in names.items():
        job = ended.get(each) if each is not None else None
        codes.append(_code(word, job))
    if arguments.json:
        calling.print_json([ended[each] for each in ids if each in ended])
    return next((code for code in codes if code), 0)


def _id(word: str) -> str | None:
    try:
        return calling.checked_id(word)
    except NoSuchId:
        return None


async def _waited(mesh: "Mesh", ids: list[str], *, quiet: bool) -> dict[str, JobView]:
    """Those that are known, as they ended. One that is forgotten while it is waited for is not known any more."""
    from ffmesh_client.render.bars import watcher

    found = await mesh.jobs_named(ids)
    known = [found[each] for each in ids if each in found]
    with watcher(known, quiet=quiet) as shown:
        async for change in mesh.follow([job.id for job in known]):
            if isinstance(change, ProgressSeen):
                shown.progress(change)
            else:
                found[change.id] = change
                shown.job(change)
    return {each: job for each, job in found.items() if job.state.is_end}


def _code(word: str, job: JobView | None) -> int:
    if job is None:
        calling.complain(f"no job “{word}” is known; `ffmesh jobs` lists them")
        return Exit.FAILED
    return exits.of_end(job.state, job.exit_code, job.signal, job.reason_code)

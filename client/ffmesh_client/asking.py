"""One question about each of several jobs: how it is asked, and what is said of the answers."""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from ffmesh_client import calling, exits
from ffmesh_protocol.errors import Refused
from ffmesh_protocol.messages.jobs import JobView

if TYPE_CHECKING:
    from ffmesh_client.mesh import Mesh


def about_each(
    arguments: Namespace,
    ids: Iterable[str],
    ask: "Callable[[Mesh, str], Awaitable[JobView]]",
    code_of: Callable[[Refused], int] = exits.of_error,
) -> int:
    """Asks in this order, whatever the answers are. The exit code is that of the first refusal."""
    each_once = [*dict.fromkeys(ids)]

    async def answered(mesh: "Mesh") -> list[JobView | Refused]:
        return [await _asked(ask(mesh, each)) for each in each_once]

    answers = calling.conversed(calling.configured(arguments), answered)
    jobs = [answer for answer in answers if not isinstance(answer, Refused)]
    if arguments.json and jobs:
        calling.print_json(jobs[0] if len(each_once) == 1 else jobs)
    code = 0
    for answer in answers:
        if isinstance(answer, Refused):
            calling.complain(str(answer))
            code = code or code_of(answer)
        elif not arguments.json:
            print(f"{answer.id}  {answer.state.value}")
    return code


async def _asked(answer: Awaitable[JobView]) -> JobView | Refused:
    try:
        return await answer
    except Refused as refused:
        return refused

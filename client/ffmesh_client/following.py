"""What a job says on standard error while it says it: the mesh is asked again and again for what is new."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Final, Protocol

from ffmesh_client.core.following import Following, Heard
from ffmesh_protocol.errors import RefusalCode, Refused
from ffmesh_protocol.messages.answers import Lines, Refusal
from ffmesh_protocol.messages.jobs import JobView
from ffmesh_protocol.messages.requests import Logs

PAUSE: Final = 1.0
"""Seconds between two questions. Soon enough for a person who reads; for the mesh it is two small messages."""


class Asked(Protocol):
    """Of `Mesh` what it takes."""

    async def job(self, job: str) -> JobView: ...
    async def jobs_named(self, ids: Iterable[str], *, patience: float | None = ...) -> dict[str, JobView]: ...
    async def tail(self, logs: Logs, *, patience: float | None = ...) -> Lines | Refusal: ...


async def followed(mesh: Asked, job_id: str) -> AsyncGenerator[list[Heard], None]:
    """What was heard since the last time, perhaps nothing, once in each `PAUSE`; ends when the job has.

    A job that is not known is `Refused`. One that is known is followed through anything: whoever is away is waited for.
    """
    job = await mesh.job(job_id)
    following = Following()
    while True:
        question = following.seen(job)
        if question is not None:
            following.answered(await mesh.tail(question, patience=None))
        yield following.taken()
        if following.has_ended:
            return
        if not following.is_behind:
            await asyncio.sleep(PAUSE)
        found = await mesh.jobs_named([job_id], patience=None)
        if job_id not in found:
            raise Refused(RefusalCode.UNKNOWN_JOB, f"job {job_id} is no longer known")
        job = found[job_id]

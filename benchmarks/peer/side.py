"""What a peer's two processes do, whichever peer it is: a worker runs programs, a submitter hands jobs in.

Both are run by the Python that has the peer's packages, and need nothing else but the standard library. The submitter
reads one JSON object a line (`{"jobs": 200}` or `{"stamp": PATH}`) and answers each in a line when all is handed in.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable

SUBMITTERS = 8
"""At a time, each waiting for one acceptance before the next: as many as the mesh has connections."""


async def run(*line: str) -> None:
    """The work of a job: a program, and the moment of its end in a file that all jobs share."""
    process = await asyncio.create_subprocess_exec(*line)
    await process.wait()
    ends = os.open(os.environ["FFMESH_BENCH_ENDS"], os.O_WRONLY | os.O_APPEND)
    os.write(ends, b"%.6f\n" % time.time())
    os.close(ends)


async def submit_as_asked(job: Callable[[], Awaitable[object]], stamp: Callable[[str], Awaitable[object]]) -> None:
    """Until standard input ends."""
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        began, clock = time.time(), time.perf_counter()
        if "stamp" in asked:
            await stamp(asked["stamp"])
        else:
            await _burst(job, asked["jobs"])
        print(json.dumps({"began": began, "accepted": time.perf_counter() - clock}), flush=True)


async def _burst(job: Callable[[], Awaitable[object]], jobs: int) -> None:
    left = iter(range(jobs))

    async def work() -> None:
        for _ in left:
            await job()

    async with asyncio.TaskGroup() as tasks:
        for number in range(SUBMITTERS):
            tasks.create_task(work(), name=f"submitter {number}")

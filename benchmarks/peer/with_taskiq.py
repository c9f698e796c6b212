# pyright: basic
# The checkers' environment has no taskiq, so that nothing which comes from it has a type there.
"""taskiq's side: `taskiq worker benchmarks.peer.with_taskiq:broker` works, `-m benchmarks.peer.with_taskiq` submits.

Tasks have names, as the submitter's own module is called `__main__`. Results are not kept (taskiq's own default), so
that a job costs Redis one push and one pop.
"""

import asyncio
import os

from benchmarks.peer.side import run, submit_as_asked
from taskiq_redis import ListQueueBroker  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

broker = ListQueueBroker(os.environ["FFMESH_BENCH_REDIS"], socket_timeout=None)
"""Without a limit: redis-py's own, 5 s, ends a worker that waits for work."""


@broker.task("job")  # type: ignore[untyped-decorator]
async def job() -> None:
    await run("true")


@broker.task("stamp")  # type: ignore[untyped-decorator]
async def stamp(program: str, path: str) -> None:
    await run(program, path)


async def main() -> None:
    program = os.environ["FFMESH_BENCH_STAMP"]
    await broker.startup()
    try:
        await submit_as_asked(job.kiq, lambda path: stamp.kiq(program, path))
    finally:
        await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main())

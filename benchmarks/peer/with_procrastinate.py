# pyright: basic
# The checkers' environment has no procrastinate, so that nothing which comes from it has a type there.
"""procrastinate's side: `procrastinate --app benchmarks.peer.with_procrastinate.app worker` works, `-m` submits."""

import asyncio
import os

import procrastinate  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
from benchmarks.peer.side import run, submit_as_asked

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["FFMESH_BENCH_POSTGRES"]))


@app.task(name="job")  # type: ignore[untyped-decorator]
async def job() -> None:
    await run("true")


@app.task(name="stamp")  # type: ignore[untyped-decorator]
async def stamp(program: str, path: str) -> None:
    await run(program, path)


async def main() -> None:
    program = os.environ["FFMESH_BENCH_STAMP"]
    async with app.open_async():
        await submit_as_asked(job.defer_async, lambda path: stamp.defer_async(program=program, path=path))


if __name__ == "__main__":
    asyncio.run(main())

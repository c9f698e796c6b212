"""Saves jobs in the database that is named, one after the other, and says each number when it is on the disk."""

import asyncio
import itertools
import sys
from pathlib import Path

from coordinator.shell.values import a_job
from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.shell.store import Store


async def main(path: Path) -> None:
    async with Store.opened(path) as store:
        for number in itertools.count(1):
            await store.save([SaveJob(job=a_job(number))])
            print(number, flush=True)


asyncio.run(main(Path(sys.argv[1])))

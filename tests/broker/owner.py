"""Runs a broker in the folder that is named, prints its pid and its warden's, and waits to be killed."""

import asyncio
import sys
from pathlib import Path

from ffmesh_broker.configuration import prepare
from ffmesh_broker.private import running
from ffmesh_warden.handle import Warden


async def main(folder: Path) -> None:
    async with Warden.started() as warden, running(warden, prepare(folder, cluster="home")) as broker:
        print(broker.pid, warden.pid, flush=True)
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1])))

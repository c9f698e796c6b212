"""An agent's programs to be frozen: launches one that is killed after a while, and says its number."""

import asyncio
import sys
from pathlib import Path

from agent.shell.stage import granted, stage
from ffmesh_agent.core.events import ProgramEnded
from ffmesh_warden.handle import Warden


async def main(home: Path, seconds: float) -> None:
    async with Warden.started() as warden, stage(warden, home, {"R": str(home)}) as here:
        here.launch(granted("sh", "-c", f"echo $$ >'{home}/../../pid'; exec sleep 1000"), seconds)
        ended = await here.heard(ProgramEnded)
        print(ended.signal, ended.by_deadline, flush=True)


asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))

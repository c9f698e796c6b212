"""An owner to be killed: starts a warden and one program, says their numbers, then how the program ended."""

import asyncio
import json
import os
import sys

from ffmesh_warden.fence import Fence
from ffmesh_warden.handle import Warden
from ffmesh_warden.wire import boottime


async def main() -> None:
    wanted = json.loads(sys.argv[1])
    seconds = wanted["deadline_in"]
    async with Warden.started() as warden:
        program = await warden.start(
            wanted["argv"],
            env={"PATH": os.environ["PATH"]},
            cwd="/",
            user=wanted["user"],
            fence=wanted.get("fence") and Fence(wanted["fence"], (b"/usr", b"/lib", b"/lib64", b"/bin"), ()),
            kill_at=None if seconds is None else boottime() + seconds,
        )
        print(json.dumps({"owner": os.getpid(), "warden": warden.pid, "program": program.pid}), flush=True)
        ended = await program.ended()
        print(json.dumps({"exit_code": ended.exit_code, "signal": ended.signal}), flush=True)


asyncio.run(main())

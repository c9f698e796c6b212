"""The least that an agent could be: bare aiomqtt, msgspec and psutil, and a beat each two seconds. For idle.py.

python -m benchmarks.floor PORT LOGIN PASSWORD
"""

import asyncio
import sys

import aiomqtt
import msgspec
import psutil

from ffmesh_protocol.times import HOLDING


class Beat(msgspec.Struct, frozen=True):
    load: float
    memory_free: int
    cpu_percent: float


async def main(port: int, login: str, password: str) -> None:
    async with aiomqtt.Client(
        "127.0.0.1",
        port,
        username=login,
        password=password,
        identifier=f"{login}/floor",
        protocol=aiomqtt.ProtocolVersion.V5,
    ) as client:
        await client.subscribe(f"ffmesh/home/+/+/to/{login}/#", qos=1)
        while True:
            beat = Beat(psutil.getloadavg()[0], psutil.virtual_memory().available, psutil.cpu_percent())
            await client.publish(f"ffmesh/home/{login}/heartbeat", msgspec.json.encode(beat), qos=1)
            await asyncio.sleep(HOLDING)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))

"""Whether a job can run, seen as a client sees it: the agents offer the programs that are there.

An agent is online before its programs have told it what they can do, which takes ffmpeg a second the first time; a job
that comes meanwhile would be refused, because nobody offers its program.
"""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from ffmesh_client.config import load
from ffmesh_client.errors import Unreachable
from ffmesh_client.mesh import Mesh
from ffmesh_protocol.errors import BrokerError

AT_MOST: Final = 15.0
"""Longer than an agent waits for a program that hangs."""

LOOK_AGAIN: Final = 0.05


async def missing_offers(client: Path, agents: Sequence[str], programs: Collection[str]) -> list[str]:
    """Returns when each of these agents offers all of these programs; or after a while, with what is still missing."""
    missing: list[str] = []
    try:
        async with asyncio.timeout(AT_MOST):
            while True:
                try:
                    async with Mesh.connected(load(client)) as mesh:
                        missing = await _missing(mesh, agents, programs)
                    if not missing:
                        return []
                except (Unreachable, BrokerError):
                    pass  # somebody has killed a part meanwhile; it comes back
                await asyncio.sleep(LOOK_AGAIN)
    except TimeoutError:
        return missing


async def _missing(mesh: Mesh, agents: Sequence[str], programs: Collection[str]) -> list[str]:
    offered = {agent.name: agent.programs for agent in await mesh.agents()}
    return [f"{program} on {name}" for name in agents for program in programs if program not in offered.get(name, {})]

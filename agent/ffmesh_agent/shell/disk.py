"""Where the loop leaves work that waits for a disk.

Two threads and no more: one that syncs (results, which others wait for) and one for all that may take its time (tails,
scratch folders). Both touch only the agent's own home; a root may lie on a mount that never answers, and has `hanging`.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Disk:
    """One thread, made when it is first needed. Work is done in the order in which it was asked for."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def did(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def close(self) -> None:
        self._thread.shutdown(wait=True)

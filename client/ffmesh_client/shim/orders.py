"""From a call to its order, in time: a network mount that is gone may keep whoever asks it for ever, but no caller.

Each call asks the disk in a thread of its own (hanging.py). Where no answer comes, the call runs here, as if it had
never been ours; whether the program fares better is its own matter.
"""

import asyncio
from functools import partial
from typing import Any, Final

from ffmesh_client.config import ClientConfig
from ffmesh_client.disk import Disk
from ffmesh_client.shell.hanging import Askers
from ffmesh_client.shim.attending import Killed, RunHere
from ffmesh_client.shim.ordering import Order, StaysHere, ordered
from ffmesh_client.shim.wording import Call
from ffmesh_protocol.ffmpeg.pieces import root_path
from ffmesh_protocol.media import printable

DISK_SECONDS: Final = 3.0
"""A disk that slept is awake by then."""

HANGING_MOST: Final = 16
"""Threads that are given up. Once there are so many the next call asks nobody."""


class Orders:
    def __init__(self) -> None:
        self._askers = Askers()
        self._hanging: dict[asyncio.Future[Order | StaysHere], str] = {}
        """What nobody waits for any more, and who did not answer."""

    async def order(
        self, call: Call, config: ClientConfig, asked_to_end: "asyncio.Future[int] | None" = None
    ) -> Order | RunHere | Killed:
        """`asked_to_end`: a signal that the caller got, which may come while the disk is asked."""
        if len(self._hanging) >= HANGING_MOST:
            return RunHere(reason=next(reversed(self._hanging.values())))
        disk = Disk()
        answer = self._askers.ask(partial(ordered, call, config, disk))
        wanted: set[asyncio.Future[Any]] = {answer}  # whatever comes first
        if asked_to_end is not None:
            wanted.add(asked_to_end)
        try:
            await asyncio.wait(wanted, timeout=DISK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not answer.done():
                self._hanging[answer] = f"{_who(disk.asked, config)} did not answer"
                answer.add_done_callback(self._answered_late)
        if answer.done():
            found = answer.result()
            return RunHere(reason=found.reason) if isinstance(found, StaysHere) else found
        if asked_to_end is not None and asked_to_end.done():
            return Killed(signal=asked_to_end.result())
        return RunHere(reason=self._hanging[answer])

    def _answered_late(self, answer: "asyncio.Future[Order | StaysHere]") -> None:
        del self._hanging[answer]
        if not answer.cancelled():
            answer.exception()  # an error too is nobody's now


def _who(path: str, config: ClientConfig) -> str:
    place = root_path(path, config.roots)
    return place.root if place is not None else printable(path)

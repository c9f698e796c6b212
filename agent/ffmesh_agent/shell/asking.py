"""Questions to roots that a job waits for before its program starts: not for ever, and not once it is not wanted.

Each has a thread, which goes on where a root never answers.
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from ffmesh_agent.shell import hanging
from ffmesh_agent.shell.hanging import heard
from ffmesh_agent.shell.inputs import NotReady
from ffmesh_protocol.messages.reports import FailureKind

T = TypeVar("T")

ANSWER_SECONDS: Final = 20.0
"""A root that does not say within this time what is in it is not there for a job either."""


class Asking:
    def __init__(self) -> None:
        self._given_up: dict[str, asyncio.Future[None]] = {}

    async def answer(
        self, attempt: str, about: str, work: Callable[[], T], roots: str, silence: str | None = None
    ) -> T:
        """What the work gives or raises. `NotReady`: there is no answer from these roots, or it was given up.

        `silence`: what is said of roots that do not answer, after their names.
        """
        asked = hanging.started(f"{about} of {attempt}", work)
        given_up = self._given_up[attempt] = asyncio.get_running_loop().create_future()
        try:
            both = {asked, given_up}
            await asyncio.wait(both, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._given_up[attempt]
            asked.add_done_callback(heard)
        if given_up.done():
            raise NotReady("it was stopped before it began", FailureKind.TRANSIENT)
        if not asked.done():
            raise NotReady(f"{roots} {silence or f'did not answer within {ANSWER_SECONDS:.0f} s'}", FailureKind.NODE)
        return asked.result()

    def give_up(self, attempt: str) -> None:
        given_up = self._given_up.get(attempt)
        if given_up is not None and not given_up.done():
            given_up.set_result(None)

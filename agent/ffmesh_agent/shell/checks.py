"""A last look at the words of a job before its program starts, so that what its fence would stop has a sentence.

The agent looks for itself, however genuine the coordinator's message is. `PathRefused`: an absolute path or a URL that
is none of ours, a path that leads out of its root, by its letters or through a link. `NotReady`: a root that does not
answer. The look is a courtesy: what changes after it, the fence holds.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial

from ffmesh_agent.config import AgentConfig
from ffmesh_agent.ffmpeg.argv import Command, command
from ffmesh_agent.ffmpeg.aside import SCRATCH
from ffmesh_agent.ffmpeg.opened import Opened
from ffmesh_agent.ffmpeg.reach import places, roots_of
from ffmesh_agent.ffmpeg.strangers import refuse_strangers
from ffmesh_agent.shell.asking import Asking
from ffmesh_agent.shell.below import LeadsOut, found
from ffmesh_protocol.errors import PathRefused
from ffmesh_protocol.messages.orders import Grant


class Checks:
    def __init__(
        self,
        programs: Mapping[str, str],
        roots: Mapping[str, str],
        *,
        network: tuple[str, ...] = (),
        readable: tuple[str, ...] = (),
    ) -> None:
        self._programs = programs
        self._roots = roots
        self._network = network
        self._opened = Opened(readable)
        self._asking = Asking()

    @classmethod
    def of(cls, config: AgentConfig) -> "Checks":
        places = {SCRATCH: config.scratch} if config.scratch is not None else {}
        return cls(config.programs, config.root_paths | places, network=config.network, readable=config.readable)

    def command(self, grant: Grant, roots: Mapping[str, str] | None = None) -> Command:
        """`roots`: with those that only the agent's own redirections name."""
        own = [self._roots[name] for name in roots_of(grant) if name in self._roots]
        refuse_strangers(grant, network=grant.program in self._network, opened=self._opened.and_below(own))
        return command(grant, self._programs, roots or self._roots, self._opened)

    async def look(self, grant: Grant) -> None:
        """At the links below the roots."""
        if (look := self.looking(grant)) is None:
            return
        roots = ", ".join(sorted({f"${place.root}" for place in places(grant)}))
        await self._asking.answer(grant.attempt, "links", look, roots)

    def looking(self, grant: Grant) -> Callable[[], None] | None:
        """The same, for who is in a thread anyway. None: there is nothing to look at."""
        return partial(self._look, grant) if places(grant) else None

    def give_up(self, attempt: str) -> None:
        self._asking.give_up(attempt)

    def _look(self, grant: Grant) -> None:
        for place in places(grant):
            root = self._roots.get(place.root)
            if root is None:
                continue  # refused already, or of a word that is no path
            try:
                found(os.fsencode(root), place.path)
            except LeadsOut:
                raise PathRefused(f"{place.shown[:200]} leads out of ${place.root} through a link") from None
            except OSError:
                continue  # the program may say it in its own words

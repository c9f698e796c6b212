"""What an operator wants run while a root is not there: `recover` of its table in agent.toml.

Once a minute at most, one at a time for each root, through the warden, with a limit. What the command leaves running is
ended with it. A failure is logged once, until the root is back.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell.capture import Asker, NoAnswer
from ffmesh_agent.shell.clock import boottime
from ffmesh_protocol.messages.capability import RootState

RECOVER_EVERY: Final = 60.0
RECOVER_SECONDS: Final = 30.0
"""A mount that takes longer hangs, and the next try may find its server awake."""

log = logging.getLogger(__name__)


class Recovery:
    def __init__(self, places: Mapping[str, RootPlace], asker: Asker) -> None:
        self._places = {name: place for name, place in places.items() if place.recover}
        self._asker = replace(asker, seconds=RECOVER_SECONDS)
        self._tried_at: dict[str, float] = {}
        self._running: set[str] = set()
        self._failed: set[str] = set()

    def consider(self, states: Mapping[str, RootState], tasks: asyncio.TaskGroup, done: Callable[[], None]) -> None:
        """Begins what is due. `done` is called when a command has ended well."""
        for name, place in self._places.items():
            if name not in states or states[name].mounted:
                self._failed.discard(name)
                continue
            its_turn = all(other in states and states[other].mounted for other in place.needs)
            rested = boottime() - self._tried_at.get(name, float("-inf")) >= RECOVER_EVERY
            if its_turn and rested and name not in self._running:
                self._tried_at[name] = boottime()
                self._running.add(name)
                tasks.create_task(self._recover(name, place, done), name=f"recover root {name}")

    async def _recover(self, name: str, place: RootPlace, done: Callable[[], None]) -> None:
        try:
            await self._asker.asked(place.recover)
        except NoAnswer as reason:
            if name not in self._failed:
                log.warning("root %s: the command that recovers it, %s, %s", name, place.recover[0], reason)
                self._failed.add(name)
        except Exception:
            log.exception("root %s: the command that recovers it, %s, cannot be run", name, place.recover[0])
        else:
            log.info("root %s: the command that recovers it, %s, has ended well", name, place.recover[0])
            done()
        finally:
            self._running.discard(name)

"""Keeps one part running: starts it, notes its pid, and starts it again when it ended.

Cancelled, it ends the part: by its own signal at once, by SIGKILL after a second, or as soon as somebody is in a hurry.
"""

import asyncio
from typing import Final

from ffmesh_broker.errors import BrokerFailed, MosquittoMissing, PortTaken
from ffmesh_client.supervisor.home import MeshHome
from ffmesh_client.supervisor.notices import say
from ffmesh_client.supervisor.parts import End, Part, Running
from ffmesh_client.supervisor.restarts import NOT_AGAIN, Row, is_hopeless
from ffmesh_protocol.errors import BadConfig, FfmeshError
from ffmesh_warden.errors import NotStarted
from ffmesh_warden.handle import Warden, WardenDied

STOP_SECONDS: Final = 1.0
"""Between the two."""


class GaveUp(FfmeshError):
    """A part cannot be started, and the mesh was never ready."""


class Mood:
    """What every keeper of a mesh goes by."""

    def __init__(self) -> None:
        self.was_ready = False
        self.hurry = asyncio.Event()


class Keeper:
    def __init__(self, part: Part, *, warden: Warden, home: MeshHome, mood: Mood) -> None:
        self.part = part
        self.started = asyncio.Event()
        """Set once the part has run for the first time, and its pid was noted."""
        self._warden = warden
        self._home = home
        self._mood = mood
        self._running: Running | None = None
        self._is_wanted_anew = False

    async def keep(self) -> None:
        """Returns only when the part says that it should not be started again."""
        row = Row()
        loop = asyncio.get_running_loop()
        try:
            while True:
                began = loop.time()
                end = await self._once()
                if not self._warden.alive:
                    raise WardenDied
                if self._is_wanted_anew:
                    self._is_wanted_anew = False
                    continue
                row = row.after(loop.time() - began, end.exit_code)
                if self._judged(row, end):
                    return
                if row.pause:
                    # A number that nobody has any more must not be found by those who would signal it.
                    self._home.forget_pid(self.part.name)
                    await asyncio.sleep(row.pause)
        finally:
            self._home.forget_pid(self.part.name)

    def start_anew(self) -> None:
        """Its configuration has changed."""
        if self._running is not None:
            self._is_wanted_anew = True
            self._running.kill()

    async def _once(self) -> End:
        try:
            running = await self.part.start()
        except (MosquittoMissing, PortTaken) as error:
            if not self._mood.was_ready:
                raise
            return End(how=f"could not be started: {error}")
        except (NotStarted, BrokerFailed, BadConfig) as error:
            return End(how=f"could not be started: {error}")
        self._running = running
        try:
            self._note(running.pid)
            self.started.set()
            await running.pid_is_noted()
            return await running.ended()
        except BrokerFailed as error:
            return End(how=f"is of no use: {error}")
        finally:
            self._running = None
            await _ended(running, self._mood.hurry)

    def _note(self, pid: int) -> None:
        try:
            self._home.note_pid(self.part.name, pid)
        except BadConfig as error:
            say(f"{error}; {self.part.name} runs as process {pid}")  # a full disk is no reason to end it

    def _judged(self, row: Row, end: End) -> bool:
        """Says what has become of the part, and returns whether that was its last start."""
        name, words = self.part.name, self.part.last_words()
        if not self._mood.was_ready and is_hopeless(row, end.exit_code):
            say(f"{name} {end.how}; the end of its log:", words)
            raise GaveUp(f"{name} cannot be started here: it {end.how}; its log is {self.part.log}")
        if end.exit_code == NOT_AGAIN:
            say(f"{name} {end.how}, and asks not to be started again; its log is {self.part.log}", words)
            return True
        pause = f" in {row.pause:g} s" if row.pause else ""
        # The first death in a row is worth a line, the later ones are worth the reason.
        say(f"{name} {end.how}; it is started again{pause}", words if row.failures > 1 else ())
        return False


async def _ended(running: Running, hurry: asyncio.Event) -> None:
    """Ends it, if it has not ended. Nothing happens to one that has."""
    async with asyncio.TaskGroup() as group:
        killer = group.create_task(_kill_soon(running, hurry), name="kill")
        await running.stop()
        killer.cancel()


async def _kill_soon(running: Running, hurry: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await hurry.wait()
    except TimeoutError:
        pass
    running.kill()

"""The mesh of one machine, from its first process to its last.

Promises: `ready` is said once, when a job can run. Whatever ends this process or its warden, nothing of the mesh is
left two seconds later: all of it was started by that one warden. Until then, a part that dies is started again.

Not here yet: TLS, and a system other than Linux.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, cast

import msgspec

from ffmesh_broker.configuration import prepare
from ffmesh_client.supervisor.door import Door, Member
from ffmesh_client.supervisor.files import CLIENT, WATCHER, Files
from ffmesh_client.supervisor.home import MeshHome
from ffmesh_client.supervisor.keeper import GaveUp, Keeper, Mood
from ffmesh_client.supervisor.notices import say
from ffmesh_client.supervisor.options import Options, keep
from ffmesh_client.supervisor.parts import COORDINATOR, BrokerPart, Part, ProcessPart, python
from ffmesh_protocol.errors import BadConfig
from ffmesh_warden.errors import WardenDied
from ffmesh_warden.handle import Warden

PATIENCE: Final = 10.0
"""Seconds after which the person at the terminal is told what is still being waited for."""


class _Ended(Exception):
    """Somebody asked for the end."""


class Mesh:
    """`demanded_port` is the one to listen on, or none at all."""

    def __init__(self, home: MeshHome, options: Options, *, demanded_port: int | None) -> None:
        self._home = home
        self._options = options
        self._demanded_port = demanded_port
        self._files = Files(home, options)
        self._broker_folder = prepare(home.broker, cluster=self._files.cluster)
        self._mood = Mood()
        self._end = asyncio.Event()
        self._keepers: dict[str, Keeper] = {}

    async def run(self, announce: Callable[[], None]) -> None:
        """Returns when it was ended by a signal; `announce` is called when the mesh is ready."""
        with self._signals():
            try:
                async with Warden.started() as warden, asyncio.TaskGroup() as group:
                    group.create_task(_die_with(warden), name="warden")
                    group.create_task(self._until_the_end(), name="end")
                    await self._begin(warden, group)
                    self._mood.was_ready = True
                    announce()
            except BaseExceptionGroup as group_of_errors:
                _raise_what_counts(group_of_errors)
            except WardenDied as error:
                raise GaveUp(f"{error}") from error

    async def _begin(self, warden: Warden, group: asyncio.TaskGroup) -> None:
        broker = BrokerPart(
            warden,
            self._broker_folder,
            listen=self._options.listen,
            port=self._demanded_port,
            last_port=self._options.last_port,
        )
        await self._keep(broker, warden, group).started.wait()
        assert broker.port is not None, "it has started"
        keep(msgspec.structs.replace(self._options, last_port=broker.port), self._home.options)
        self._files.write_coordinator(broker.port)
        self._keep(self._coordinator(warden), warden, group)
        say(f"starting {', '.join(self._options.agent_names)} in {self._home.folder}, broker on port {broker.port}")
        impatience = group.create_task(self._explain_after_a_while(), name="impatience")
        door = Door(self._home.socket)
        self._start_known_agents(warden, group, broker.port)
        members = await self._start_all_agents(door, warden, group, broker.port)
        group.create_task(self._heed_rotations(door, members, broker.port), name="rotations")
        await door.ready(self._options.agent_names)
        impatience.cancel()

    def _start_known_agents(self, warden: Warden, group: asyncio.TaskGroup, port: int) -> None:
        """Those of an earlier start need not wait for the coordinator to say who they are."""
        for name in self._options.agent_names:
            known = self._files.agent_is_known(name)
            if known is not None:
                self._files.write_agent(name, known, port)
                self._keep(self._agent(name, warden), warden, group)

    async def _start_all_agents(
        self, door: Door, warden: Warden, group: asyncio.TaskGroup, port: int
    ) -> dict[str, Member]:
        names = self._options.agent_names
        members = await door.ensured([(CLIENT, "client"), (WATCHER, "watcher"), *((name, "agent") for name in names)])
        for name in names:
            has_changed = self._files.write_agent(name, members[name], port)
            if name not in self._keepers:
                self._keep(self._agent(name, warden), warden, group)
            elif has_changed:
                self._keepers[name].start_anew()
        self._files.write_client(members[CLIENT], port)
        self._files.write_watcher(members[WATCHER])
        return members

    async def _heed_rotations(self, door: Door, members: dict[str, Member], port: int) -> None:
        """Who is ours and gets another secret (`ffmesh principal rotate`) goes on with it."""
        kids = {name: member.kid for name, member in members.items()}
        while True:
            for member in await door.rotated(kids):
                kids[member.name] = member.kid
                try:
                    self._hand_over(member, port)
                except BadConfig as error:
                    say(f"{member.name} has another secret, but {error}")
                else:
                    say(f"{member.name} has another secret, and goes on with it")

    def _hand_over(self, member: Member, port: int) -> None:
        if member.name == CLIENT:
            self._files.write_client(member, port)
        elif member.name == WATCHER:
            self._files.write_watcher(member)
        elif self._files.write_agent(member.name, member, port):
            self._keepers[member.name].start_anew()

    def _keep(self, part: Part, warden: Warden, group: asyncio.TaskGroup) -> Keeper:
        keeper = self._keepers[part.name] = Keeper(part, warden=warden, home=self._home, mood=self._mood)
        group.create_task(keeper.keep(), name=part.name)
        return keeper

    def _coordinator(self, warden: Warden) -> Part:
        return self._process(warden, COORDINATOR, python("ffmesh_coordinator", "--config", str(self._home.coordinator)))

    def _agent(self, name: str, warden: Warden) -> Part:
        argv = python("ffmesh_agent", "--config", str(self._home.agent(name)))
        return self._process(warden, name, argv, ends_by=signal.SIGINT)  # by SIGTERM it drains

    def _process(self, warden: Warden, name: str, argv: list[str], *, ends_by: signal.Signals = signal.SIGTERM) -> Part:
        log = self._home.log(name)
        return ProcessPart(warden, name, argv, cwd=self._home.folder, env=os.environ, log=log, ends_by=ends_by)

    async def _explain_after_a_while(self) -> None:
        await asyncio.sleep(PATIENCE)
        say(f"no job can run yet; what the parts say is in {self._home.logs}")

    async def _until_the_end(self) -> None:
        await self._end.wait()
        raise _Ended

    @contextmanager
    def _signals(self) -> Generator[None, None, None]:
        """The first one ends the mesh, the next one ends the patience with it."""
        loop = asyncio.get_running_loop()
        handled = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            handled.append(signal.SIGHUP)
        for number in handled:
            loop.add_signal_handler(number, self._be_told)
        yield

    def _be_told(self) -> None:
        if self._end.is_set():
            self._mood.hurry.set()
        self._end.set()


async def _die_with(warden: Warden) -> None:
    await warden.died()
    raise WardenDied


def _raise_what_counts(group: BaseExceptionGroup[BaseException]) -> None:
    """One thing goes wrong first, or somebody asked for the end; what else is in the group follows from that."""
    errors = list(_leaves(group))
    if any(isinstance(error, _Ended) for error in errors):
        return
    if any(isinstance(error, WardenDied) for error in errors):
        raise GaveUp("the process that held all parts together was killed, and they with it; start `ffmesh up` again")
    raise errors[0]


def _leaves(error: BaseException) -> Generator[BaseException, None, None]:
    if isinstance(error, BaseExceptionGroup):
        for each in cast(BaseExceptionGroup[BaseException], error).exceptions:
            yield from _leaves(each)
    else:
        yield error

"""Everything around a program that is real: warden, pipes, streams, folders. The core's ear is a queue."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ulid import ULID

from ffmesh_agent.core.events import Event, ProgramEnded, ProgramNotStarted
from ffmesh_agent.roots import RootPlace
from ffmesh_agent.shell.beforehand import Beforehand
from ffmesh_agent.shell.checks import Checks
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.disk import Disk
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.journal import Journal
from ffmesh_agent.shell.limits import NO_LIMITS, KeptLimits
from ffmesh_agent.shell.outputs import Outputs
from ffmesh_agent.shell.programs import Programs
from ffmesh_agent.shell.scratch import Scratch
from ffmesh_agent.shell.streaming import Streaming
from ffmesh_agent.shell.summary import Summary
from ffmesh_agent.shell.tails import Tails
from ffmesh_protocol import codec
from ffmesh_protocol.media import Argument, Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.requests import StreamCredit
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.streams import Chunk, IncomingStream, packed, unpacked
from ffmesh_protocol.topics import Verb
from ffmesh_warden.handle import Warden

E = TypeVar("E")

PROGRAMS: dict[str, str] = {
    **dict.fromkeys(("sh", "cat", "cp", "true", "yes", "sleep", "head", "ffmpeg", "ffprobe"), ""),
    "moved": "/there/is/no/such/folder/moved",
}


def fresh_id() -> str:
    return str(ULID())


def granted(
    program: str,
    *args: str | Argument,
    kind: JobKind = JobKind.DIRECT,
    cwd: RootPath | None = None,
    env: Mapping[str, str] | None = None,
    umask: int | None = None,
    outputs: tuple[RootPath, ...] = (),
) -> Grant:
    return Grant(
        attempt=fresh_id(),
        job=fresh_id(),
        number=1,
        kind=kind,
        program=program,
        args=tuple((arg,) if isinstance(arg, str) else arg for arg in args),
        cwd=cwd,
        env=dict(env or {}),
        umask=umask,
        needs=Needs(program=program),
        timeout_seconds=None,
        audience=None,
        outputs=outputs,
    )


async def until(true: Callable[[], bool]) -> None:
    """For what sets no event of ours: other processes, and what they make of our buffers."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


def packet_of_chunk(attempt: str, verb: Verb, offset: int, content: bytes) -> Packet:
    return Packet(topic=verb, payload=packed(Chunk(attempt=attempt, offset=offset, content=content)))


def packet_of_credit(credit: StreamCredit) -> Packet:
    return Packet(topic=Verb.CREDIT, payload=codec.encode(credit))


class Stage:
    def __init__(
        self,
        warden: Warden,
        tasks: asyncio.TaskGroup,
        home: Path,
        disk: Disk,
        roots: dict[str, str],
        programs: Mapping[str, str] = PROGRAMS,
        checks: Checks | None = None,
        fencing: Fencing | None = None,
        limits: KeptLimits = NO_LIMITS,
        places: Mapping[str, RootPlace] | None = None,
    ) -> None:
        self.home = home
        self.scratch = home / "scratch"
        self.tails = Tails(home / "logs", disk)
        self.streaming = Streaming(packet_of_chunk, packet_of_credit)
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        scratch = Scratch(self.scratch, disk, fresh_id())
        scratch.left()
        self.journal = Journal(home / "staged", "the spool")
        list(self.journal.found())
        self.outputs = Outputs(self.journal, roots, tasks, self._events.put_nowait, places=places)
        self.programs = Programs(
            warden=warden,
            tasks=tasks,
            programs=programs,
            roots=roots,
            scratch=scratch,
            tails=self.tails,
            streaming=self.streaming,
            outputs=self.outputs,
            beforehand=Beforehand({name: RootPlace(path=path) for name, path in roots.items()}),
            summary=Summary(roots, [home]),
            tell=self._events.put_nowait,
            checks=checks,
            fencing=fencing,
            limits=limits,
            places=places,
        )

    async def next_event(self) -> Event:
        return await self._events.get()

    async def heard(self, kind: type[E]) -> E:
        """The next event of this kind; what comes before it is passed over."""
        while True:
            event = await self._events.get()
            if isinstance(event, kind):
                return event

    @property
    def is_silent(self) -> bool:
        return self._events.empty()

    def launch(self, grant: Grant, seconds: float = 1000) -> None:
        self.programs.launch(grant, boottime() + seconds)

    async def ended(self, grant: Grant) -> ProgramEnded:
        self.launch(grant)
        return await self.heard(ProgramEnded)

    async def refused(self, grant: Grant) -> ProgramNotStarted:
        self.launch(grant)
        return await self.heard(ProgramNotStarted)


@asynccontextmanager
async def stage(
    warden: Warden,
    home: Path,
    roots: dict[str, str] | None = None,
    *,
    programs: Mapping[str, str] = PROGRAMS,
    checks: Checks | None = None,
    fencing: Fencing | None = None,
    limits: KeptLimits = NO_LIMITS,
    places: Mapping[str, RootPlace] | None = None,
) -> AsyncGenerator[Stage, None]:
    disk = Disk("disk")
    try:
        async with asyncio.TaskGroup() as tasks:
            here = Stage(warden, tasks, home, disk, roots or {}, programs, checks, fencing, limits, places)
            await here.tails.prepare()
            sending = tasks.create_task(here.streaming.run(), name="streams")
            yield here
            sending.cancel()
    finally:
        disk.close()


class Client:
    """The far end of an attempt's streams, and the bus between: may lose, wait, and read slowly."""

    def __init__(self, streaming: Streaming, attempt: str) -> None:
        self.streams = {Verb.STDOUT: IncomingStream(), Verb.STDERR: IncomingStream()}
        self.got = {Verb.STDOUT: bytearray(), Verb.STDERR: bytearray()}
        self.reads = True
        self.heard: StreamCredit | None = None
        """The agent's last word about what the program reads."""
        self.sends: tuple[str, ...] = ()
        self.closed: tuple[str, ...] = ()
        self.posted = 0
        self.lost = 0
        self.lose: deque[bool] = deque()
        """For each of the next chunks, whether it is lost."""
        self.open = asyncio.Event()
        self.open.set()
        self.unacknowledged_bytes = 0
        self._streaming = streaming
        self._attempt = attempt
        self._changed = asyncio.Event()

    async def room(self) -> None:
        await self.open.wait()

    def post(self, packet: Packet) -> None:
        if packet.topic == Verb.CREDIT:
            self.heard = codec.decode(StreamCredit, packet.payload)
            self._changed.set()
            return
        self.posted += 1
        if self.lose and self.lose.popleft():
            self.lost += 1
            return
        chunk = unpacked(packet.payload)
        assert chunk.attempt == self._attempt
        stream = self.streams[Verb(packet.topic)]
        fresh = stream.take(chunk)
        self.got[Verb(packet.topic)] += fresh
        if self.reads:
            stream.consume(len(fresh))
        self._changed.set()
        asyncio.get_running_loop().call_soon(self.say_credit)

    def read_all(self) -> None:
        """Takes what came while it did not read, and reads on."""
        self.reads = True
        for stream in self.streams.values():
            stream.consume(stream.received - stream.consumed)
        self.say_credit()

    def say_credit(self) -> None:
        self._streaming.credit(
            StreamCredit(
                attempt=self._attempt,
                received={verb: stream.received for verb, stream in self.streams.items()},
                allowed={verb: stream.allowed for verb, stream in self.streams.items()},
                sends=self.sends,
                closed=self.closed,
            )
        )

    async def until_complete(self) -> None:
        while not all(stream.complete for stream in self.streams.values()):
            self._changed.clear()
            await self._changed.wait()

    async def until_got(self, verb: Verb, content: bytes) -> None:
        while content not in self.got[verb]:
            self._changed.clear()
            await self._changed.wait()

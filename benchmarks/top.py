"""What `ffmesh top` costs with a large mesh to watch: from a key to the paint, CPU while nobody touches it, memory.

    python -m benchmarks.top
    python -m benchmarks.top --agents 100 --jobs 1000

The broker is real; coordinator and agents are played by this process, which publishes what theirs would, as often, and
answers what the dashboard asks. The dashboard is a process of its own on a pseudo-terminal of 200 columns and 60 lines.
"""

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import tempfile
import termios
import time
from argparse import Namespace
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import tomli_w
from benchmarks.broker import broker
from benchmarks.measure import Report, Samples, parser, rows, run
from benchmarks.processes import MIB, cpu_seconds, pss_bytes

from ffmesh_protocol import codec, keys
from ffmesh_protocol.bus import BrokerAddress, Bus, Subscription, connected
from ffmesh_protocol.keys import Label
from ffmesh_protocol.media import Needs
from ffmesh_protocol.messages.answers import JobList
from ffmesh_protocol.messages.capability import Heartbeat, Host, Load, PublicAgent, RootState, SlotUse
from ffmesh_protocol.messages.jobs import JobKind, JobState, JobView, Progress, PublicJob, RefusedCounts, Summary
from ffmesh_protocol.messages.presence import AgentState, CoordinatorState, CoordinatorStatus
from ffmesh_protocol.messages.requests import ListJobs, ShowJobs
from ffmesh_protocol.names import COORDINATOR, client
from ffmesh_protocol.packet import Packet
from ffmesh_protocol.signing import Numbers, Stamp, signed, stamp_of
from ffmesh_protocol.topics import Topics, Verb, parse
from ffmesh_protocol.wire import Directed

AGENTS: Final = 1_000
JOBS: Final = 20_000
RUNNING: Final = 2
"""Of a hundred jobs."""

BEAT, PUBLIC, SUMMARY = 2.0, 10.0, 1.0
"""Seconds between an agent's heartbeats, the coordinator's words about one, and its counts."""

SETTLE_SECONDS: Final = 8.0
WINDOW_SECONDS: Final = 4.0
SIZE: Final = (60, 200)
CLUSTER, PASSWORD, SECRET = "home", "benchmark", bytes(range(32))
ME: Final = client("watching")
TOPICS: Final = Topics(CLUSTER)
LIFE: Final = "01J00000000000000000000D0D"
CREATED: Final = "2026-01-02T03:04:05.000Z"
OPEN_TO_ONE: Final = f"\nuser coordinator\ntopic write ffmesh/{CLUSTER}/#\n"
"""One login speaks for all agents."""


class Played:
    """The coordinator and all agents."""

    def __init__(self, bus: Bus, agents: int, jobs: int) -> None:
        self._bus = bus
        self._numbers = Numbers()
        self._agents = [f"node-{number:04}" for number in range(agents)]
        running = jobs * RUNNING // 100
        self._jobs = [
            _job(number, self._agents[number % agents] if number < running else None) for number in range(jobs)
        ]
        self._running = self._jobs[:running]
        self._listed = {job.id: job for job in reversed(self._jobs)}
        self._newest_first = tuple(self._listed.values())
        self._key = keys.derived(SECRET, CLUSTER, ME, Label.FROM_COORDINATOR)

    def begin(self) -> None:
        status = CoordinatorStatus(state=CoordinatorState.ONLINE, life=LIFE, connection=1, version="0")
        self._say(TOPICS.coordinator_status(), status, retain=True)
        for number, name in enumerate(self._agents):
            self._say(TOPICS.agent(name), _agent(name, number), retain=True)
        for job in self._running:
            self._say(TOPICS.job(job.id), _public(job), retain=True)

    async def speak(self) -> None:
        """What is said all the time, spread evenly."""
        ticks = 0
        while True:
            began = asyncio.get_running_loop().time()
            for number in range(ticks % 20, len(self._agents), 20):
                self._say(TOPICS.heartbeat(self._agents[number]), _beat(ticks // 20, number))
            for number in range(ticks % 100, len(self._agents), 100):
                self._say(TOPICS.agent(self._agents[number]), _agent(self._agents[number], number), retain=True)
            for number in range(ticks % 10, len(self._running), 10):
                job = self._running[number]
                far = Progress(percent=ticks / 40 % 100, fps=30.0, speed=1.2, eta_s=60.0)
                self._say(TOPICS.progress(job.agent or "", job.id), far, retain=True)
            if ticks % 10 == 0:
                self._say(TOPICS.summary(), self._summary())
            ticks += 1
            await asyncio.sleep(max(0.0, began + BEAT / 20 - asyncio.get_running_loop().time()))

    async def answer(self) -> None:
        while True:
            for packet in await self._bus.received():
                place = parse(packet.topic)
                if place is None or place.receiver != COORDINATOR or packet.response_topic is None:
                    continue
                answer = self._answer(place.verb or "", packet.payload)
                if answer is not None:
                    life = stamp_of(packet).sender_life
                    said = Packet(
                        topic=packet.response_topic, payload=codec.encode(answer), correlation=packet.correlation
                    )
                    stamp = Stamp(kid=1, sender_life=LIFE, receiver_life=life, number=self._numbers.next(life))
                    self._bus.post(signed(said, self._key, stamp))

    def _answer(self, verb: str, payload: bytes) -> Directed | None:
        if verb == Verb.JOBS:
            asked = codec.decode(ListJobs, payload)
            start = int(asked.cursor or 0)
            end = start + asked.limit
            return JobList(jobs=self._newest_first[start:end], cursor=str(end) if end < len(self._jobs) else None)
        if verb == Verb.JOB:
            ids = codec.decode(ShowJobs, payload).jobs
            return JobList(jobs=tuple(self._listed[each] for each in ids if each in self._listed), cursor=None)
        return None

    def _summary(self) -> Summary:
        return Summary(
            life=LIFE,
            agents_online=len(self._agents),
            agents_known=len(self._agents),
            slots_total=4 * len(self._agents),
            slots_used=len(self._running),
            jobs={"running": len(self._running), "queued": len(self._jobs) - len(self._running)},
            jobs_ended={},
            submitted_per_minute=0,
            ended_per_minute=0,
            refused=RefusedCounts(),
        )

    def _say(self, topic: str, message: object, *, retain: bool = False) -> None:
        self._bus.post(Packet(topic=topic, payload=codec.encode(message), qos=0, retain=retain))


class Seen:
    """The dashboard on its pseudo-terminal."""

    def __init__(self, config: Path) -> None:
        pid, self._terminal = pty.fork()
        if pid == 0:
            environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
            environment.pop("NO_COLOR", None)
            words = [sys.executable, "-m", "ffmesh_client", "top", "--config", str(config)]
            os.execve(sys.executable, words, environment)
        self.pid = pid
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        os.set_blocking(self._terminal, False)
        self._came = bytearray()
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._terminal, self._read)

    async def painted(self, words: str) -> None:
        """Returns when they are painted; what came before the last call of `press` does not count."""
        async with asyncio.timeout(60):
            while re.search(words.encode(), self._came) is None:
                self._more.clear()
                await self._more.wait()

    async def press(self, key: str, words: str) -> float:
        """Seconds until these words are painted."""
        self._came.clear()
        began = time.perf_counter()
        os.write(self._terminal, key.encode())
        await self.painted(words)
        return time.perf_counter() - began

    async def end(self) -> None:
        os.write(self._terminal, b"q")
        await asyncio.to_thread(os.waitpid, self.pid, 0)
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)

    def _read(self) -> None:
        try:
            self._came += os.read(self._terminal, 1 << 20)
        except OSError:
            return
        self._more.set()


def benchmark(arguments: Namespace) -> Sequence[Report]:
    return asyncio.run(_benchmark(arguments))


async def _benchmark(arguments: Namespace) -> Sequence[Report]:
    rounds: int = arguments.rounds
    last, first = f"node-{arguments.agents - 1:04}", "node-0000"
    keys_pressed: Samples = {"key: the end of the fleet": [], "key: its beginning": [], "key: another page": []}
    cost: Samples = {"CPU while nobody touches it": []}
    memory: Samples = {"memory": []}
    async with _watched(arguments.agents, arguments.jobs) as seen:
        await seen.painted(first)
        await asyncio.sleep(SETTLE_SECONDS)
        for _ in range(rounds):
            before = cpu_seconds(seen.pid)
            await asyncio.sleep(WINDOW_SECONDS)
            cost["CPU while nobody touches it"].append((cpu_seconds(seen.pid) - before) / WINDOW_SECONDS * 100)
            keys_pressed["key: the end of the fleet"].append(await seen.press("G", last))
            keys_pressed["key: its beginning"].append(await seen.press("g", first))
            await seen.press("2", "newest first")
            keys_pressed["key: another page"].append(await seen.press("1", "SLOTS"))
            await seen.press("2", "newest first")
            for _ in range(5):
                await seen.press("G", "more")
            await seen.press("1", "SLOTS")
            memory["memory"].append(pss_bytes(seen.pid) / MIB)
    said = f"{arguments.agents} agents, {arguments.jobs} jobs"
    every = [seconds for figures in keys_pressed.values() for seconds in figures]
    worst = sorted(every)[int(len(every) * 0.95)] * 1000
    return [
        Report(
            title=f"From a key to the paint, {said}",
            rounds=rounds,
            rows=rows(keys_pressed, unit="ms", scale=1000),
            notes=[f"95 of 100 keys are painted within {worst:.0f} ms"],
        ),
        Report(title=f"CPU, {said}", rounds=rounds, rows=rows(cost, unit="% of a core")),
        Report(title=f"Memory (PSS), {said}", rounds=rounds, rows=rows(memory, unit="MiB")),
    ]


@asynccontextmanager
async def _watched(agents: int, jobs: int) -> AsyncGenerator[Seen, None]:
    with tempfile.TemporaryDirectory(prefix="ffmesh-benchmark-") as folder:
        home = Path(folder)
        password = keys.broker_password(SECRET, CLUSTER, ME)
        with broker(home / "broker", {"coordinator": PASSWORD, ME.login: password}, more_access=OPEN_TO_ONE) as port:
            config = home / "client.toml"
            places = {"name": ME.name, "secret": _base64(SECRET), "broker": {"host": "127.0.0.1", "port": port}}
            config.write_text(tomli_w.dumps(places), encoding="utf-8")
            address = BrokerAddress(host="127.0.0.1", port=port, username="coordinator", password=PASSWORD)
            to_me = [Subscription(topic=f"ffmesh/{CLUSTER}/+/+/to/coordinator/#")]
            async with (
                connected(address, client_id="coordinator/played", subscriptions=to_me) as bus,
                asyncio.TaskGroup() as tasks,
            ):
                played = Played(bus, agents, jobs)
                played.begin()
                work = [
                    tasks.create_task(played.speak(), name="speak"),
                    tasks.create_task(played.answer(), name="answer"),
                ]
                seen = Seen(config)
                try:
                    yield seen
                finally:
                    await seen.end()
                    for each in work:
                        each.cancel()


def _base64(secret: bytes) -> str:
    from base64 import b64encode

    return b64encode(secret).decode()


def _agent(name: str, number: int) -> PublicAgent:
    root = RootState(mounted=True, writable=True, free_bytes=10**12, total_bytes=4 * 10**12)
    return PublicAgent(
        name=name,
        state=AgentState.ONLINE,
        life=LIFE,
        version="0",
        features=(),
        host=Host(arch="x86_64", cores=8, memory_bytes=2**34, model="played"),
        programs={"ffmpeg": "5.1.9", "ffprobe": "5.1.9"},
        hwaccels=(),
        tried=True,
        roots={"Movies": root, "Series": root},
        slots={"cpu": SlotUse(total=4, used=number % 5)},
        fence="landlock",
        load=Load(cpu_percent=50.0, memory_percent=50.0, temperature_c=50.0),
        running=(),
        last_seen_at=CREATED,
    )


def _beat(beat: int, number: int) -> Heartbeat:
    load = Load(cpu_percent=float((beat * 7 + number) % 100), memory_percent=40.0, temperature_c=55.0)
    return Heartbeat(life=LIFE, beat=beat, load=load, slots={"cpu": SlotUse(total=4, used=number % 5)}, running=())


def _job(number: int, agent: str | None) -> JobView:
    return JobView(
        id=f"01J0{number:022}",
        state=JobState.RUNNING if agent is not None else JobState.QUEUED,
        kind=JobKind.STAGED,
        attached=False,
        title=f"Film {number}",
        program="ffmpeg",
        agent=agent,
        priority=0,
        after=(),
        workflow=None,
        needs=Needs(program="ffmpeg", roots=("Movies",)),
        exit_code=None,
        signal=None,
        reason=None if agent is not None else "all agents are full",
        reason_code=None,
        permanent=False,
        progress=Progress(),
        placement=None,
        attempts=(),
        created_at=CREATED,
        started_at=None,
        ended_at=None,
        args=("-i", f"$Movies/in/{number}.mkv", "-c:v", "libx264", f"$Movies/out/{number}.mkv"),
        outputs=None,
        labels={"title": f"Film {number}"},
        owner="tv",
    )


def _public(job: JobView) -> PublicJob:
    return PublicJob(**{name: getattr(job, name) for name in PublicJob.__struct_fields__})


if __name__ == "__main__":
    described = parser(__doc__, rounds=5)
    described.add_argument("--agents", type=int, default=AGENTS, help=f"how many ({AGENTS})")
    described.add_argument("--jobs", type=int, default=JOBS, help=f"how many the coordinator knows ({JOBS})")
    run(described.parse_args(), benchmark)

"""What a long queue costs: one decision among many jobs and agents, a coordinator's memory, and its restart.

    python -m benchmarks.queue

*Decisions* are those of the core alone, in this process: a job is submitted, a result frees a slot, the next job is
offered, claimed and granted. The queue is as long before as after. `looked at` counts the jobs, wishes and agents that
such a decision touched.

*Memory* is that of a real coordinator that was handed 100,000 jobs of 3 KB (`--jobs`, `--bytes`) over its broker, and
of the next one, which found them on its disk.

*Restart*: the coordinator of a mesh with 200 running jobs and 10,000 that wait is killed; `up` starts it again. Seconds
until it answers, and until it lists all the 200 as running again. Each had lived for ten seconds before, or `up` would
wait until it starts the next.
"""

import asyncio
import gc
import os
import random
import signal
import time
from argparse import Namespace
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count
from typing import Final

from benchmarks.measure import Report, Row, Samples, counted, parser, row, rows, run, turns
from benchmarks.mesh import Mesh, mesh
from benchmarks.processes import MIB, cpu_seconds, peak_rss_bytes, rss_bytes

from ffmesh_client.errors import CoordinatorUnreachable
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.mesh import Mesh as Conversation
from ffmesh_client.supervisor.restarts import LIVED
from ffmesh_coordinator.core.coordinator import Coordinator
from ffmesh_coordinator.core.effects import Effect, Tell
from ffmesh_coordinator.core.events import AdvertSeen, AgentSpoke, AgentWord, ClientSpoke, Connected, Event
from ffmesh_coordinator.core.keyring import FIRST_KID, Keyring
from ffmesh_coordinator.core.moment import Now
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.capability import Advert, Host, SlotCount
from ffmesh_protocol.messages.jobs import JobKind, JobState
from ffmesh_protocol.messages.orders import Grants, Offers
from ffmesh_protocol.messages.reports import Claim, Hello, Result, Results, Started, StreamLengths
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.names import client as client_principal

SIZES: Final = ((1_000, 10), (10_000, 10), (100_000, 10), (1_000, 100), (1_000, 1_000))
"""Jobs in the queue, agents."""

SLOTS: Final = 2
DECISIONS: Final = 200
"""In each round, of each size."""

CONNECTIONS: Final = 8
AT_ONCE: Final = 100
"""Submits that one connection has under way."""

RUNNING: Final = 200
WAITING: Final = 10_000
AGENTS: Final = 10
LOOK_AGAIN: Final = 0.02
PATIENCE: Final = 60.0
NOBODYS_SLOT: Final = "tape"
"""A kind of slot that no agent has, so that what needs one waits."""


def benchmark(arguments: Namespace) -> Sequence[Report]:
    reports = [_decisions(arguments.rounds)]
    if arguments.jobs:
        with mesh("--agents", "1", "--program", "sleep") as ours:
            reports.append(asyncio.run(_memory(ours, arguments.jobs, arguments.bytes)))
    if arguments.restarts:
        with mesh("--agents", str(AGENTS), "--slots", str(RUNNING // AGENTS), "--program", "sleep") as ours:
            reports.append(asyncio.run(_restarts(ours, arguments.restarts)))
    return reports


# --- decisions --------------------------------------------------------------------------------------------------------


class Scene:
    """A core whose agents are all full, and a queue that stays as long as it is."""

    def __init__(self, queued: int, agents: int) -> None:
        self._ids = (f"0A{number:024d}" for number in count(1))
        self._jobs = (f"0J{number:024d}" for number in count(1))
        keyring = Keyring("home", lambda: bytes(12))
        self._core = Coordinator(cluster="home", life=_life("C", 0), keyring=keyring, ids=lambda: next(self._ids))
        self._now = 0.0
        self._running: deque[tuple[str, str, str, str]] = deque()
        """Agent, its life, attempt and job, in the order of their starts."""
        keyring.add(client_principal("tv"), FIRST_KID, bytes(32))
        self._handle(Connected(connection=1))
        for number in range(agents):
            name, life = f"pi-{number}", _life("P", number)
            keyring.add(agent_principal(name), FIRST_KID, bytes(32))
            self._handle(AdvertSeen(agent=name, advert=_advert(life)))
            self._say(name, life, Hello(beat=1, boot="", spool="", version="0", features=(), heard=0, held=()))
        for _ in range(agents * SLOTS):
            self._granted(self._submitted())
        for _ in range(queued):
            self._submitted()

    def decide(self) -> None:
        """A job comes, one ends, and another takes its place."""
        self._submitted()
        name, life, attempt, job = self._running.popleft()
        self._granted(self._say(name, life, Results(results=(_result(attempt, job),))))

    @property
    def looked_at(self) -> int:
        return self._core.looked_at

    def _submitted(self) -> list[Effect]:
        submit = _submit(next(self._jobs), "true", slot="cpu")
        return self._handle(ClientSpoke(client="tv", life=_life("T", 0), word=submit, asker=None))

    def _granted(self, effects: Sequence[Effect]) -> None:
        (told,) = [each for each in effects if isinstance(each, Tell) and isinstance(each.message, Offers)]
        assert isinstance(told.message, Offers), "as was asked for"
        (offer,) = told.message.offers
        name, life = told.receiver.name, told.life
        effects = self._say(name, life, Claim(attempts=(offer.attempt,)))
        assert any(isinstance(each, Tell) and isinstance(each.message, Grants) for each in effects), "it is granted"
        self._say(name, life, Started(attempts=(offer.attempt,)))
        self._running.append((name, life, offer.attempt, offer.job))

    def _say(self, name: str, life: str, word: AgentWord) -> list[Effect]:
        return self._handle(AgentSpoke(agent=name, life=life, word=word))

    def _handle(self, event: Event) -> list[Effect]:
        self._now += 1e-6
        return self._core.handle(event, Now(elapsed=self._now, utc=1e9 + self._now))


def _decisions(rounds: int) -> Report:
    scenes = {f"{queued:,} queued, {agents:,} agents": Scene(queued, agents) for queued, agents in SIZES}
    gc.collect()
    gc.freeze()  # as the coordinator does with what it found on its disk
    samples: Samples = {name: [] for name in scenes}
    looks: Samples = {f"… {name}: looked at": [] for name in scenes}
    for name in turns(tuple(scenes), rounds):
        scene, before, began = scenes[name], scenes[name].looked_at, time.perf_counter()
        for _ in range(DECISIONS):
            scene.decide()
        samples[name].append((time.perf_counter() - began) / DECISIONS)
        looks[f"… {name}: looked at"].append((scene.looked_at - before) / DECISIONS)
    first = next(iter(scenes))
    gc.unfreeze()
    return Report(
        title="One decision of the core",
        rounds=rounds,
        rows=[
            *rows(counted(samples), unit="µs", scale=1e6, ratios={"smallest": dict.fromkeys(scenes, first)}),
            *rows(counted(looks), unit="entries"),
        ],
    )


def _advert(life: str) -> Advert:
    return Advert(
        life=life,
        version="0",
        features=tuple(JobKind),
        host=Host(arch="x", cores=1, memory_bytes=1, model="none"),
        programs={"true": "1"},
        hwaccels=(),
        roots={},
        slots={"cpu": SlotCount(total=SLOTS)},
        fence="none",
        tried=False,
    )


def _result(attempt: str, job: str) -> Result:
    return Result(
        attempt=attempt,
        job=job,
        started=True,
        exit_code=0,
        signal=None,
        stopped=None,
        reason_code=None,
        reason=None,
        seconds=1.0,
        lengths=StreamLengths(stdout=0, stderr=0),
    )


def _life(letter: str, number: int) -> str:
    return f"0{letter}{number:024d}"


# --- memory -----------------------------------------------------------------------------------------------------------


async def _memory(ours: Mesh, jobs: int, size: int) -> Report:
    idle = rss_bytes(ours.pid_of("coordinator"))
    async with AsyncExitStack() as stack:
        conversations = await _conversations(stack, ours)
        began = time.perf_counter()
        await _queued(conversations, jobs, size)
        seconds = time.perf_counter() - began
        pid = ours.pid_of("coordinator")
        full, peak = rss_bytes(pid), peak_rss_bytes(pid)
        answered = await _restarted(ours, conversations[0])
    pid = ours.pid_of("coordinator")
    return Report(
        title=f"A coordinator with {jobs:,} queued jobs of {size:,} bytes",
        rounds=1,
        rows=[
            _figure("idle: memory (RSS)", idle / MIB, "MiB"),
            _figure("all were submitted: memory", full / MIB, "MiB"),
            _figure("… its peak", peak / MIB, "MiB"),
            _figure("all were found on the disk: memory", rss_bytes(pid) / MIB, "MiB"),
            _figure("… its peak", peak_rss_bytes(pid) / MIB, "MiB"),
            _figure("killed → answers again", answered, "s"),
            _figure("submits accepted", jobs / seconds, "a second"),
        ],
    )


# --- restart ----------------------------------------------------------------------------------------------------------


async def _restarts(ours: Mesh, times: int) -> Report:
    answers, cpu, all_run = "killed → answers again", "… CPU of the new one until then", "killed → lists all as running"
    samples: Samples = {answers: [], cpu: [], all_run: []}
    async with AsyncExitStack() as stack:
        conversations = await _conversations(stack, ours)
        for _ in range(RUNNING):
            await conversations[0].submit(_submit(fresh_ulid(), "sleep", "3600", slot="cpu"))
        await _queued(conversations, WAITING, 3_000)
        await _all_run(conversations[0])
        for _ in range(times + 1):
            await asyncio.sleep(LIVED + 1.0)
            began = time.perf_counter()
            samples[answers].append(await _restarted(ours, conversations[0]))
            samples[cpu].append(cpu_seconds(ours.pid_of("coordinator")))
            await _all_run(conversations[0])
            samples[all_run].append(time.perf_counter() - began)
    return Report(
        title=f"A restart under {RUNNING} running and {WAITING:,} queued jobs",
        rounds=times,
        rows=rows(counted(samples), unit="s"),
    )


async def _restarted(ours: Mesh, conversation: Conversation) -> float:
    """Seconds from the coordinator's death until the next one has answered."""
    began = time.perf_counter()
    os.kill(ours.pid_of("coordinator"), signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while not await _answers(conversation):
            pass  # it had its time; it reads a long queue
    return time.perf_counter() - began


async def _answers(conversation: Conversation) -> bool:
    try:
        await conversation.agents()
    except CoordinatorUnreachable:
        return False
    return True


async def _all_run(conversation: Conversation) -> None:
    async with asyncio.timeout(PATIENCE):
        while len((await conversation.jobs(states=(JobState.RUNNING,), limit=RUNNING)).jobs) < RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN)


# --- jobs -------------------------------------------------------------------------------------------------------------


async def _conversations(stack: AsyncExitStack, ours: Mesh) -> Sequence[Conversation]:
    return [await stack.enter_async_context(Conversation.connected(ours.config)) for _ in range(CONNECTIONS)]


async def _queued(conversations: Sequence[Conversation], jobs: int, size: int) -> None:
    """So many jobs that no agent can take, handed in on all connections."""
    left = iter(range(jobs))
    dice = random.Random(1)

    async def hand_in(conversation: Conversation) -> None:
        for _ in left:
            line = _arguments(dice, size)
            await conversation.submit(_submit(fresh_ulid(), "sleep", *line, slot=NOBODYS_SLOT))

    async with asyncio.TaskGroup() as tasks:
        for conversation in conversations:
            for _ in range(AT_ONCE // CONNECTIONS):
                tasks.create_task(hand_in(conversation), name="submits")


def _submit(job: str, program: str, *line: str | RootPath, slot: str) -> Submit:
    return Submit(
        job=job,
        kind=JobKind.DIRECT,
        program=program,
        args=tuple((argument,) for argument in line),
        cwd=None,
        env={},
        umask=0o022,
        stdin_is_terminal=False,
        needs=Needs(program=program, slot=slot),
        priority=0,
        timeout_seconds=None,
        labels={"title": f"Job {job[-6:]}"},
    )


def _arguments(dice: random.Random, size: int) -> list[str | RootPath]:
    """A line for ffmpeg of about so many bytes of JSON: options that all have, and names and numbers of its own."""
    line: list[str | RootPath] = []
    left = size
    while left > 0:
        path = RootPath(root="Movies", path=f"series {dice.randrange(1000)}/{dice.getrandbits(64):x}.mkv")
        words = (
            "-i",
            path,
            "-vf",
            f"scale={dice.randrange(4000)}:-2,fade=in:{dice.randrange(90)}:30",
            "-c:v",
            "libx264",
        )
        line += words
        left -= 170
    return line


def _figure(name: str, value: float, unit: str) -> Row:
    return row(name, [value], unit=unit)


if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument(
        "--jobs", type=int, default=100_000, metavar="N", help="that wait in memory (100000; 0: leave out)"
    )
    options.add_argument("--bytes", type=int, default=3_000, metavar="N", help="of each of them (3000)")
    options.add_argument("--restarts", type=int, default=5, metavar="N", help="how often (5; 0: leave out)")
    run(options.parse_args(), benchmark)

"""Direct jobs: how many a second are taken, how many are done, and how soon an idle mesh starts one.

    python -m benchmarks.jobs
    python -m benchmarks.jobs --peers PYTHON    # one that has taskiq's and procrastinate's packages

Each job is one real `true`. A burst has 200 of them (`--jobs`), from eight connections of one client to one agent with
eight slots. A job is accepted when the coordinator has said so, which it does once it is on its disk. `all at once`:
each connection submits its share without waiting; `one by one`: each waits for the acceptance of one before the next.
Beside it, on the same machine in the same rounds: asyncio alone running as many, eight at a time, with no queue; and
the queues of peers.py, into which eight submit one by one. Each side has its worker at work while it submits.

What is done, and when it began, is asked of the coordinator's own record when the burst is over, so that the asking
takes nothing from the burst.
"""

import asyncio
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Final

from benchmarks.measure import Report, Samples, counted, parser, rows, run, turns
from benchmarks.mesh import Mesh, mesh
from benchmarks.peers import PROCRASTINATE, TASKIQ, Peer, missing, peers

from ffmesh_client.core.submission import Surroundings, Wishes, submission
from ffmesh_client.ids import fresh_ulid
from ffmesh_client.mesh import Mesh as Conversation
from ffmesh_protocol.messages.jobs import ENDS, JobKind, JobState, JobView
from ffmesh_protocol.messages.requests import Submit

CONNECTIONS: Final = 8
SLOTS: Final = 8
IDLE_PAUSE: Final = 0.3
"""Between two jobs of an idle mesh: longer than anything that the one before leaves to do."""

LOOK_AGAIN: Final = 0.1
OPEN_STATES: Final = tuple(set(JobState) - ENDS)

ALL_AT_ONCE, ONE_BY_ONE, BARE = "all at once", "one by one", "asyncio alone"
ACCEPTED, DONE = "accepted", "done"
COMPARED: Final = {TASKIQ: (DONE,), PROCRASTINATE: (ACCEPTED, DONE)}
"""What taskiq accepts is on no disk: no figure of its own to compare with."""

STAMP: Final = 'exec date +%s%N > "$1"'


def benchmark(arguments: Namespace) -> Sequence[Report]:
    options = ("--slots", str(SLOTS), "--program", "true")
    with (
        mesh(*options, programs={"stamp": STAMP}) as ours,
        peers(arguments.peers, ours.program("stamp")) as others,
    ):
        notes = [f"{name} is left out: {why}" for name, why in missing(arguments.peers).items()]
        return asyncio.run(_measured(ours, others, notes, arguments))


async def _measured(
    ours: Mesh, others: Mapping[str, Peer], notes: Sequence[str], arguments: Namespace
) -> Sequence[Report]:
    rounds: int = arguments.rounds
    async with AsyncExitStack() as stack:
        conversations = [
            await stack.enter_async_context(Conversation.connected(ours.config)) for _ in range(CONNECTIONS)
        ]
        return [
            await _bursts(conversations, others, notes, arguments.jobs, rounds),
            await _on_an_idle_mesh(conversations[0], others, ours, rounds),
        ]


async def _bursts(
    conversations: Sequence[Conversation], others: Mapping[str, Peer], notes: Sequence[str], jobs: int, rounds: int
) -> Report:
    sides = (ALL_AT_ONCE, ONE_BY_ONE, *others)
    samples: Samples = {_figure(side, what): [] for side in sides for what in (ACCEPTED, DONE)}
    samples[BARE] = []
    for side in turns((*sides, BARE), rounds):
        if side == BARE:
            samples[BARE].append(jobs / await _bare(jobs))
            continue
        if side in others:
            accepted, done = await asyncio.to_thread(others[side].burst, jobs)
        else:
            accepted, done = await _burst(conversations, jobs, one_by_one=side == ONE_BY_ONE)
        samples[_figure(side, ACCEPTED)].append(jobs / accepted)
        samples[_figure(side, DONE)].append(jobs / done)
    like = {
        name: {_figure(side, what): _figure(name, what) for side in sides for what in COMPARED[name]} for name in others
    }
    return Report(
        title=f"Bursts of {jobs} jobs",
        rounds=rounds,
        rows=rows(counted(samples), unit="a second", ratios={BARE: dict.fromkeys(samples, BARE), **like}),
        notes=notes,
    )


def _figure(side: str, what: str) -> str:
    return f"{side}: {what}"


async def _burst(conversations: Sequence[Conversation], jobs: int, *, one_by_one: bool) -> tuple[float, float]:
    """Seconds from the first submit until the last was accepted, and until the last was done."""
    shares = [[_submit("true") for _ in range(start, jobs, CONNECTIONS)] for start in range(CONNECTIONS)]
    clock, began = time.perf_counter(), time.time()
    async with asyncio.TaskGroup() as tasks:
        for conversation, share in zip(conversations, shares, strict=True):
            if one_by_one:
                tasks.create_task(_submitted(conversation, share), name="share")
            else:
                for submit in share:
                    tasks.create_task(conversation.submit(submit), name=submit.job)
    accepted = time.perf_counter() - clock
    while (await conversations[0].jobs(states=OPEN_STATES, limit=1)).jobs:  # noqa: ASYNC110 - another process's doing
        await asyncio.sleep(LOOK_AGAIN)
    views = await conversations[0].jobs_named(submit.job for share in shares for submit in share)
    assert len(views) == jobs, "every job that was accepted is known"
    return accepted, max(_ended(view) for view in views.values()) - began


async def _submitted(conversation: Conversation, share: Sequence[Submit]) -> None:
    for submit in share:
        await conversation.submit(submit)


async def _bare(jobs: int) -> float:
    began = time.perf_counter()
    left = iter(range(jobs))

    async def work() -> None:
        for _ in left:
            process = await asyncio.create_subprocess_exec("true")
            await process.wait()

    async with asyncio.TaskGroup() as tasks:
        for number in range(SLOTS):
            tasks.create_task(work(), name=f"worker {number}")
    return time.perf_counter() - began


async def _on_an_idle_mesh(conversation: Conversation, others: Mapping[str, Peer], ours: Mesh, rounds: int) -> Report:
    """One job at a time. The program says when it runs, by the same machine's same clock."""
    accepted, runs = "submit → accepted", "submit → the program runs"
    samples: Samples = {accepted: [], runs: [], **{f"{name}: {runs}": [] for name in others}}
    for number, side in enumerate(turns((runs, *others), rounds)):
        await asyncio.sleep(IDLE_PAUSE)
        stamp = ours.files / f"stamp-{number}"
        if side in others:
            samples[f"{side}: {runs}"].append(await asyncio.to_thread(others[side].start, stamp))
            continue
        submit = _submit("stamp", str(stamp), root=ours.files)
        clock, began = time.perf_counter(), time.time_ns()
        await conversation.submit(submit)
        samples[accepted].append(time.perf_counter() - clock)
        while not (await conversation.job(submit.job)).state.is_end:  # noqa: ASYNC110 - as above
            await asyncio.sleep(LOOK_AGAIN)
        samples[runs].append((int(stamp.read_text(encoding="ascii")) - began) / 1e9)
    ratios = {name: {runs: f"{name}: {runs}"} for name in others}
    return Report(
        title="One job on an idle mesh",
        rounds=rounds,
        rows=rows(counted(samples), unit="ms", scale=1000, ratios=ratios),
    )


def _submit(*line: str, root: Path | None = None) -> Submit:
    surroundings = Surroundings(folders=(), environment={}, umask=0o022, stdin_is_terminal=False)
    roots = {"Bench": str(root)} if root is not None else {}
    return submission(fresh_ulid(), JobKind.DIRECT, line, Wishes(labels={}, roots=roots), surroundings, {})


def _ended(view: JobView) -> float:
    """Seconds since 1970, as the coordinator noted them."""
    assert view.state is JobState.SUCCEEDED, f"job {view.id} is {view.state}: {view.reason}"
    assert view.ended_at is not None, "it has succeeded"
    return datetime.fromisoformat(view.ended_at).timestamp()


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--jobs", type=int, default=200, metavar="N", help="in each burst (200)")
    arguments.add_argument("--peers", metavar="PYTHON", help="one that has the packages of taskiq and procrastinate")
    run(arguments.parse_args(), benchmark)

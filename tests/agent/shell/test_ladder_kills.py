"""A real agent is killed while it puts a ladder in place: 3 renditions of 40 segments, at many moments.

The moments are counted in what it asks of the kernel: strace kills it before the N-th rename, or sync, or unlink.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import tomllib
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
import tomli_w

from agent.shell.peers import LOGINS, Coordinator, coordinator_at, exit_code, home_in, started_agent
from agent.shell.stage import granted, until
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Cancels, Commit, Grant, Grants, Leased, Offer, Offers, Settled, Stop
from ffmesh_protocol.messages.reports import Claim, Hello, MayCommit, Result, Results
from ffmesh_protocol.reasons import Stopped
from ffmesh_protocol.topics import Verb
from support.broker import PrivateBroker, private_broker

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which chooses the moments, is missing")

SHARED_MEMORY = Path("/dev/shm")
SEGMENTS: Final = 40
WRITES = """
while [ -e "$3" ]; do sleep 0.01; done
cd "${1%/*}"; mkdir 0 1 2 2>/dev/null
for v in 0 1 2; do
    printf '#EXTM3U\\n#%s\\n' "$2" >$v.m3u8; i=0
    while [ $i -lt "$4" ]; do printf '%s' "$2" >$v/s$i.ts; printf 's%s.ts\\n' $i >>$v.m3u8; i=$((i + 1)); done
done
printf '#EXTM3U\\n#%s\\n#EXT-X-STREAM-INF:BANDWIDTH=1\\n0.m3u8\\n' "$2" >master.m3u8
"""

RENAME, EXCHANGE, SYNC, COPY = "?rename,?renameat", "renameat2", "fsync", "?sendfile,?copy_file_range"
UNLINK = "?unlink,unlinkat"

Moment = tuple[str, int]

COMMITTING: Final[list[list[Moment]]] = [
    [(SYNC, 1), (SYNC, 2), (RENAME, 1), (EXCHANGE, 2), (EXCHANGE, 3), (EXCHANGE, 10)],
    [(EXCHANGE, 25), (EXCHANGE, 41), (EXCHANGE, 60), (EXCHANGE, 80), (EXCHANGE, 100)],
    [(EXCHANGE, 110), (EXCHANGE, 118), (EXCHANGE, 119), (EXCHANGE, 120), (EXCHANGE, 121)],
    [(RENAME, 2), (SYNC, 4), (SYNC, 6), (SYNC, 8), (UNLINK, 3), (UNLINK, 5), (UNLINK, 90)],
]
SEALING: Final[list[list[Moment]]] = [
    [(COPY, 1), (COPY, 60), (UNLINK, 70), (SYNC, 3), (SYNC, 60), (SYNC, 125)],
]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncGenerator[PrivateBroker, None]:
    async with private_broker(tmp_path / "broker", logins=LOGINS) as broker:
        yield broker


@pytest.fixture
def home(broker: PrivateBroker) -> Iterator[Path]:
    if not SHARED_MEMORY.is_dir():
        pytest.skip("there is no /dev/shm, which syncs in no time and is another file system")
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        home = home_in(Path(folder), broker.port)
        (home / "show").mkdir()
        yield home


def with_scratch(home: Path, scratch: Path) -> None:
    scratch.mkdir()
    table = tomllib.loads((home / "agent.toml").read_text())
    table["roots"] = {"R": {"path": str(home / "show"), "scratch": True}}
    (home / "agent.toml").write_text(tomli_w.dumps({**table, "scratch": str(scratch)}))


def seen(home: Path) -> dict[str, str]:
    """What a media server takes for films."""
    found: dict[str, str] = {}
    for parent, folders, files in os.walk(home / "show"):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        for file in (Path(parent, name) for name in files if not name.startswith(".")):
            found[str(file.relative_to(home / "show"))] = file.read_text()
    return found


class Ladders:
    """One after the other in the same place; every second one has a segment more."""

    def __init__(self, home: Path, *, scratch: bool) -> None:
        self.home = home
        self.made = 0
        self.in_place: dict[str, str] = {}
        self._base = "" if scratch else "show/"
        self.waits = home / "show" / ".wait"

    def next(self) -> Grant:
        self.made += 1
        master = RootPath(root="R", path=f"{self._base}master.m3u8")
        sets = (self._set("%v.m3u8"), self._set("%v/s%d.ts"))
        waits = RootPath(root="R", path=f"{self._base}.wait")
        words = (f"ladder {self.made}", (waits,), str(self.segments))
        return granted("sh", "-c", WRITES, "sh", (master,), *words, kind=JobKind.STAGED, outputs=(master, *sets))

    def _set(self, name: str) -> RootPath:
        return RootPath(root="R", path=f"{self._base}{name}", quoting="pattern")

    @property
    def segments(self) -> int:
        return SEGMENTS + self.made % 2

    @property
    def newest(self) -> dict[str, str]:
        text = f"ladder {self.made}"
        names = [f"s{number}.ts" for number in range(self.segments)]
        files = {f"{variant}/{name}": text for variant in range(3) for name in names}
        files |= {f"{variant}.m3u8": "\n".join(["#EXTM3U", f"#{text}", *names, ""]) for variant in range(3)}
        files["master.m3u8"] = f"#EXTM3U\n#{text}\n#EXT-X-STREAM-INF:BANDWIDTH=1\n0.m3u8\n"
        return files


@contextmanager
def killing(process: "subprocess.Popen[bytes]", moment: Moment) -> Generator[None, None, None]:
    calls, when = moment
    words = ["-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={when}"]
    with subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-p", str(process.pid), *words], stderr=subprocess.PIPE
    ) as strace:
        assert strace.stderr is not None
        try:
            said = strace.stderr.readline()
            assert b"attached" in said, said
            yield
        finally:
            strace.kill()


async def started(coordinator: Coordinator, grant: Grant) -> None:
    """Offered until its agent knows what it can do."""
    offer = Offer(attempt=grant.attempt, job=grant.job, kind=grant.kind, needs=grant.needs)
    while True:
        await coordinator.say(Verb.OFFER, Offers(offers=(offer,)))
        try:
            async with asyncio.timeout(0.5):
                await coordinator.told(Verb.CLAIM, Claim)
            break
        except TimeoutError:
            continue
    await coordinator.say(Verb.GRANT, Grants(grants=(grant,)))


async def result(coordinator: Coordinator, grant: Grant) -> Result:
    """What is told beside it was told before, and its `settled` was lost with a life."""
    while True:
        results = (await coordinator.told(Verb.RESULT, Results)).results
        await coordinator.say(Verb.SETTLED, Settled(attempts=tuple(each.attempt for each in results)))
        if told := next((each for each in results if each.attempt == grant.attempt), None):
            return told


async def ended(coordinator: Coordinator, grant: Grant, hello: Hello, ladders: Ladders, *, permitted: bool) -> bool:
    """What comes of a ladder whose agent was killed. Whether the new one is in place."""
    held = {each.attempt: each.phase for each in hello.held}
    if grant.attempt not in held:
        assert seen(ladders.home) == ladders.in_place
        return False
    if held[grant.attempt] == "ended":
        assert seen(ladders.home) == ladders.newest
        return (await result(coordinator, grant)).failure is None
    assert seen(ladders.home) == ladders.in_place
    if not permitted:
        stop = Stop(attempt=grant.attempt, job=grant.job, why=Stopped.CANCEL)
        await coordinator.say(Verb.CANCEL, Cancels(stops=(stop,)))
        assert (await result(coordinator, grant)).stopped is Stopped.CANCEL
        return False
    await coordinator.say(Verb.LEASED, Leased(beat=hello.beat, attempts=(grant.attempt,)))
    await coordinator.say(Verb.COMMIT, Commit(attempts=(grant.attempt,)))
    assert (await result(coordinator, grant)).failure is None
    return True


async def begun(coordinator: Coordinator, ladders: Ladders) -> Grant:
    grant = ladders.next()
    ladders.waits.touch()
    await started(coordinator, grant)
    return grant


async def written(coordinator: Coordinator, ladders: Ladders) -> Grant:
    """Whole and aside."""
    grant = await begun(coordinator, ladders)
    ladders.waits.unlink()
    await coordinator.told(Verb.MAY_COMMIT, MayCommit)
    return grant


@pytest.mark.parametrize(
    ("moments", "scratch", "sealing"),
    [
        *((moments, False, False) for moments in COMMITTING),
        *((moments, True, True) for moments in SEALING),
        *((moments, True, False) for moments in COMMITTING),
    ],
)
async def test_whenever_the_agent_is_killed_the_old_ladder_or_the_new_one_is_there_after_its_restart(
    moments: list[Moment], scratch: bool, sealing: bool, broker: PrivateBroker, home: Path, tmp_path: Path
) -> None:
    if scratch:
        with_scratch(home, tmp_path / "scratch")
    ladders = Ladders(home, scratch=scratch)
    async with coordinator_at(broker) as coordinator:
        with ExitStack() as agents:
            agent = agents.enter_context(started_agent(home))
            await coordinator.greet()
            grant = await written(coordinator, ladders)
            await coordinator.say(Verb.COMMIT, Commit(attempts=(grant.attempt,)))
            assert (await result(coordinator, grant)).failure is None
            ladders.in_place = ladders.newest
            assert seen(home) == ladders.in_place
            for number, moment in enumerate(moments):
                if not sealing:
                    grant = await written(coordinator, ladders)
                    with killing(agent, moment):
                        await coordinator.say(Verb.COMMIT, Commit(attempts=(grant.attempt,)))
                        assert await exit_code(agent) == -signal.SIGKILL, moment
                else:
                    grant = await begun(coordinator, ladders)
                    with killing(agent, moment):
                        ladders.waits.unlink()
                        assert await exit_code(agent) == -signal.SIGKILL, moment
                agent = agents.enter_context(started_agent(home))
                hello = await coordinator.greet()
                if await ended(coordinator, grant, hello, ladders, permitted=number % 2 == 0):
                    ladders.in_place = ladders.newest
                await until(lambda: not any(name.name.startswith(".ffmesh") for name in (home / "show").iterdir()))
                assert seen(home) == ladders.in_place
                if scratch:
                    await until(lambda: not any((tmp_path / "scratch").iterdir()))

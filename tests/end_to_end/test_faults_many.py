"""Many who hand in at once, the same job handed in again and again, and a coordinator without room on its disk."""

import asyncio
import multiprocessing
import os
import resource
import subprocess
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from end_to_end.faults import ROOT, Company, Wish, conversed
from end_to_end.outside import GENEROUS, Mesh, ending, finished, mesh, until
from end_to_end.watching import P, watching
from ffmesh_client import config
from ffmesh_client.errors import Unreachable
from ffmesh_client.mesh import Mesh as Conversation
from ffmesh_protocol.errors import FfmeshError, Refused
from ffmesh_protocol.messages.jobs import JobKind, JobState
from ffmesh_protocol.messages.requests import Submit

PROCESSES, EACH = 20, 15
REPEATS = 50


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mesh, None, None]:
    folder = tmp_path_factory.mktemp("many")
    options = ("--agents", "2", "--slots", "8", "--root", f"{ROOT}={folder}", "--program", "sh")
    with mesh(folder / "home", *options, unfenced=2) as running:
        yield running


@pytest.fixture
def company(running: Mesh, tmp_path: Path) -> Company:
    folder = running.home.parent / tmp_path.name
    folder.mkdir()
    return Company(running, folder)


# --- handing in


@pytest.mark.parametrize("killed", [(), ("coordinator", "broker")], ids=["undisturbed", "disturbed"])
def test_of_300_jobs_that_20_processes_hand_in_at_once_each_runs_once(
    running: Mesh, company: Company, killed: tuple[str, ...]
) -> None:
    """Also when the coordinator dies meanwhile, and then the broker."""
    company.let_go()
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["end_to_end.faults"])
    ready = processes.Barrier(PROCESSES + 1)
    wishes = [[Wish(f"{number}-{each}") for each in range(EACH)] for number in range(PROCESSES)]
    children = [
        processes.Process(target=_hand_in, args=(running.client, company.submits(*some), ready)) for some in wishes
    ]
    for child in children:
        child.start()
    ready.wait(GENEROUS)
    for part in killed:
        until(lambda: company.lines("ran"), "the first ones run")
        running.until_back(part, running.kill(part))
    for child in children:
        child.join(GENEROUS)
    assert {child.exitcode for child in children} == {0}
    views = company.until_ended(seconds=2 * GENEROUS)
    company.check(views)
    assert company.lines("ran") == dict.fromkeys(company.ids, 1)


def _hand_in(client: Path, submits: list[Submit], ready: Barrier) -> None:
    """In a process of its own: all at once."""

    async def handed_in() -> None:
        async with Conversation.connected(config.load(client)) as mesh:
            await mesh.agents()  # the connection stands
            await asyncio.to_thread(ready.wait, GENEROUS)
            async with asyncio.TaskGroup() as tasks:
                for each in submits:
                    tasks.create_task(mesh.submit(each), name=each.job)

    asyncio.run(handed_in())


def test_a_submit_that_is_repeated_is_one_job_whatever_has_become_of_it(running: Mesh, company: Company) -> None:
    """Before it runs, while it runs, and after its end."""
    (submit,) = company.submits(Wish("one"))

    async def handed_in(mesh: Conversation) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(REPEATS):
                tasks.create_task(mesh.submit(submit), name=f"{number}")

    conversed(running, handed_in)
    company.until_are(("one",), JobState.RUNNING)
    conversed(running, handed_in)
    company.let_go("one")
    company.until_ended()
    conversed(running, handed_in)
    views = company.until_ended()
    company.check(views)
    assert (len(views["one"].attempts), company.lines("ran")) == (1, {"one": 1})
    assert len(running.jobs_called("one")) == 1


# --- a full disk


class Disk:
    """What the coordinator writes to. `fill` leaves no room, `clear` gives it back."""

    def __init__(self, running: Mesh, fill: Callable[[], None], clear: Callable[[], None]) -> None:
        self.running = running
        self.fill = fill
        self.clear = clear


@contextmanager
def bounded(folder: Path) -> Generator[Disk, None, None]:
    """No file of the coordinator may grow."""
    options = ("--slots", "8", "--root", f"{ROOT}={folder}", "--program", "sh")
    with mesh(folder / "home", *options, unfenced=1) as running:

        def limit(size: int) -> None:
            resource.prlimit(running.pid("coordinator"), resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        yield Disk(
            running,
            lambda: limit((running.home / "coordinator.db-wal").stat().st_size),
            lambda: limit(resource.RLIM_INFINITY),
        )


@contextmanager
def mounted(folder: Path) -> Generator[Disk, None, None]:
    """A small disk that the whole mesh lives on, its agent's spool too; what its jobs read and write is elsewhere."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    home = folder / "home"
    home.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", home], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {made.stderr.decode().strip()}")

    def fill() -> None:
        with pytest.raises(OSError, match="No space"):
            (home / "filler").write_bytes(bytes(48_000_000))

    try:
        options = ("--slots", "8", "--root", f"{ROOT}={folder}", "--program", "sh")
        with mesh(home, *options, unfenced=1) as running:
            yield Disk(running, fill, (home / "filler").unlink)
    finally:
        subprocess.run(["umount", "-l", home], check=True)


@contextmanager
def _heavy_ones_handed_in(company: Company) -> Generator["Future[dict[str, FfmeshError | None]]", None, None]:
    """More than fits. In the background: those that came just before the disk was full have no answer for a while."""
    wishes = [Wish(f"heavy {number}", weight=60_000) for number in range(30)]
    submits = dict(zip((wish.name for wish in wishes), company.submits(*wishes), strict=True))

    async def handed_in(mesh: Conversation) -> dict[str, FfmeshError | None]:
        return {name: await _outcome(mesh, submit) for name, submit in submits.items()}

    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(conversed, company.running, handed_in)


async def _outcome(mesh: Conversation, submit: Submit) -> FfmeshError | None:
    try:
        await mesh.submit(submit)
    except FfmeshError as error:
        return error
    return None


def _known(company: Company) -> set[str]:
    return {view.id for view in company.views().values()}


@pytest.mark.parametrize("kind", [bounded, mounted], ids=["bounded", "mounted"])
def test_with_a_full_disk_nothing_new_is_taken_what_runs_goes_on_and_with_room_so_does_the_rest(
    tmp_path: Path, kind: Callable[[Path], AbstractContextManager[Disk]]
) -> None:
    with ExitStack() as stack:
        disk = stack.enter_context(kind(tmp_path))
        running = disk.running
        place = tmp_path / "place"
        place.mkdir()
        company = Company(running, place)
        company.hand_in(
            Wish("ends"), Wish("runs"), Wish("aside", JobKind.STAGED, tries=3), Wish("later", after=("runs",))
        )
        attached = stack.enter_context(ending(company.begin_run("attached")))
        company.attached("attached")
        company.until_runs("ends", "runs", "aside", "attached")
        company.until_are(("ends", "runs", "aside", "attached"), JobState.RUNNING)
        with watching(running, f"{P}/coordinator/status") as watcher:
            disk.fill()
            handing_in = stack.enter_context(_heavy_ones_handed_in(company))
            watcher.until_says(f"{P}/coordinator/status", state="full")
            refused = running.ffmesh("submit", "--label", "title=refused", "--", "sh", "-c", 'touch "$0"', place / "no")
            assert (refused.returncode, refused.stdout, refused.stderr.count(b"\n")) == (69, b"", 1)
            assert b"full" in refused.stderr
            company.let_go("ends", "aside", "attached")
            company.until_over("ends", "aside", "attached")
            assert running.json("job", company.ids["runs"])["state"] == "running"
            watcher.until_says(f"{P}/coordinator/status", state="full")
            disk.clear()
            watcher.until_says(f"{P}/coordinator/status", state="online")
        assert finished(attached) == (0, b"", b"")
        for name, outcome in handing_in.result(GENEROUS).items():
            assert outcome is None or isinstance(outcome, Refused | Unreachable), outcome
            if outcome is not None and company.ids[name] not in _known(company):
                company.forget(name)
            else:
                assert not isinstance(outcome, Refused), "and accepted all the same"
        company.let_go()
        views = company.until_ended()
        company.check(views)
        ran = company.lines("ran")
        del ran["aside"]  # its agent may have had no room to note that it is whole, and is given another try
        assert ran == dict.fromkeys(company.ids.keys() - {"aside"}, 1)
        assert running.jobs_called("refused") == []
        assert not (place / "no").exists()
        assert running.run("sh", "-c", "echo again").stdout == b"again\n"

"""When the failure of a program is the machine's, because a root went away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from msgspec import structs

from ffmesh_agent.core.events import Event, OutputNotCommitted, OutputNotSealed, ProgramEnded, ProgramNotStarted
from ffmesh_agent.shell.blame import Blame
from ffmesh_protocol.media import Needs, RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import FailureKind, StreamLengths
from ffmesh_protocol.reasons import ReasonCode

ATTEMPT, JOB = "0A" + "1" * 24, "0J" + "1" * 24
ENDED = ProgramEnded(
    attempt=ATTEMPT,
    exit_code=1,
    signal=None,
    seconds=1.0,
    lengths=StreamLengths(stdout=0, stderr=0),
    failure=FailureKind.INPUT,
)
GRANT = Grant(
    attempt=ATTEMPT,
    job=JOB,
    number=1,
    kind=JobKind.DIRECT,
    program="ffmpeg",
    args=(),
    cwd=None,
    env={},
    umask=None,
    needs=Needs(program="ffmpeg", roots=("Movies", "Series")),
    timeout_seconds=None,
    audience=None,
)


class Scene:
    """Roots that come and go as the test says, and the ear of the core."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.gone: dict[str, str] = {}
        self.withdrawn: dict[str, int] = {}
        self.devices: dict[str, int] = {}
        self.breaks = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.heard: asyncio.Queue[Event] = asyncio.Queue()
        self.blame = Blame(self, tasks, self.heard.put_nowait)

    def away(self, root: str) -> int:
        return self.withdrawn.get(root, 0)

    def device(self, root: str) -> int | None:
        return self.devices.get(root)

    async def why_gone(self, roots: tuple[str, ...]) -> dict[str, str]:
        await self.answers.wait()
        if self.breaks:
            raise RecursionError
        return {root: self.gone[root] for root in roots if root in self.gone}


@asynccontextmanager
async def scene() -> AsyncGenerator[Scene, None]:
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        yield Scene(tasks)


async def test_what_fails_when_a_root_is_not_there_is_the_machines_fault() -> None:
    async with scene() as here:
        here.blame.launched(GRANT)
        here.gone["Series"] = "nothing is mounted there"
        reason = "root Series went away: nothing is mounted there"
        here.blame.tell(ENDED)
        assert await here.heard.get() == structs.replace(ENDED, failure=FailureKind.NODE, reason=reason)
        for told in (
            OutputNotSealed(attempt=ATTEMPT, sentence="it wrote nothing", failure=FailureKind.PERMANENT),
            OutputNotCommitted(attempt=ATTEMPT, sentence="no folder", failure=FailureKind.INPUT),
            ProgramNotStarted(
                attempt=ATTEMPT, reason_code=ReasonCode.NOT_STARTED, sentence="no x", failure=FailureKind.INPUT
            ),
        ):
            here.blame.tell(told)
            sentence = f"{reason}; {told.sentence}"
            assert await here.heard.get() == structs.replace(told, failure=FailureKind.NODE, sentence=sentence)


async def test_so_is_what_fails_after_a_root_was_away_for_a_while() -> None:
    async with scene() as here:
        here.withdrawn["Movies"] = 3
        here.blame.launched(GRANT)
        here.withdrawn["Movies"] = 4
        here.blame.tell(ENDED)
        reason = "root Movies was away for a while"
        assert await here.heard.get() == structs.replace(ENDED, failure=FailureKind.NODE, reason=reason)


async def test_what_fails_while_all_its_roots_are_there_is_told_as_it_was() -> None:
    async with scene() as here:
        here.withdrawn["Movies"] = 3
        here.blame.launched(GRANT)
        here.gone["Music"] = "a root of others"
        here.blame.tell(ENDED)
        assert await here.heard.get() == ENDED


async def test_what_did_not_fail_and_what_needs_no_root_waits_for_no_look() -> None:
    async with scene() as here:
        here.answers.clear()
        here.gone["Movies"] = "nothing is mounted there"
        here.blame.launched(GRANT)
        well = structs.replace(ENDED, exit_code=0, failure=None)
        here.blame.tell(well)
        assert here.heard.get_nowait() == well
        here.blame.over(ATTEMPT)
        here.blame.launched(structs.replace(GRANT, needs=Needs(program="ffmpeg")))
        here.blame.tell(ENDED)
        assert here.heard.get_nowait() == ENDED


async def test_so_is_what_fails_when_a_root_lies_on_another_file_system_than_before() -> None:
    async with scene() as here:
        here.devices["Movies"] = 70
        here.blame.launched(GRANT)
        here.devices["Series"] = 71  # seen for the first time
        here.blame.tell(ENDED)
        assert await here.heard.get() == ENDED
        here.devices["Movies"] = 2
        here.blame.tell(ENDED)
        reason = "root Movies went away: another file system is in its place"
        assert await here.heard.get() == structs.replace(ENDED, failure=FailureKind.NODE, reason=reason)


async def test_a_look_that_nobody_expected_to_fail_ends_nothing_and_the_failure_is_told_as_it_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scene() as here:
        here.breaks = True
        here.blame.launched(GRANT)
        here.blame.tell(ENDED)
        assert await here.heard.get() == ENDED
        assert "RecursionError" in caplog.text


def _said(*lines: str) -> ProgramEnded:
    return structs.replace(ENDED, last_lines=lines)


@pytest.mark.parametrize(
    ("output", "said", "sentence"),
    [
        ("a/new.mkv", "$Movies/a/new.mkv: Permission denied", "$Movies/a/new.mkv cannot be written: Permission denied"),
        (
            "a/new.mkv",
            "[out#0/matroska @ 0x5] Error opening output $Movies/a/new.mkv: No such file or directory",
            "$Movies/a/new.mkv cannot be written: No such file or directory",
        ),
        ("a/%d.png", "[image2 @ 0x5] Could not open file : $Movies/a/1.png", "$Movies/a/%d.png cannot be written"),
        ("a/x.m3u8", "[hls @ 0x5] Failed to open file '$Movies/a/x0.ts'", "$Movies/a/x.m3u8 cannot be written"),
        ("a/new.mkv", "$Movies/film.mkv: Permission denied", None),
        ("a/new.mkv", "$Movies/a/newer.mkv: Permission denied", None),
        ("a/new.mkv", "$Movies/a/new.mkv: Invalid argument", None),
    ],
)
async def test_an_output_that_cannot_be_written_is_told_as_such_and_not_as_an_input(
    output: str, said: str, sentence: str | None
) -> None:
    film = (RootPath(root="Movies", path="film.mkv"),)
    written = (RootPath(root="Movies", path="a/"), output.removeprefix("a/"))
    grant = structs.replace(GRANT, args=(("-i",), film, written))
    async with scene() as here:
        here.blame.launched(grant)
        ended = _said(said, "Conversion failed!")
        here.blame.tell(ended)
        expected = (
            structs.replace(ended, failure=FailureKind.NODE, reason=f"its output {sentence}") if sentence else ended
        )
        assert await here.heard.get() == expected


async def test_the_name_of_an_input_decides_also_where_it_is_an_output_too() -> None:
    film = (RootPath(root="Movies", path="film.mkv"),)
    async with scene() as here:
        here.blame.launched(structs.replace(GRANT, args=(("-i",), film, film)))
        ended = _said("$Movies/film.mkv: No such file or directory")
        here.blame.tell(ended)
        assert await here.heard.get() == ended

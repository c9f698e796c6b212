"""A client's standard input, into real programs."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from agent.shell.stage import Client, Stage, granted, stage, until
from ffmesh_agent.core.events import ProgramEnded, ProgramStarted
from ffmesh_protocol.limits import CHUNK_BYTES, WINDOW_BYTES
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.requests import CallerSignal
from ffmesh_protocol.streams import Chunk, OutgoingStream
from ffmesh_protocol.topics import Verb
from ffmesh_warden.handle import Warden

HERE = RootPath(root="R", path="")


class Feeder(Client):
    """A client with something to read."""

    def __init__(self, here: Stage, grant: Grant) -> None:
        here.streaming.open(grant.attempt)
        super().__init__(here.streaming, grant.attempt)
        self.here = here
        self.grant = grant
        self.outgoing = OutgoingStream()
        self.sends = ("stdin",)
        here.streaming.connected(self)
        self.say_credit()

    @property
    def takes_no_more(self) -> bool:
        return self.heard is not None and Verb.STDIN in self.heard.closed

    def send(self) -> None:
        """As far as it may."""
        if self.heard is not None and Verb.STDIN in self.heard.received:
            self.outgoing.credit(self.heard.received[Verb.STDIN], self.heard.allowed[Verb.STDIN])
        for offset, content in self.outgoing.due():
            self.say(offset, content)

    def say(self, offset: int, content: bytes) -> None:
        self.here.streaming.take(Chunk(attempt=self.grant.attempt, offset=offset, content=content))

    async def feed(self, content: bytes) -> None:
        """All of it, and the end."""
        left = memoryview(content)
        while left and not self.takes_no_more:
            part = left[: self.outgoing.wants]
            self.outgoing.write(bytes(part))
            left = left[len(part) :]
            self.send()
            await asyncio.sleep(0)
        self.outgoing.end()
        while not self.takes_no_more:
            self.send()
            await asyncio.sleep(0.001)


async def begun(here: Stage, *line: str, cwd: RootPath | None = None) -> Feeder:
    grant = granted(*line, kind=JobKind.INTERACTIVE, cwd=cwd)
    client = Feeder(here, grant)
    here.launch(grant)
    await here.heard(ProgramStarted)
    return client


async def test_a_program_reads_what_its_client_sends_and_then_the_end(warden: Warden, tmp_path: Path) -> None:
    content = os.urandom(20_000_003)
    async with stage(warden, tmp_path) as here:
        client = await begun(here, "cat")
        await client.feed(content)
        assert (await here.heard(ProgramEnded)).exit_code == 0
        await client.until_complete()
        assert client.got[Verb.STDOUT] == content


async def test_before_the_program_runs_the_client_is_promised_nothing(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        client = Feeder(here, granted("cat", kind=JobKind.INTERACTIVE))
        here.streaming.beat()
        assert client.heard is None


async def test_a_client_that_sends_nothing_leaves_its_program_at_the_end_of_its_input(
    warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("cat", kind=JobKind.INTERACTIVE)
        here.streaming.open(grant.attempt)
        Client(here.streaming, grant.attempt).say_credit()
        assert (await here.ended(grant)).exit_code == 0


async def test_what_is_repeated_or_comes_too_early_is_read_once_and_in_order(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        client = await begun(here, "cat")
        for offset, content in ((3, b"def"), (0, b"abc"), (0, b"abc"), (1, b"bcde"), (5, b"f"), (3, b"def"), (6, b"")):
            client.say(offset, content)
        await here.heard(ProgramEnded)
        await client.until_complete()
        assert client.got[Verb.STDOUT] == b"abcdef"


async def test_a_program_that_does_not_read_holds_its_client_and_little_waits_here(
    warden: Warden, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        client = await begun(here, "sh", "-c", "read go <go; head -c 1000000000", cwd=HERE)
        for number in range(3 * WINDOW_BYTES // CHUNK_BYTES):
            client.say(number * CHUNK_BYTES, bytes(CHUNK_BYTES))
        here.streaming.beat()
        assert client.heard is not None
        assert client.heard.allowed[Verb.STDIN] < WINDOW_BYTES + 1_000_000
        assert client.heard.received[Verb.STDIN] <= client.heard.allowed[Verb.STDIN]
        assert here.streaming.kept_bytes <= WINDOW_BYTES
        before = client.heard.allowed[Verb.STDIN]
        await asyncio.to_thread((tmp_path / "go").write_text, "go\n")
        await until(lambda: client.heard is not None and client.heard.allowed[Verb.STDIN] > before)
        here.programs.kill(client.grant.attempt)
        await here.heard(ProgramEnded)


async def test_a_program_that_closes_its_input_is_told_of_at_once_and_lives_on(warden: Warden, tmp_path: Path) -> None:
    """Also when nobody has sent anything, so that nothing could fail."""
    os.mkfifo(tmp_path / "go")
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        client = await begun(here, "sh", "-c", "exec <&-; read go <go; exit 5", cwd=HERE)
        await until(lambda: client.takes_no_more)
        client.heard = None
        client.say(0, b"too late")
        await until(lambda: client.takes_no_more)  # told again, to who has not heard it
        await asyncio.to_thread((tmp_path / "go").write_text, "go\n")
        assert (await here.heard(ProgramEnded)).exit_code == 5


async def test_a_program_that_ends_takes_no_more(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        client = await begun(here, "true")
        await here.heard(ProgramEnded)
        await until(lambda: client.takes_no_more)
        assert here.streaming.kept_bytes == 0


async def test_a_new_connection_and_each_beat_say_how_far_the_client_may_go(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        client = await begun(here, "cat")
        client.heard = None
        here.streaming.beat()
        assert client.heard is not None
        client.heard = None
        here.streaming.disconnected()
        here.streaming.beat()
        assert client.heard is None
        here.streaming.connected(client)
        assert client.heard is not None
        here.streaming.close(client.grant.attempt)
        here.programs.kill(client.grant.attempt)
        await here.heard(ProgramEnded)


async def test_the_clients_keys_and_ours_go_into_one_pipe(warden: Warden, tmp_path: Path) -> None:
    """ffmpeg answers the one and ends at the other, also after its client's input has ended."""
    async with stage(warden, tmp_path) as here:
        line = ("-y", "-re", "-f", "lavfi", "-i", "testsrc=s=64x64:r=10", "-f", "null", "-")
        client = await begun(here, "ffmpeg", *line)
        client.say(0, b"?")
        await client.until_got(Verb.STDERR, b"q      quit")
        client.say(1, b"")
        await until(lambda: client.takes_no_more)
        here.programs.quit(client.grant.attempt)
        assert (await here.heard(ProgramEnded)).exit_code == 0
        assert b"[q] command received" in client.got[Verb.STDERR]


async def test_a_reader_that_is_gone_breaks_the_programs_pipe(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        client = await begun(here, "yes")
        client.closed = ("stdout",)
        client.say_credit()
        assert (await here.heard(ProgramEnded)).signal == signal.SIGPIPE


async def test_a_reader_that_is_gone_is_found_out_only_by_who_writes(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        client = await begun(here, "sh", "-c", "read line; echo error >&2; echo out; exit 3")
        client.closed = ("stdout",)
        client.say_credit()
        client.say(0, b"go on\n")
        ended = await here.heard(ProgramEnded)
        assert (ended.exit_code, ended.signal, ended.lengths.stdout) == (None, signal.SIGPIPE, 0)
        assert client.got[Verb.STDERR] == b"error\n"


@pytest.mark.parametrize("order", ["quit", "terminate"])
async def test_a_program_that_its_caller_has_stopped_still_ends_when_it_is_told(
    order: str, warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        line = ("-y", "-re", "-f", "lavfi", "-i", "testsrc=s=64x64:r=10", "-f", "null", "-")
        client = await begun(here, "ffmpeg", *line)
        await client.until_got(Verb.STDERR, b"frame=")
        here.programs.pass_on(client.grant.attempt, [CallerSignal.STOP])
        getattr(here.programs, order)(client.grant.attempt)
        assert (await here.heard(ProgramEnded)).exit_code == {"quit": 0, "terminate": 255}[order]


async def test_a_signal_for_a_program_that_is_starting_reaches_it_when_it_has(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("sleep", "1000", kind=JobKind.INTERACTIVE)
        here.launch(grant)
        here.programs.pass_on(grant.attempt, [CallerSignal.HUP])
        assert (await here.heard(ProgramEnded)).signal == signal.SIGHUP

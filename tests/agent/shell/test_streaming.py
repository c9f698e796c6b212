import asyncio
import hashlib
import os
from collections import deque
from pathlib import Path

from agent.shell.stage import Client, granted, stage, until
from ffmesh_agent.core.events import ProgramEnded, ProgramStarted
from ffmesh_agent.shell.streaming import PATIENCE_BEATS
from ffmesh_protocol.limits import WINDOW_BYTES
from ffmesh_protocol.media import RootPath
from ffmesh_protocol.messages.jobs import JobKind
from ffmesh_protocol.topics import Verb
from ffmesh_warden.handle import Warden

HERE = RootPath(root="R", path="")
PIPES = 2 * 256 * 1024
"""What stdout's and stderr's pipes hold at most."""


async def test_fifty_megabytes_arrive_as_they_were_written(warden: Warden, tmp_path: Path) -> None:
    content = os.urandom(1_000_003) * 50
    (tmp_path / "big").write_bytes(content)
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant = granted("sh", "-c", "cat big; cat big >&2", kind=JobKind.INTERACTIVE, cwd=HERE)
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        here.streaming.connected(client)
        client.say_credit()
        ended = await here.ended(grant)
        assert (ended.lengths.stdout, ended.lengths.stderr) == (len(content), len(content))
        await client.until_complete()
        expected = hashlib.sha256(content).digest()
        assert hashlib.sha256(client.got[Verb.STDOUT]).digest() == expected
        assert hashlib.sha256(client.got[Verb.STDERR]).digest() == expected


async def test_little_goes_out_at_once_while_the_program_lives_on(warden: Warden, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "wait")
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        script = "printf a; printf b >&2; cat wait"
        grant = granted("sh", "-c", script, kind=JobKind.INTERACTIVE, cwd=HERE)
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        here.streaming.connected(client)
        client.say_credit()
        here.launch(grant)
        await client.until_got(Verb.STDOUT, b"a")
        await client.until_got(Verb.STDERR, b"b")
        await asyncio.to_thread((tmp_path / "wait").write_bytes, b"c")
        await client.until_complete()
        assert client.got[Verb.STDOUT] == b"ac"


async def test_a_reader_that_stops_stops_the_program_and_memory_stays_bounded(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("yes", kind=JobKind.INTERACTIVE)
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        client.reads = False
        here.streaming.connected(client)
        client.say_credit()
        here.launch(grant)
        await here.heard(ProgramStarted)
        await until(lambda: here.streaming.kept_bytes >= WINDOW_BYTES)
        here.programs.kill(grant.attempt)
        ended = await here.heard(ProgramEnded)
        assert client.streams[Verb.STDOUT].received == WINDOW_BYTES
        assert ended.lengths.stdout <= 2 * WINDOW_BYTES + PIPES
        assert here.streaming.kept_bytes <= WINDOW_BYTES + PIPES
        # What was written and not read by then is still to be had.
        client.read_all()
        await client.until_complete()
        assert len(client.got[Verb.STDOUT]) == ended.lengths.stdout


async def test_without_any_credit_no_byte_is_sent(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("sh", "-c", "echo out", kind=JobKind.INTERACTIVE)
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        here.streaming.connected(client)
        await here.ended(grant)
        assert client.got[Verb.STDOUT] == b""
        client.say_credit()
        await client.until_complete()
        assert client.got[Verb.STDOUT] == b"out\n"


async def test_what_was_lost_is_sent_again_when_the_client_stands_still(warden: Warden, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "big").write_bytes(content)
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant = granted("cat", "big", kind=JobKind.INTERACTIVE, cwd=HERE)
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        client.lose = deque([False, True, False, True, True])
        here.streaming.connected(client)
        client.say_credit()
        await here.ended(grant)
        async with asyncio.timeout(20):
            while not all(stream.complete for stream in client.streams.values()):
                here.streaming.beat()
                await asyncio.sleep(0)
        assert client.lost == 3
        assert client.got[Verb.STDOUT] == content


async def test_a_new_connection_begins_where_the_client_is(warden: Warden, tmp_path: Path) -> None:
    content = os.urandom(2_000_000)
    (tmp_path / "big").write_bytes(content)
    async with stage(warden, tmp_path / "home", {"R": str(tmp_path)}) as here:
        grant = granted("cat", "big", kind=JobKind.INTERACTIVE, cwd=HERE)
        here.streaming.open(grant.attempt)
        deaf = Client(here.streaming, grant.attempt)
        deaf.lose = deque([True] * 1000)
        here.streaming.connected(deaf)
        deaf.say_credit()
        await here.ended(grant)
        here.streaming.disconnected()
        client = Client(here.streaming, grant.attempt)
        here.streaming.connected(client)
        await client.until_complete()
        assert client.got[Verb.STDOUT] == content


async def test_closed_streams_are_drained_and_the_lengths_are_still_the_programs(
    warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("sh", "-c", "yes | head -c 30000000", kind=JobKind.INTERACTIVE)
        here.streaming.open(grant.attempt)
        here.launch(grant)
        await here.heard(ProgramStarted)
        await until(lambda: here.streaming.kept_bytes >= WINDOW_BYTES)
        here.streaming.close(grant.attempt)
        assert (await here.heard(ProgramEnded)).lengths.stdout == 30_000_000
        assert here.streaming.kept_bytes == 0


async def test_a_network_that_takes_nothing_is_not_piled_upon(warden: Warden, tmp_path: Path) -> None:
    async with stage(warden, tmp_path) as here:
        grant = granted("yes", kind=JobKind.INTERACTIVE)
        here.streaming.open(grant.attempt)
        client = Client(here.streaming, grant.attempt)
        client.open.clear()
        client.unacknowledged_bytes = 10_000_000
        here.streaming.connected(client)
        client.say_credit()
        here.launch(grant)
        await here.heard(ProgramStarted)
        await until(lambda: here.streaming.kept_bytes >= WINDOW_BYTES)
        for _ in range(PATIENCE_BEATS * 4):
            here.streaming.beat()
        assert client.posted == 0
        assert here.streaming.kept_bytes <= 2 * WINDOW_BYTES
        here.programs.kill(grant.attempt)
        await here.heard(ProgramEnded)


async def test_credit_for_an_attempt_or_a_stream_that_is_not_open_changes_nothing(
    warden: Warden, tmp_path: Path
) -> None:
    async with stage(warden, tmp_path) as here:
        Client(here.streaming, granted("true").attempt).say_credit()
        here.streaming.close("nobody's")
        here.streaming.beat()

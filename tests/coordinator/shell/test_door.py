"""A line of JSON in, a line of JSON out, for processes of the same user."""

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ffmesh_coordinator.shell import door
from ffmesh_coordinator.shell.errands import Add, Answer, Errand, IsReady, List, Listed, Ready, Remove, Status
from ffmesh_coordinator.shell.errors import EnrolmentRefused, NotAnswered
from ffmesh_protocol.errors import BadName, FfmeshError

SYSTEM_PYTHON = shutil.which("python3", path="/usr/bin:/bin")


class House:
    """Answers as it is told, and remembers who waits."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()

    async def answer(self, errand: Errand) -> Answer:
        match errand:
            case Ready():
                self.waiting.set()
                try:
                    await self.opened.wait()
                except asyncio.CancelledError:
                    self.left.set()
                    raise
                return IsReady()
            case List():
                return Listed(principals=())
            case Add():
                raise BadName("no such name")
            case Remove():
                raise EnrolmentRefused("nobody")
            case _:
                raise FfmeshError("something else")


@asynccontextmanager
async def open_house(folder: Path) -> AsyncGenerator[House, None]:
    house = House()
    with door.listening(folder) as sock:
        async with asyncio.TaskGroup() as group:
            receiving = group.create_task(door.receive_visitors(sock, house.answer))
            yield house
            receiving.cancel()


@pytest.fixture
def folder() -> Generator[Path, None, None]:
    """Deeper than the address of a Unix socket may be long, and with all that a path may hold."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "a folder with spaces", "größer", "x" * 120, "run")
        folder.mkdir(parents=True)
        yield folder


def said(errand: dict[str, Any]) -> bytes:
    return json.dumps(errand).encode() + b"\n"


@asynccontextmanager
async def visit(folder: Path) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter], None]:
    descriptor = os.open(folder, os.O_DIRECTORY)
    reader, writer = await asyncio.open_unix_connection(f"/proc/self/fd/{descriptor}/coordinator.sock")
    os.close(descriptor)
    try:
        async with asyncio.timeout(30):
            yield reader, writer
    finally:
        writer.close()


async def test_a_visitor_may_ask_many_things(folder: Path) -> None:
    async with open_house(folder), visit(folder) as (reader, writer):
        writer.write(said({"do": "list"}) + said({"do": "list"}))
        for _ in range(2):
            assert json.loads(await reader.readline()) == {"ok": True, "principals": []}
        writer.write(said({"do": "list", "later": "fields are ignored"}))
        assert json.loads(await reader.readline()) == {"ok": True, "principals": []}


@pytest.mark.parametrize(
    ("errand", "code"),
    [
        ({"do": "add", "name": "x", "role": "agent"}, 2),
        ({"do": "remove", "name": "x"}, 1),
        ({"do": "status"}, 1),
        ({"do": "nonsense"}, 2),
        ({"name": "x"}, 2),
        ({"do": "add", "name": 5, "role": "agent"}, 2),
    ],
)
async def test_what_cannot_be_done_is_answered_with_a_sentence_and_an_exit_code(
    folder: Path, errand: dict[str, Any], code: int
) -> None:
    async with open_house(folder), visit(folder) as (reader, writer):
        writer.write(said(errand))
        answer = json.loads(await reader.readline())
        assert (answer["ok"], answer["exit"]) == (False, code)
        assert answer["error"]


@pytest.mark.parametrize("line", [b"\n", b"no json\n", b"[]\n", b'"\xff"\n', b"{" * 10_000 + b"\n"])
async def test_nonsense_is_answered_and_the_next_question_too(folder: Path, line: bytes) -> None:
    async with open_house(folder), visit(folder) as (reader, writer):
        writer.write(line + said({"do": "list"}))
        assert json.loads(await reader.readline())["exit"] == 2
        assert json.loads(await reader.readline())["ok"]


async def test_a_visitor_who_says_too_much_is_shown_out_and_others_are_not(folder: Path) -> None:
    async with open_house(folder), visit(folder) as (reader, writer):
        writer.write(b"x" * (2 * door.LINE_BYTES))
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        assert await door.asked(folder, List()) is not None


async def test_who_waits_is_answered_when_it_is_time_and_does_not_hold_up_others(folder: Path) -> None:
    async with open_house(folder) as house, visit(folder) as (reader, writer):
        writer.write(said({"do": "ready", "agents": ["pi"]}))
        await house.waiting.wait()
        assert json.loads(await door.asked(folder, List()) or b"")["ok"]
        house.opened.set()
        assert json.loads(await reader.readline()) == {"ok": True}


async def test_who_has_nothing_more_to_ask_still_gets_the_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LOOK_AFTER_THEM", 0.001)
    async with open_house(folder) as house, visit(folder) as (reader, writer):
        writer.write(said({"do": "ready"}))
        writer.write_eof()
        await house.waiting.wait()
        asyncio.get_running_loop().call_later(0.05, house.opened.set)
        assert json.loads(await reader.readline()) == {"ok": True}


async def test_nobody_waits_for_a_visitor_who_has_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LOOK_AFTER_THEM", 0.001)
    async with open_house(folder) as house:
        async with visit(folder) as (_, writer):
            writer.write(said({"do": "ready"}))
            await house.waiting.wait()
        async with asyncio.timeout(30):
            await house.left.wait()
        assert await door.asked(folder, List()) is not None


async def test_the_socket_is_for_its_owner_alone_and_goes_with_the_house(folder: Path) -> None:
    async with open_house(folder):
        mode = (folder / door.NAME).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not (folder / door.NAME).exists()


async def test_a_socket_that_a_killed_coordinator_has_left_is_replaced(folder: Path) -> None:
    with door.address(folder) as address, socket.socket(socket.AF_UNIX) as left:
        left.bind(address)
    assert await door.asked(folder, List()) is None, "nobody is there"
    async with open_house(folder):
        assert await door.asked(folder, List()) is not None


async def test_nobody_is_at_home_where_there_is_no_socket(folder: Path) -> None:
    assert await door.asked(folder, Status()) is None
    assert await door.asked(folder / "missing", Status()) is None


async def test_a_coordinator_that_goes_away_over_a_question_is_no_answer(folder: Path) -> None:
    with door.listening(folder) as sock:

        async def leave() -> None:
            visitor, _ = await asyncio.get_running_loop().sock_accept(sock)
            visitor.close()

        async with asyncio.TaskGroup() as group:
            group.create_task(leave())
            with pytest.raises(NotAnswered):
                await door.asked(folder, List())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as somebody else")
@pytest.mark.skipif(SYSTEM_PYTHON is None, reason="nobody else may be able to start this Python")
async def test_a_process_of_another_user_is_not_let_in() -> None:
    assert SYSTEM_PYTHON is not None
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        async with open_house(folder):
            folder.chmod(0o755)
            (folder / door.NAME).chmod(0o666)  # even then
            ask = """
import socket, sys
with socket.socket(socket.AF_UNIX) as visitor:
    visitor.connect(sys.argv[1])
    try:
        visitor.sendall(b"{}\\n")
        print(visitor.recv(9))
    except ConnectionError:
        print(b"")
"""
            stranger = await asyncio.create_subprocess_exec(
                SYSTEM_PYTHON, "-I", "-c", ask, folder / door.NAME, user=65534, stdout=subprocess.PIPE
            )
            output, _ = await stranger.communicate()
            assert output == b"b''\n"


async def test_without_proc_the_door_is_found_by_its_plain_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS, which is not here."""
    with tempfile.TemporaryDirectory() as top, monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "darwin")
        with door.address(Path(top)) as name:
            assert name == f"{top}/coordinator.sock"
        async with open_house(Path(top)):
            line = await door.asked(Path(top), List())
    assert line is not None
    assert json.loads(line)["ok"]

"""A disk that does not answer holds up nobody who calls, and while it is asked the caller is heard."""

import asyncio
import base64
import os
import signal
import socket
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from ffmesh_client.config import BrokerPlace, ClientConfig
from ffmesh_client.shim import orders
from ffmesh_client.shim.answering import Line
from ffmesh_client.shim.attending import Killed, RunHere
from ffmesh_client.shim.desk import Desk
from ffmesh_client.shim.ordering import Order
from ffmesh_client.shim.orders import HANGING_MOST, Orders
from ffmesh_client.shim.wording import MAGIC, Call
from support.mounts import silent_mount

PATIENCE = 20.0
NEVER = 3600.0


@pytest.fixture
def movies(tmp_path: Path) -> Generator[Path, None, None]:
    """A root that never answers; lists in it are asked for."""
    with silent_mount(tmp_path / "movies"):
        yield tmp_path / "movies"


def config(movies: Path) -> ClientConfig:
    roots = {"Movies": str(movies), "Music": str(movies.parent)}
    return ClientConfig(name="me", secret=bytes(32), broker=BrokerPlace(host="127.0.0.1"), roots=roots)


def call(movies: Path, name: str) -> Call:
    """From a folder that lies under a root by its letters: where it really is, the disk is not asked."""
    words = ("-i", f"{movies}/{name}", f"{movies}/out.mkv")
    folder = str(movies.parent)
    return Call(umask=0o22, open=(), folder=folder, real="ffmpeg", name="ffmpeg", environment={}, arguments=words)


def asking(movies: Path) -> Call:
    """What is in a list."""
    return call(movies, "list.m3u8")


async def test_a_root_that_does_not_answer_is_named_as_the_reason_to_run_here(
    movies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "DISK_SECONDS", 0.1)
    assert await Orders().order(asking(movies), config(movies)) == RunHere(reason="Movies did not answer")


async def test_who_asks_nothing_of_a_dead_disk_goes_to_the_mesh(movies: Path) -> None:
    assert isinstance(await Orders().order(call(movies, "in.mkv"), config(movies)), Order)


async def test_a_signal_is_heard_while_the_disk_is_asked(movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "DISK_SECONDS", NEVER)
    asked_to_end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        ordering = tasks.create_task(Orders().order(asking(movies), config(movies), asked_to_end), name="order")
        asked_to_end.set_result(signal.SIGTERM)
    assert ordering.result() == Killed(signal=signal.SIGTERM)


async def test_one_dead_disk_costs_no_more_than_some_threads(movies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "DISK_SECONDS", 0.01)
    before, desk = threading.active_count(), Orders()
    for _ in range(HANGING_MOST + 5):
        assert await desk.order(asking(movies), config(movies)) == RunHere(reason="Movies did not answer")
    assert threading.active_count() - before <= HANGING_MOST


async def test_once_the_disk_answers_again_the_mesh_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "DISK_SECONDS", 0.01)
    desk, movies = Orders(), tmp_path / "movies"
    with silent_mount(movies):
        for _ in range(HANGING_MOST):
            await desk.order(asking(movies), config(movies))
    monkeypatch.setattr(orders, "DISK_SECONDS", NEVER)
    async with asyncio.timeout(PATIENCE):
        while not isinstance(await desk.order(asking(movies), config(movies)), Order):  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # threads that come back set no events of ours


async def test_a_caller_that_dies_while_the_disk_is_asked_is_missed_at_once(
    movies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "DISK_SECONDS", NEVER)
    file = tmp_path / "client.toml"
    secret = base64.b64encode(bytes(32)).decode()
    file.write_text(f'name = "me"\nsecret = "{secret}"\n[broker]\nhost = "127.0.0.1"\n[roots]\nMovies = "{movies}"\n')
    ours, theirs = socket.socketpair()
    ours.sendall(worded(asking(movies)))
    ours.setblocking(False)

    async def dies() -> None:
        assert await asyncio.get_running_loop().sock_recv(ours, 100) == b"w\n"
        ours.close()

    with theirs:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            tasks.create_task(dies(), name="caller")
            with pytest.raises(ConnectionResetError):
                await Desk(str(file)).answer(Line(theirs))


def worded(call: Call) -> bytes:
    """As the front says it."""
    head = ["18", "", call.folder, call.real, call.name, "0"]
    body = b"\0".join(map(os.fsencode, (*head, *call.arguments)))
    return MAGIC + b"%d\n" % len(body) + body

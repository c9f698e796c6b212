"""What dialling promises besides a socket: it can be given up, also by a process that exits."""

import asyncio
import socket
import sys
import time

import pytest

from ffmesh_protocol import dialling
from ffmesh_protocol.dialling import dialled

Found = list[tuple[socket.AddressFamily, tuple[str, int]]]


async def test_an_address_that_refuses_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        where = listener.getsockname()

        async def both(_host: str, _port: int) -> Found:
            return [(socket.AF_INET, deaf.getsockname()), (socket.AF_INET, where)]

        monkeypatch.setattr(dialling, "_looked_up", both)
        with await dialled("two addresses", 1883, seconds=5) as sock:
            assert sock.getpeername() == where


async def test_when_every_address_refuses_the_last_refusal_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(_host: str, _port: int) -> Found:
        return []

    monkeypatch.setattr(dialling, "_looked_up", none)
    with pytest.raises(OSError, match="has no address"):
        await dialled("nobody", 1883, seconds=5)


async def test_a_dialler_that_reaches_itself_has_reached_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        itself = probe.getsockname()
    plain = socket.socket

    def bound_to_where_it_dials(*args: int) -> socket.socket:
        sock = plain(*args)
        sock.bind(itself)
        return sock

    monkeypatch.setattr(socket, "socket", bound_to_where_it_dials)
    with pytest.raises(ConnectionRefusedError):
        await dialled(*itself, seconds=5)


STUCK = """
import asyncio, socket, time
from ffmesh_protocol.dialling import dialled

socket.getaddrinfo = lambda *args, **kwargs: time.sleep(60)

async def main():
    try:
        async with asyncio.timeout(0.05):
            await dialled("slow.example", 1883, seconds=30)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""


async def test_a_name_server_that_does_not_answer_holds_no_process_back() -> None:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STUCK, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert (output, process.returncode) == (b"given up\n", 0)
    assert time.monotonic() - began < 30

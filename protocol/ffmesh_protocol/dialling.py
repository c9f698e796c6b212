"""A TCP connection that can be given up at any moment, also by a process that wants to exit."""

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import Any, TypeAlias

_Addresses: TypeAlias = "list[tuple[socket.AddressFamily, Any]]"


async def dialled(host: str, port: int, *, seconds: float) -> socket.socket:
    """A non-blocking socket, connected to the first address of the host that answers; or `OSError`.

    Each address has an equal share of the time, so that a broken IPv6 does not use up all of it.
    """
    addresses = await _looked_up(host, port)
    failure = OSError(f"the name {host} has no address")
    for family, address in addresses:
        try:
            async with asyncio.timeout(seconds / len(addresses)):
                return await _connected(family, address)
        except OSError as error:  # a TimeoutError is one
            failure = error
    raise failure


async def _connected(family: socket.AddressFamily, address: Any) -> socket.socket:  # noqa: ANN401 - one for each family
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        _check_not_itself(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _check_not_itself(sock: socket.socket) -> None:
    # Who dials a free port of their own machine often enough is given that very port to dial from, and gets through.
    if sock.getsockname() == sock.getpeername():
        raise ConnectionRefusedError("nobody listens there")


async def _looked_up(host: str, port: int) -> _Addresses:
    """What the name stands for."""
    # asyncio would ask in a thread that the interpreter waits for at its exit: half a minute without a name server.
    answer: Future[_Addresses] = Future()

    def ask() -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            answer.set_exception(error)
        except UnicodeError:
            answer.set_exception(OSError(f"{host!r} is no host name"))
        else:
            answer.set_result([(family, address) for family, _, _, _, address in found])

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    return await asyncio.wrap_future(answer)

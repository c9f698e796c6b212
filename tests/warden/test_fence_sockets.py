"""Whom a program behind a fence can talk to: nobody; with `network`, the internet and no service of this machine's."""

import errno
import os
import signal
import socket
import struct
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from ffmesh_warden import calls, landlock
from ffmesh_warden.errors import NotStarted
from ffmesh_warden.handle import Warden
from warden.fenced import KINDS, Place

pytestmark = pytest.mark.skipif(not calls.can_be_limited(), reason="there is no filter for this processor")

x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the 32-bit calls of x86-64 are tried")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, warden: Warden, tmp_path: Path) -> Place:
    return Place.made(warden, tmp_path, request.param)


@dataclass(frozen=True)
class Ears:
    """Sockets outside of the fence, one of each kind."""

    tcp: socket.socket
    udp: socket.socket
    stream: socket.socket
    datagram: socket.socket
    abstract: socket.socket

    def heard(self) -> list[str]:
        """Whom somebody has reached."""
        return [name for name in self.__dataclass_fields__ if _heard(getattr(self, name))]


def _heard(ear: socket.socket) -> bool:
    ear.setblocking(False)
    try:
        if ear.type == socket.SOCK_STREAM:
            ear.accept()[0].close()
        else:
            ear.recv(100)
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def ears(place: Place) -> Generator[Ears, None, None]:
    with ExitStack() as stack:
        tcp, udp = (
            stack.enter_context(socket.socket(socket.AF_INET, kind)) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)
        )
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        stream, datagram, abstract = (
            stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_DGRAM)
        )
        # Within the fence, as a daemon's socket in a user's folder would be.
        stream.bind(f"{place.writable}/stream")
        datagram.bind(f"{place.writable}/datagram")
        abstract.bind(f"\0ffmesh-{os.getpid()}")
        tcp.listen()
        stream.listen()
        yield Ears(tcp, udp, stream, datagram, abstract)


def _calls(ears: Ears, place: Place) -> dict[str, str]:
    """Each way to say something to one of the ears."""
    tcp, udp = ears.tcp.getsockname(), ears.udp.getsockname()
    datagram = "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)"
    return {
        "tcp": f"socket.create_connection({tcp}, timeout=5)",
        "udp": f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {udp})",
        "stream": f"socket.socket(socket.AF_UNIX).connect('{place.writable}/stream')",
        "datagram": f"{datagram}.sendto(b'x', '{place.writable}/datagram')",
        "abstract": f"{datagram}.sendto(b'x', {ears.abstract.getsockname()!r})",
    }


_PAIR = "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', '{}/datagram')"
_RING = """
import ctypes
ring = ctypes.CDLL(None, use_errno=True).syscall(425, 1, ctypes.create_string_buffer(120))
if ring < 0: raise OSError(ctypes.get_errno(), 'ring')
"""


async def test_without_the_fence_all_of_it_would_be_heard(place: Place, ears: Ears) -> None:
    # Else the tests below would show nothing.
    tried = await place.tried(_calls(ears, place) | {"pair": _PAIR.format(place.writable)}, free=True)
    assert set(tried.values()) == {"done"}
    assert ears.heard() == ["tcp", "udp", "stream", "datagram", "abstract"]


async def test_a_program_without_network_reaches_nobody(place: Place, ears: Ears) -> None:
    tried = await place.tried(_calls(ears, place) | {"pair": _PAIR.format(place.writable)})
    assert (set(tried.values()), ears.heard()) == ({"EACCES"}, [])


async def test_a_program_without_network_can_be_reached_by_nobody(place: Place) -> None:
    families = ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG")
    attempts = {name: f"socket.socket(socket.{name}).listen()" for name in families}
    attempts["raw"] = "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"
    assert set((await place.tried(attempts)).values()) == {"EACCES"}


async def test_pairs_of_its_own_stay(place: Place) -> None:
    await place.allowed(
        {
            "stream": "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'",
            "packets in order": "socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)",
        }
    )


async def test_no_ring_makes_a_socket(place: Place) -> None:
    for network in (False, True):
        assert await place.but(network=network).tried({"ring": _RING}) == {"ring": "ENOSYS"}


async def test_a_program_with_network_reaches_the_internet_and_no_service_of_this_machine(
    place: Place, ears: Ears
) -> None:
    open_wide = place.but(network=True, read=(*place.fence.read, b"/etc/hosts", b"/etc/nsswitch.conf"))
    tried = await open_wide.tried(
        _calls(ears, place)
        | {
            "listens": "socket.create_server(('127.0.0.1', 0))",
            "looks a name up": "socket.getaddrinfo('localhost', 80)",
            "the machine's addresses": "assert socket.if_nameindex()",
            "pair": _PAIR.format(place.writable),
            "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
            "another netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)",
            "ether": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        }
    )
    opened = {"tcp", "udp", "listens", "looks a name up", "the machine's addresses"}
    assert {name for name, came in tried.items() if came == "done"} == opened
    assert {came for came in tried.values() if came != "done"} == {"EACCES"}
    assert ears.heard() == ["tcp", "udp"]


def _i386(call: int, first: int) -> bytes:
    """A program of 32 bits that makes one system call and ends with what came of it, without its sign."""
    code = b"\xb8" + struct.pack("<I", call) + b"\xbb" + struct.pack("<I", first)  # mov eax, mov ebx
    code += b"\xb9\x01\x00\x00\x00\x31\xd2"  # mov ecx, 1; xor edx, edx
    code += b"\x89\xe1" if call == _SOCKETCALL else b""  # mov ecx, esp
    code = b"\x6a\x00\x6a\x01\x6a\x02" + code  # push 0, 1, 2: what the old call finds at the stack's top
    code += b"\xcd\x80\x89\xc3\xf7\xdb\xb8\x01\x00\x00\x00\xcd\x80"  # int 0x80; ebx = -eax; exit
    start = 0x08048000
    header = struct.pack(
        "<4sBBBxxxxxxxxxHHIIIIIHHHHHH", b"\x7fELF", 1, 1, 1, 2, 3, 1, start + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0
    )
    return header + struct.pack("<IIIIIIII", 1, 0, start, start, 84 + len(code), 84 + len(code), 5, 4096) + code


_SOCKETCALL = 102


@x86_64
@pytest.mark.parametrize(("call", "first"), [(359, 2), (_SOCKETCALL, 1)])
async def test_the_calls_of_32_bits_are_no_way_around(place: Place, call: int, first: int) -> None:
    program = place.writable / "program"
    program.write_bytes(_i386(call, first))
    program.chmod(0o755)
    try:
        free, _ = await place.ran([program], free=True)
    except NotStarted as error:
        pytest.skip(f"no programs of 32 bits here: {error}")
    if (free.exit_code or 0) < 128:
        pytest.skip("the kernel does not heed programs of 32 bits here")
    for network in (False, True):
        end, _ = await place.but(network=network).ran([program])
        if network and call != _SOCKETCALL:
            assert (end.exit_code or 0) >= 128, "not a descriptor less its sign"
        else:
            assert end.exit_code == errno.EACCES


@x86_64
@pytest.mark.parametrize("call", [15, 94, 182, 212, 228, 271, 306, 320, 412])
async def test_the_calls_of_32_bits_change_no_modes_owners_or_dates(place: Place, call: int) -> None:
    if place.fence.kind != "landlock":
        pytest.skip("a room has nothing that they could change")
    program = place.writable / "program"
    program.write_bytes(_i386(call, 2))
    program.chmod(0o755)
    try:
        free, _ = await place.ran([program], free=True)
    except NotStarted as error:
        pytest.skip(f"no programs of 32 bits here: {error}")
    if free.exit_code == errno.EPERM or free.signal is not None:
        pytest.skip("the kernel does not heed programs of 32 bits here")
    assert (await place.ran([program]))[0].exit_code == errno.EPERM


@x86_64
async def test_a_call_in_the_third_language_is_not_there(place: Place) -> None:
    attempt = """
import ctypes
made = ctypes.CDLL(None, use_errno=True).syscall(0x40000000 + 41, 2, 1, 0)
if made < 0: raise OSError(ctypes.get_errno(), 'socket')
"""
    assert await place.tried({"x32": attempt}) == {"x32": "ENOSYS"}


async def test_a_program_does_not_signal_what_is_outside(place: Place) -> None:
    if place.fence.kind == "bubblewrap":
        pytest.skip("a room without Landlock hides files, not processes")
    if landlock.abi() < 6:
        pytest.skip("signals are fenced since the sixth Landlock")
    await place.refused(
        {
            "its owner": f"os.kill({os.getpid()}, {int(signal.SIGCONT)})",
            "its warden": f"os.kill({place.warden.pid}, 0)",
        }
    )
    await place.allowed({"its own group": "os.killpg(0, 0)"})

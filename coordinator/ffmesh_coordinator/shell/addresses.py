"""Which address this machine has for others: the kernel is asked where it would send from, and nothing is sent."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

_DOCUMENTATION: Final = "192.0.2.1"
"""Stands for the world beyond the gateway, and belongs to nobody."""

_ROUTES: Final = Path("/proc/net/route")
_UP: Final = 0x1


def own_address() -> str:
    """The one from which it would speak to the world; where there is no way to the world, to its own network; or else
    its name."""
    for place in (_DOCUMENTATION, *_neighbours()):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((place, 9))
            except OSError:
                continue
            address = str(sock.getsockname()[0])
        if not IPv4Address(address).is_loopback:
            return address
    return socket.gethostname()


def _neighbours() -> Iterator[str]:
    """The first address of each network that this machine is in, as the kernel tells its routes."""
    try:
        lines = _ROUTES.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        if len(words) > 3 and int(words[3], 16) & _UP:
            network = IPv4Address(int.from_bytes(bytes.fromhex(words[1])[::-1]))  # in the order of the machine's bytes
            yield str(network + 1)

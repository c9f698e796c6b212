"""The Mosquitto of this machine, if the broker is on this machine."""

import socket

from ffmesh_broker.version import mosquitto_found
from ffmesh_protocol.finding import Finding


def mosquitto_here(host: str) -> list[Finding]:
    """Nothing for a broker elsewhere, whose version nobody tells."""
    return [mosquitto_found()] if _is_here(host) else []


def _is_here(host: str) -> bool:
    """An address is ours if a socket can have it."""
    try:
        for family, kind, protocol, _, place in socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM):
            with socket.socket(family, kind, protocol) as sock:
                sock.bind(place)
                return True
    except (OSError, ValueError):
        return False
    return False

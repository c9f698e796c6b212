"""Whether a broker could listen at an address here: found by trying, which is the only answer that holds.

Mosquitto says it in its log and ends; whoever starts it for a person wants to know before.
"""

import errno
import socket

from ffmesh_broker.errors import CannotListen


def one_word(address: str) -> str:
    """It stands in a line of Mosquitto's configuration, whose words end at a space."""
    if not address or not address.isprintable() or " " in address:
        raise CannotListen(f"{address!r} is no address to listen on; an IP address or a host name is")
    return address


def check_can_listen(address: str) -> None:
    """Tries each address that it stands for, at a port of the kernel's choice, as Mosquitto will; or `CannotListen`."""
    _bind(address, 0)


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens there now; `CannotListen` if nobody could."""
    try:
        _bind(address, port)
    except CannotListen as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
            return False
        raise
    return True


def _bind(address: str, port: int) -> None:
    try:
        meant = socket.getaddrinfo(
            one_word(address), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except (OSError, ValueError) as error:  # ValueError: no such name can be asked for, in the words of DNS
        raise CannotListen(f"nobody knows the address {address!r}; an IP address of this machine is one") from error
    for family, kind, protocol, _, place in meant:
        try:
            with socket.socket(family, kind, protocol) as tried:
                if family == socket.AF_INET6:
                    tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                # Else what was said a minute ago and is still on the wire would count as taken.
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(place)
        except OSError as error:
            raise CannotListen(
                f"{address} is no address of this machine ({error.strerror}); 127.0.0.1 is, and 0.0.0.0 is all it has"
            ) from error

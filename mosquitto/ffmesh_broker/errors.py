"""What can go wrong with the broker's own files and process, as a tree.

    FfmeshError
    └── BrokerFailed            there is no broker, and why; its last words are quoted
        ├── MosquittoMissing    Mosquitto is not installed
        ├── PortTaken           another program listens there already
        └── CannotListen        an address that this machine has not, or that is none

A login that cannot be one is a `BadName`, as every name is.
"""

from ffmesh_protocol.errors import FfmeshError


class BrokerFailed(FfmeshError):
    """There is no broker, and why."""


class MosquittoMissing(BrokerFailed):
    def __init__(self) -> None:
        super().__init__(
            "there is no program mosquitto in PATH, /usr/sbin or /usr/local/sbin; "
            "install it (Debian, Ubuntu, Raspberry Pi OS: apt install mosquitto)"
        )


class PortTaken(BrokerFailed):
    def __init__(self, addresses: tuple[str, ...], port: int) -> None:
        super().__init__(
            f"port {port} on {' and '.join(addresses)} is taken by another program; end that one or choose another port"
        )
        self.port = port


class CannotListen(BrokerFailed):
    """An address that this machine has not, or that is none."""

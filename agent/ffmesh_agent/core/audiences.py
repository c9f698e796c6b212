"""Who reads the streams of the interactive attempts here: which life of which client, and the keys for it."""

from ffmesh_protocol.keys import StreamKeys
from ffmesh_protocol.names import Principal
from ffmesh_protocol.wire import Told


class Reader(Told, frozen=True):
    attempt: str
    client: Principal
    life: str
    kid: int
    keys: StreamKeys


class Audiences:
    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def open(self, reader: Reader) -> None:
        self._readers[reader.attempt] = reader

    def close(self, attempt: str) -> Reader | None:
        return self._readers.pop(attempt, None)

    def get(self, attempt: str) -> Reader | None:
        return self._readers.get(attempt)

    def of(self, client: str, life: str) -> list[Reader]:
        """The streams that this life of a client reads."""
        return [reader for reader in self._readers.values() if reader.client.name == client and reader.life == life]

    def attempts(self) -> list[str]:
        return sorted(self._readers)

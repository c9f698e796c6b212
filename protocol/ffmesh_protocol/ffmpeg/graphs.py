"""A filter graph as ffmpeg reads it: its filters, the paths in their options, and whether it uses the standard streams."""

from ffmesh_protocol.ffmpeg.places import Place
from ffmesh_protocol.wire import Told


class Graph(Told, frozen=True):
    """`places` have their positions in the text that was read."""

    filters: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    writes_stdout: bool = False
    reads_stdin: bool = False
    doubt: str | None = None
    """Why it cannot be read for sure, as a sentence."""


def read_graph(text: str) -> Graph:
    raise NotImplementedError

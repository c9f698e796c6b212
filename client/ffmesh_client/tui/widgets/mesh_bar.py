"""The line at the top of every page: the mesh as a whole. On a narrow terminal what matters less is left out."""

from collections.abc import Iterator

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from ffmesh_client.tui import drawing
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.looks import Looks
from ffmesh_client.tui.model.mesh_line import MeshLine
from ffmesh_protocol.messages.presence import CoordinatorState

GAP = "   "


class MeshBar(Widget):
    DEFAULT_CSS = """
    MeshBar { height: 1; padding: 0 1; background: $surface; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def render(self) -> RenderResult:
        desk = self._desk
        return drawn(desk.fold.line(desk.clock()), desk.cluster, desk.looks, self.size.width)


def drawn(line: MeshLine, cluster: str, looks: Looks, width: int) -> Text:
    """What stands, if it fits, the first of these first."""
    right = _alive(line, looks)
    left = Text.assemble(("ffmesh ", f"bold {looks.accent}"), (cluster, looks.text))
    room = width - right.cell_len - len(GAP)
    for part in _parts(line, looks):
        if left.cell_len + len(GAP) + part.cell_len <= room:
            left = left + Text(GAP) + part
    return drawing.side_by_side(left, right, width)


def _parts(line: MeshLine, looks: Looks) -> Iterator[Text]:
    yield _count("▸", line.running, "running", looks.busy, looks)
    yield _count("○", line.queued, "queued", looks.muted, looks)
    yield _count("✓", line.succeeded, "done", looks.good, looks)
    yield _count("✗", line.failed, "failed", looks.bad, looks)
    yield Text.assemble((drawing.number(line.fps), looks.text), (" fps", looks.muted))
    yield Text.assemble((f"{line.slots_used}/{line.slots_total}", looks.text), (" slots", looks.muted))
    yield Text.assemble((f"{line.agents_online}/{line.agents_known}", looks.text), (" agents", looks.muted))


def _count(sign: str, count: int, word: str, colour: str, looks: Looks) -> Text:
    strong = colour if count else looks.muted
    return Text.assemble(
        (f"{sign} ", strong), (f"{count:,}", looks.text if count else looks.muted), (f" {word}", looks.muted)
    )


def _alive(line: MeshLine, looks: Looks) -> Text:
    if line.broker_away_since is not None:
        since = drawing.clock_of(line.broker_away_since)
        return Text(f"✗ no broker since {since}", style=f"bold {looks.bad}")
    if line.is_silent or line.coordinator in (None, CoordinatorState.OFFLINE):
        said = "silent" if line.is_silent and line.coordinator is CoordinatorState.ONLINE else "away"
        return Text(f"✗ coordinator {said}", style=f"bold {looks.bad}")
    if line.coordinator is CoordinatorState.FULL:
        return Text("✗ the coordinator's disk is full", style=f"bold {looks.bad}")
    return Text("● live", style=looks.good)

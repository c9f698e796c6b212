"""Jobs as a list: the state of each, who has it, and how far it is or why it waits."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from ffmesh_client.tui import drawing
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.drawing import fitted
from ffmesh_client.tui.looks import OF_JOB, Looks
from ffmesh_client.tui.model.job_rows import JobRow
from ffmesh_client.tui.model.job_table import Order
from ffmesh_client.tui.widgets.listing import Listing
from ffmesh_protocol.messages.jobs import JobState, Progress

STATE, AGENT, OWNER, CREATED = 12, 12, 10, 12
WIDE: Final = 110
"""From so many cells on there is room for who handed it in, and when."""

BAR: Final = 16


class JobsTable(Listing[JobRow]):
    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.order = Order.NEWEST
        self.empty = ""

    def key_of(self, item: JobRow) -> str:
        return item.id

    def can_be_marked(self, item: JobRow) -> bool:
        del item
        return True

    def nothing(self) -> str:
        return self.empty

    def head(self, width: int) -> Text:
        name = self._width_of_name(width)
        line = f"{self._title('state'):<{STATE}}{self._title('name'):<{name}}{self._title('agent'):<{AGENT}}"
        if width >= WIDE:
            line += f"{self._title('owner'):<{OWNER}}{self._title('created', Order.NEWEST):<{CREATED}}"
        return Text(f"{line}HOW FAR, OR WHY NOT")

    def _title(self, name: str, order: Order | None = None) -> str:
        return name.upper() + ("↓" if (order or name) == self.order else "")

    def _width_of_name(self, width: int) -> int:
        """Two fifths of what is left."""
        left = width - STATE - AGENT - (OWNER + CREATED if width >= WIDE else 0)
        return max(12, left * 2 // 5)

    def draw(self, item: JobRow, width: int) -> Text:
        looks = self.desk.looks
        live = self.desk.fold.run(item.id)
        state = live.state if live is not None and not item.state.is_end else item.state
        agent = (live.agent if live is not None else None) or item.agent
        sign = OF_JOB[state]
        line = fitted(Text(f"{sign.sign} {state.value}", style=sign.style(looks)), STATE)
        name = self._width_of_name(width)
        line += fitted(Text(item.name, style=looks.text), name - 1) + Text(" ")
        line += fitted(Text(agent or drawing.NOTHING, style=looks.text if agent else looks.muted), AGENT - 1)
        line.append(" ")
        if width >= WIDE:
            line += fitted(Text(item.owner, style=looks.muted), OWNER - 1) + Text(" ")
            line += fitted(Text(drawing.day_and_clock(item.created_at), style=looks.muted), CREATED)
        progress = live.progress if live is not None else item.progress
        return line + standing(item, state, progress, looks, width - line.cell_len)

    def open_in_sight(self) -> Sequence[str]:
        """Of those that are seen, the jobs that may still change."""
        top, height = int(self.scroll_offset.y), self.size.height
        return [row.id for row in self.items[top : top + height] if not row.state.is_end]


def standing(item: JobRow, state: JobState, progress: Progress, looks: Looks, width: int) -> Text:
    """How far it is, why it waits or how it ended, in so many cells at most."""
    if state in (JobState.RUNNING, JobState.GRANTED) and progress != Progress():
        words = drawing.progress_words(progress, looks)
        if words.cell_len + BAR > width:
            words = Text(drawing.percent(progress.percent).rjust(6), style=looks.text)
            words += Text(drawing.duration(progress.eta_s).rjust(9), style=looks.muted)
        return drawing.progress_bar(progress.percent, min(width - words.cell_len, 40), looks) + words
    if state is JobState.SUCCEEDED:
        return Text(f"took {_took(item)}", style=looks.muted)
    said = item.reason or _end(item)
    return fitted(Text(said, style=looks.bad if state is JobState.FAILED else looks.muted), width)


def _took(item: JobRow) -> str:
    began, ended = drawing.parsed(item.started_at), drawing.parsed(item.ended_at)
    if began is None or ended is None:
        return drawing.NOTHING
    return drawing.duration((ended - began).total_seconds())


def _end(item: JobRow) -> str:
    if item.signal is not None:
        return f"signal {item.signal}"
    return f"exit code {item.exit_code}" if item.exit_code is not None else ""

"""Fleet: every agent, what it runs, and why it takes no work."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.text import Text
from textual.widget import Widget

from ffmesh_client.tui import drawing
from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.drawing import fitted
from ffmesh_client.tui.looks import OF_AGENT, OF_JOB
from ffmesh_client.tui.model.agents import AgentLine
from ffmesh_client.tui.model.fleet import Fleet
from ffmesh_client.tui.model.runs import RunLine
from ffmesh_client.tui.pages.opening import open_agent, open_job
from ffmesh_client.tui.pages.page import Page
from ffmesh_client.tui.widgets.listing import Listing

Line: TypeAlias = AgentLine | RunLine

NAME, SLOTS, CPU, MEMORY, HEAT = 16, 14, 17, 7, 8
HOT = 80.0
"""Degrees at which a Raspberry Pi begins to slow itself down."""

NARROW = 100
"""Below this there is no room for the load of who is in trouble: what the trouble is matters more."""

WIDER = 130
"""From so many cells on there is room for longer names and a longer past."""


class FleetTable(Listing[Line]):
    """Each agent a line, and each of its jobs one below it."""

    items_say_all = True

    def key_of(self, item: Line) -> str:
        return f"agent {item.name}" if isinstance(item, AgentLine) else f"job {item.id}"

    def can_be_marked(self, item: Line) -> bool:
        del item
        return True

    def nothing(self) -> str:
        return "No agent is known: `ffmesh principal add NAME --role agent` adds one."

    def head(self, width: int) -> Text:
        name, past = self._widths(width)
        columns = (
            "AGENT".ljust(name + 2),
            "SLOTS".ljust(SLOTS),
            "CPU".ljust(past),
            "MEM".rjust(MEMORY),
            "HEAT".rjust(HEAT),
        )
        return Text("".join(columns) + "  ROOTS")

    def draw(self, item: Line, width: int) -> Text:
        return self._agent(item, width) if isinstance(item, AgentLine) else self._run(item, width)

    def _widths(self, width: int) -> tuple[int, int]:
        return (NAME, CPU) if width < WIDER else (NAME + 10, CPU + 20)

    def _agent(self, agent: AgentLine, width: int) -> Text:
        looks, (name, past) = self.desk.looks, self._widths(width)
        sign = OF_AGENT[agent.state]
        line = Text.assemble(
            (f"{sign.sign} ", sign.style(looks)), fitted(Text(agent.name, style=looks.text), name - 1), " "
        )
        if not agent.is_online:
            seen = f", last seen {drawing.day_and_clock(agent.last_seen_at)}" if agent.last_seen_at else ""
            return line + Text(f"{agent.trouble}{seen}", style=looks.muted)
        line += fitted(self._slots(agent), SLOTS - 1) + Text(" ")
        if agent.trouble is not None and width < NARROW:
            return line + self._roots(agent, width - line.cell_len)
        line += drawing.sparkline(agent.cpu, past - 7, looks)
        line += Text(drawing.percent(agent.load.cpu_percent).rjust(7), style=looks.text)
        line += Text(drawing.percent(agent.load.memory_percent).rjust(MEMORY), style=looks.text)
        heat = agent.load.temperature_c
        is_hot = heat is not None and heat >= HOT
        line += Text(drawing.number(heat, " °C").rjust(HEAT), style=looks.warning if is_hot else looks.text) + Text(
            "  "
        )
        return line + self._roots(agent, width - line.cell_len)

    def _slots(self, agent: AgentLine) -> Text:
        looks = self.desk.looks
        if len(agent.slots) == 1:
            return drawing.slots(agent.slots[0][1].used, agent.slots[0][1].total, looks)
        return Text(" ").join(
            Text.assemble((f"{kind} ", looks.muted), (f"{use.used}/{use.total}", looks.text))
            for kind, use in agent.slots
        )

    def _roots(self, agent: AgentLine, width: int) -> Text:
        """The trouble first, in words: who has one wants to know it before anything else."""
        looks = self.desk.looks
        if agent.trouble is not None:
            return fitted(Text(f"! {agent.trouble}", style=looks.warning), width)
        return fitted(Text(" ".join(name for name, _ in agent.roots), style=looks.root), width)

    def _run(self, run: RunLine, width: int) -> Text:
        looks, name = self.desk.looks, self._widths(width)[0]
        sign = OF_JOB[run.state]
        line = Text.assemble(("  └ ", looks.faint), (f"{sign.sign} ", sign.style(looks)))
        words = drawing.progress_words(run.progress, looks)
        room = width - line.cell_len - words.cell_len - 1
        title = min(max(room // 2, name), 60)
        line += fitted(Text(run.name, style=looks.text), title - 1) + Text(" ")
        return line + drawing.progress_bar(run.progress.percent, max(0, room - title), looks) + words


class FleetPage(Page):
    name_of_page = "fleet"
    search_hint = "agents, roots, jobs …"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._table = FleetTable(desk)
        self._table.add_class("body")
        self._words = ""

    def body(self) -> Iterable[Widget]:
        yield self._table

    def paint(self) -> None:
        self._table.show(_lines(self.desk.fold.fleet().having(self._words)))

    def searched(self, words: str) -> None:
        self._words = words
        self.paint()

    def subjects(self) -> Sequence[Subject]:
        table = self._table
        keys = [key for key in table.marked if any(table.key_of(item) == key for item in table.items)]
        current = table.current_key
        return [_subject(key) for key in sorted(keys) or ([current] if current is not None else [])]

    def open(self, key: str) -> None:
        subject = _subject(key)
        if subject.kind == "job":
            open_job(self, subject.name)
        else:
            open_agent(self, subject.name)

    def done_with(self) -> None:
        self._table.marked.clear()
        self._table.refresh()


def _lines(fleet: Fleet) -> list[Line]:
    lines: list[Line] = []
    for agent in fleet.agents:
        lines.append(agent)
        lines.extend(agent.runs)
    return lines


def _subject(key: str) -> Subject:
    kind, _, name = key.partition(" ")
    return Subject(kind="agent" if kind == "agent" else "job", name=name)

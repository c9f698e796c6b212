"""An agent: how it does, what works there and why the rest does not, its roots, and its last jobs."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget

from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.agent_drawn import agent_drawn
from ffmesh_client.tui.app_of import app_of
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.jobs_asked import JobsAsked
from ffmesh_client.tui.model.job_table import JobTable
from ffmesh_client.tui.model.search import Wanted
from ffmesh_client.tui.pages.job import JobPage
from ffmesh_client.tui.pages.page import Page
from ffmesh_client.tui.widgets.drawn import Drawn
from ffmesh_client.tui.widgets.info import Info
from ffmesh_client.tui.widgets.jobs_table import JobsTable
from ffmesh_protocol.errors import FfmeshError
from ffmesh_protocol.messages.capability import AgentView

REFRESH: Final = 5.0


class AgentPage(Page):
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - Textual declares it for instances
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other_half", "Jobs, or the agent", show=False),
    ]
    DEFAULT_CSS = """
    AgentPage #halves { layout: vertical; }
    AgentPage.-wide #halves { layout: horizontal; }
    AgentPage #facts { height: 3fr; width: 1fr; padding: 0 2; scrollbar-size-vertical: 1; }
    AgentPage #beside { height: 2fr; width: 1fr; border-top: solid $ffmesh-faint; }
    AgentPage.-wide #beside { height: 100%; width: 3fr; border-top: none; border-left: solid $ffmesh-faint; }
    AgentPage.-wide #facts { height: 100%; width: 2fr; }
    """

    def __init__(self, desk: Desk, agent: str, name_of_page: str) -> None:
        self.name_of_page = name_of_page  # an agent is looked at from several pages
        super().__init__(desk, beyond=agent)
        self._agent = agent
        self._view: AgentView | None = None
        self._complaint = "Asking the coordinator …"
        self._text = Drawn()
        self._jobs = JobTable()
        self._jobs.want(Wanted(agent_is=agent))
        self._list = JobsTable(desk)
        self._info = Info(desk)
        self._asked = JobsAsked(
            desk,
            self._jobs,
            in_sight=self._list.open_in_sight,
            wanted=lambda: self._list.cursor + self._list.size.height,
            changed=self.repaint,
        )

    def body(self) -> Iterable[Widget]:
        facts = VerticalScroll(self._text, id="facts")
        beside = Vertical(self._list, self._info, id="beside")
        yield Vertical(facts, beside, id="halves", classes="body")

    def focus_body(self) -> None:
        self._list.focus()

    def on_mount(self) -> None:
        super().on_mount()
        self.focus_body()
        self._ask()
        self._ask_jobs()

    def paint(self) -> None:
        self._text.show(self._drawn)
        self._list.empty = self._asked.complaint or "It has had no job that is still known."
        self._list.show(self._jobs.rows())
        more = "" if self._jobs.is_whole else ", and there may be earlier ones"
        self._info.show(f"its last jobs: {len(self._jobs.rows())}{more}")

    def _drawn(self, width: int) -> Text:
        line, looks = self.desk.fold.agent(self._agent), self.desk.looks
        drawn = agent_drawn(line, self._view, looks, width)
        return drawn if drawn.plain else Text(self._complaint, style=looks.muted)

    def subjects(self) -> Sequence[Subject]:
        job = self._list.current_key
        of_job = [Subject(kind="job", name=job)] if job is not None else []
        return [Subject(kind="agent", name=self._agent), *of_job]

    def open(self, key: str) -> None:
        _ = app_of(self).push_screen(JobPage(self.desk, key, self.name_of_page))

    def done_with(self) -> None:
        self._asked.more()

    def on_listing_near_end(self) -> None:
        if not self._jobs.is_whole:
            self._asked.more()

    def action_other_half(self) -> None:
        facts = self.query_one("#facts")
        (self._list if facts.has_focus else facts).focus()

    @work(group="agent")
    async def _ask(self) -> None:
        while True:
            try:
                self._view = await self.desk.mesh.agent(self._agent)
            except FfmeshError as error:
                self._complaint = str(error)
            self.repaint()
            await asyncio.sleep(REFRESH)

    @work(group="jobs")
    async def _ask_jobs(self) -> None:
        await self._asked.run()

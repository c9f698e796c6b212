"""A job: how far it is, what it runs and where, what was tried, and what its program says now."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import ClassVar, Final

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Log

from ffmesh_client.core.following import Remark
from ffmesh_client.following import followed
from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.app_of import app_of
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.job_drawn import job_drawn
from ffmesh_client.tui.model.command import to_paste
from ffmesh_client.tui.model.texts import one_line
from ffmesh_client.tui.pages.page import Page
from ffmesh_client.tui.widgets.drawn import Drawn
from ffmesh_client.tui.widgets.plot import Plots
from ffmesh_protocol.errors import FfmeshError
from ffmesh_protocol.messages.jobs import JobView

REFRESH: Final = 3.0
LOG_LINES: Final = 5_000


class JobPage(Page):
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012 - Textual declares it for instances
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy command"),
        Binding("l", "log", "Log alone"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]
    DEFAULT_CSS = """
    JobPage #whole { layout: vertical; }
    JobPage.-wide #whole { layout: horizontal; }
    JobPage #facts { height: 1fr; width: 1fr; padding: 0 2; scrollbar-size-vertical: 1; }
    JobPage #beside { height: 1fr; width: 1fr; border-top: solid $ffmesh-faint; }
    JobPage.-wide #beside { height: 100%; width: 3fr; border-top: none; border-left: solid $ffmesh-faint; }
    JobPage.-wide #facts { height: 100%; width: 2fr; }
    JobPage Plots { height: 5; }
    JobPage.-wide Plots { height: 30%; max-height: 16; }
    JobPage Log { height: 1fr; background: $background; padding: 0 1; scrollbar-size: 1 1; color: $ffmesh-muted; }
    JobPage.alone #facts, JobPage.alone Plots { display: none; }
    """

    def __init__(self, desk: Desk, job: str, name_of_page: str) -> None:
        self.name_of_page = name_of_page  # a job is looked at from several pages
        run = desk.fold.run(job)
        super().__init__(desk, beyond=run.name if run is not None else job)
        self._job = job
        self._view: JobView | None = None
        self._complaint = "Asking the coordinator …"
        self._changes = -1
        self._again = asyncio.Event()
        self._text = Drawn()
        self._log_lines = Log(max_lines=LOG_LINES, highlight=False)
        self._plots = Plots(desk)

    def body(self) -> Iterable[Widget]:
        facts = VerticalScroll(self._text, id="facts")
        beside = Vertical(self._plots, self._log_lines, id="beside")
        yield Vertical(facts, beside, id="whole", classes="body")

    def focus_body(self) -> None:
        self.query_one("#facts").focus()

    def on_mount(self) -> None:
        super().on_mount()
        self.focus_body()
        self._ask()
        self._follow()

    def paint(self) -> None:
        changes = self.desk.fold.changes(self._job)
        if changes != self._changes:
            self._changes = changes
            self._again.set()
        self._plots.show(self.desk.fold.points(self._job))
        self._text.show(self._drawn)

    def _drawn(self, width: int) -> Text:
        looks, view = self.desk.looks, self._view
        if view is None:
            return Text(self._complaint, style=looks.muted)
        return job_drawn(view, self.desk.fold.progress(self._job) or view.progress, looks, width)

    def subjects(self) -> Sequence[Subject]:
        return [Subject(kind="job", name=self._job)]

    def done_with(self) -> None:
        self._again.set()

    @work(group="job")
    async def _ask(self) -> None:
        """Now, at each of the coordinator's public words about it, and now and then."""
        while True:
            self._again.clear()
            try:
                self._view = await self.desk.mesh.job(self._job)
            except FfmeshError as error:
                self._complaint = str(error)
            self.paint()
            try:
                async with asyncio.timeout(REFRESH):
                    await self._again.wait()
            except TimeoutError:
                pass

    @work(group="log")
    async def _follow(self) -> None:
        lines = self._log_lines
        try:
            async with aclosing(followed(self.desk.mesh, self._job)) as news:
                async for heard in news:
                    said = [each.sentence if isinstance(each, Remark) else each.text for each in heard]
                    lines.write_lines([one_line(each) for each in said])
        except FfmeshError as error:
            lines.write_line(one_line(str(error)))

    def action_copy(self) -> None:
        if self._view is not None:
            app_of(self).copy_to_clipboard(to_paste(self._view.program, self._view.args, self.desk.roots))
            self.notify("the command line is in the clipboard, if the terminal allows it")

    def action_log(self) -> None:
        self.toggle_class("alone")
        (self._log_lines if self.has_class("alone") else self.query_one("#facts")).focus()

    def action_scroll(self, by: int) -> None:
        focused = self.focused
        if focused is not None:
            focused.scroll_relative(y=by, animate=False)

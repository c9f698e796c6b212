"""Workflows: jobs that come after each other, as trees."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from rich.text import Text
from textual import work
from textual.widget import Widget
from textual.worker import Worker

from ffmesh_client.tui import drawing
from ffmesh_client.tui.actions import Subject
from ffmesh_client.tui.desk import Desk
from ffmesh_client.tui.drawing import fitted, side_by_side
from ffmesh_client.tui.jobs_asked import JobsAsked
from ffmesh_client.tui.looks import OF_JOB
from ffmesh_client.tui.model.job_table import JobTable
from ffmesh_client.tui.model.search import Wanted
from ffmesh_client.tui.model.trees import TreeHead, TreeLine, grown
from ffmesh_client.tui.pages.opening import open_job
from ffmesh_client.tui.pages.page import Page
from ffmesh_client.tui.widgets.info import Info
from ffmesh_client.tui.widgets.jobs_table import standing
from ffmesh_client.tui.widgets.listing import Listing

Line: TypeAlias = TreeHead | TreeLine
BAR: Final = 20
DEEPEST: Final = 40
"""Cells of branches. A chain goes on below that without them."""


class WorkflowsTable(Listing[Line]):
    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.empty = ""

    def key_of(self, item: Line) -> str:
        return f"workflow {item.workflow}" if isinstance(item, TreeHead) else item.row.id

    def can_be_marked(self, item: Line) -> bool:
        return isinstance(item, TreeLine)

    def nothing(self) -> str:
        return self.empty

    def head(self, width: int) -> Text:
        return side_by_side(Text("WORKFLOW"), Text("HOW FAR"), width)

    def draw(self, item: Line, width: int) -> Text:
        return self._workflow(item, width) if isinstance(item, TreeHead) else self._job(item, width)

    def _workflow(self, item: TreeHead, width: int) -> Text:
        looks = self.desk.looks
        signs = ((OF_JOB[state], f"{count} {state.value}") for state, count in item.states)
        counts = Text("  ").join(
            Text.assemble((f"{sign.sign} ", sign.style(looks)), (words, looks.muted)) for sign, words in signs
        )
        bar = drawing.progress_bar(100 * item.done / item.total, min(BAR, width // 4), looks, looks.good)
        left = Text.assemble((item.name, f"bold {looks.text}"), "  ", counts)
        return side_by_side(left, Text.assemble("  ", bar, (f" {item.done}/{item.total}", looks.text)), width)

    def _job(self, item: TreeLine, width: int) -> Text:
        looks, row = self.desk.looks, item.row
        live = self.desk.fold.run(row.id)
        state = live.state if live is not None and not row.state.is_end else row.state
        sign = OF_JOB[state]
        left = Text.assemble((item.branch[-DEEPEST:], looks.faint), (f"{sign.sign} ", sign.style(looks)), row.name)
        if item.besides:
            left.append(f" (and after {item.besides} more)", style=looks.muted)
        agent = (live.agent if live is not None else None) or row.agent
        left.append(f"  {agent}" if agent else "", style=looks.muted)
        room = min(width // 2, 60)
        right = fitted(standing(row, state, live.progress if live is not None else row.progress, looks, room), room)
        return side_by_side(left, right, width)


class WorkflowsPage(Page):
    name_of_page = "workflows"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._jobs = JobTable()
        self._jobs.want(Wanted(in_workflow=True))
        self._trees = WorkflowsTable(desk)
        self._trees.add_class("body")
        self._info = Info(desk)
        self._asking: Worker[None] | None = None
        self._asked = JobsAsked(
            desk,
            self._jobs,
            in_sight=self._open_in_sight,
            wanted=lambda: self._trees.cursor + self._trees.size.height,
            changed=self._answered,
        )

    def body(self) -> Iterable[Widget]:
        yield self._trees
        yield self._info

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._asking = self._ask()

    def on_screen_suspend(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    def paint(self) -> None:
        jobs = self._jobs
        is_waiting = not jobs.has_begun and not self._asked.complaint
        none = "No job comes after another: `ffmesh submit --after ID -- …` makes one."
        self._trees.empty = "Asking the coordinator …" if is_waiting else self._asked.complaint or none
        self._trees.show(grown(jobs.rows()))
        more = "" if jobs.is_whole else ", and there are more"
        self._info.show(f"of the newest {jobs.loaded:,} jobs{more}")

    def subjects(self) -> Sequence[Subject]:
        trees = self._trees
        marked = [key for item in trees.items if (key := trees.key_of(item)) in trees.marked] if trees.marked else []
        current = trees.current
        here = [current.row.id] if isinstance(current, TreeLine) else []
        return [Subject(kind="job", name=job) for job in marked or here]

    def open(self, key: str) -> None:
        open_job(self, key.removeprefix("workflow "))

    def done_with(self) -> None:
        self._trees.marked.clear()
        self._asked.more()

    def on_listing_near_end(self) -> None:
        if not self._jobs.is_whole:
            self._asked.more()

    def _answered(self) -> None:
        if self.is_current:
            self.repaint()

    def _open_in_sight(self) -> Sequence[str]:
        known = {item.row.id for item in self._trees.items if isinstance(item, TreeLine) and not item.row.state.is_end}
        return [key for key in self._trees.keys_in_sight() if key in known]

    @work(group="jobs", exclusive=True)
    async def _ask(self) -> None:
        await self._asked.run()

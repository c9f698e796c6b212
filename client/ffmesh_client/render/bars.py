"""Progress of jobs while somebody waits: bars on a terminal, a line for each end in a pipe."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from ffmesh_client.core.events import ProgressSeen
from ffmesh_client.render import tables, words
from ffmesh_protocol.messages.jobs import JobState, JobView, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


NAME_CHARS: Final = 30
"""Of a job's title; what is longer would leave no room for its bar."""


class Watcher(Protocol):
    """Is told how the jobs change."""

    def job(self, job: JobView) -> None: ...

    def progress(self, seen: ProgressSeen) -> None: ...


class Quiet:
    """For `--json`: nothing is drawn."""

    def job(self, job: JobView) -> None:
        del job

    def progress(self, seen: ProgressSeen) -> None:
        del seen


class Lines(Quiet):
    """For pipes: one line when a job has ended."""

    def job(self, job: JobView) -> None:
        if job.state.is_end:
            print(f"{job.id}  {job.state.value:<9}  {words.text(job.reason)}", flush=True)


class Drawn:
    """For terminals: a bar for each job."""

    def __init__(self, bars: "Bars", jobs: Sequence[JobView]) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {
            job.id: bars.add_task("", total=None, state="", agent="", details="") for job in jobs
        }
        for job in jobs:
            self.job(job)

    def job(self, job: JobView) -> None:
        self._draw(job.id, job.progress)
        state = "paused" if job.paused else job.state.value
        style = words.STYLE_OF_STATE.get(state, "")
        state = f"[{style}]{state}[/]" if style else state
        task = self._tasks[job.id]
        self._bars.update(
            task, description=_escaped(words.name_of(job)[:NAME_CHARS]), state=state, agent=words.text(job.agent)
        )
        if job.reason:
            self._bars.update(task, details=_escaped(words.text(job.reason)))
        if job.state is JobState.SUCCEEDED:
            self._bars.update(task, total=100, completed=100)
        elif job.state.is_end:
            self._bars.update(task, total=100)
        elif job.progress == Progress():
            self._bars.update(task, completed=0)  # it waits, perhaps for its next attempt

    def progress(self, seen: ProgressSeen) -> None:
        if seen.job in self._tasks:
            self._bars.update(self._tasks[seen.job], agent=seen.agent)
            self._draw(seen.job, seen.progress)

    def _draw(self, job: str, told: Progress) -> None:
        if told.percent is not None:
            self._bars.update(self._tasks[job], total=100, completed=told.percent)
        self._bars.update(self._tasks[job], details="" if told == Progress() else words.progress(told))


@contextmanager
def watcher(jobs: Sequence[JobView], *, quiet: bool) -> Generator[Watcher, None, None]:
    if quiet:
        yield Quiet()
    elif not tables.on_terminal():
        yield Lines()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"),
            TextColumn("{task.fields[state]}"),
            # Named colours: rich's own become grey where a terminal has only sixteen.
            BarColumn(bar_width=None, complete_style="cyan", finished_style="green", pulse_style="cyan"),
            TextColumn("{task.fields[details]}"),
            TextColumn("{task.fields[agent]}"),
        )
        with Bars(*columns, console=Console(), expand=True) as bars:
            yield Drawn(bars, jobs)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)

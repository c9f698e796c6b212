"""Jobs that an agent has, as they are watched: the coordinator's word for each, and its program's progress."""

from ffmesh_client.tui.model.history import Point, Speeds
from ffmesh_client.tui.model.texts import one_line
from ffmesh_protocol.messages.jobs import JobState, Progress, PublicJob
from ffmesh_protocol.times import PROGRESS_EXPIRY
from ffmesh_protocol.wire import Told


class RunLine(Told, frozen=True):
    """A job that an agent has, as a row shows it."""

    id: str
    name: str
    state: JobState
    agent: str | None
    progress: Progress


class RunBook:
    """What is known of one of them. Progress may come before the job does: both are retained."""

    def __init__(self) -> None:
        self.told: PublicJob | None = None
        self.heard_at = 0.0
        """Of the job or its progress."""
        self.changes = 0
        """How often the coordinator has said something about it: who shows more of it asks then."""
        self.speeds = Speeds()
        self._progress: Progress | None = None
        self._agent: str | None = None
        self._progress_at = 0.0
        self._name = ""
        self._line: RunLine | None = None
        """As it was last made; None: something has changed since."""

    def tell(self, told: PublicJob) -> None:
        if self.told is not None and told.agent != self.told.agent:
            self._progress = None  # the next attempt begins anew
        if self.told is None or (told.title, told.program) != (self.told.title, self.told.program):
            self._name = one_line(told.title or told.program)
        self.told, self._line = told, None
        self.changes += 1

    def go_on(self, agent: str, progress: Progress, at: float) -> bool:
        """False: that agent does not have it, and is not believed."""
        if self.told is not None and self.told.agent not in (None, agent):
            return False
        self._agent, self._progress, self._progress_at, self._line = agent, progress, at, None
        self.speeds.add(progress, at)
        return True

    def stop(self) -> None:
        """Its agent took the progress back."""
        self._progress = self._line = None

    def fps(self, now: float) -> float:
        """0 when nothing was heard for so long that the broker would have forgotten it."""
        if self._progress is None or now - self._progress_at > PROGRESS_EXPIRY:
            return 0.0
        return self._progress.fps or 0.0

    def progress(self) -> Progress | None:
        """The program's own word; None: it has not spoken yet."""
        told = self.told
        return self._progress if told is None or self._agent == told.agent or told.agent is None else None

    def points(self) -> tuple[Point, ...]:
        return self.speeds.points()

    def line(self) -> RunLine | None:
        told = self.told
        if self._line is None and told is not None:
            progress = self.progress() or told.progress
            self._line = RunLine(id=told.id, name=self._name, state=told.state, agent=told.agent, progress=progress)
        return self._line

"""What every page is handed: the picture, whom to ask, what time it is, and how things look."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from ffmesh_client.tui.looks import DARK, Looks
from ffmesh_client.tui.model.fold import Fold
from ffmesh_client.tui.model.moment import Moment
from ffmesh_protocol.messages.answers import JobList, Lines, Refusal
from ffmesh_protocol.messages.capability import AgentView
from ffmesh_protocol.messages.jobs import JobState, JobView
from ffmesh_protocol.messages.requests import Logs


class Asking(Protocol):
    """Of `Mesh` what the dashboard uses."""

    async def jobs(
        self,
        *,
        states: Sequence[JobState] = (),
        labels: Mapping[str, str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobList: ...

    async def jobs_named(self, ids: Iterable[str], *, patience: float | None = ...) -> dict[str, JobView]: ...
    async def job(self, job: str) -> JobView: ...
    async def cancel(self, job: str) -> JobView: ...
    async def retry(self, job: str) -> JobView: ...
    async def agent(self, name: str) -> AgentView: ...
    async def drain(self, name: str, draining: bool) -> AgentView: ...
    async def tail(self, logs: Logs, *, patience: float | None = ...) -> Lines | Refusal: ...


class Desk:
    """`looks` changes when a person asks for the other ones; the rest stays."""

    def __init__(
        self,
        cluster: str,
        fold: Fold,
        mesh: Asking,
        clock: Callable[[], Moment],
        roots: Mapping[str, str] | None = None,
    ) -> None:
        self.cluster = cluster
        self.roots = dict(roots or {})
        """Where this machine has the roots that it has."""
        self.fold = fold
        self.mesh = mesh
        self.clock = clock
        self.looks: Looks = DARK

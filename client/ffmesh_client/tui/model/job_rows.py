"""Jobs as the list of all of them shows each: as little as that, for there may be tens of thousands."""

from ffmesh_client.tui.model.search import Wanted
from ffmesh_client.tui.model.texts import one_line
from ffmesh_protocol.messages.jobs import JobState, JobView, Progress
from ffmesh_protocol.reasons import ReasonCode
from ffmesh_protocol.wire import Told

SAID_CHARS = 400
"""Of what is searched."""


class JobRow(Told, frozen=True):
    id: str
    state: JobState
    name: str
    agent: str | None
    owner: str
    priority: int
    progress: Progress
    reason: str | None
    reason_code: ReasonCode | None
    exit_code: int | None
    signal: int | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    after: tuple[str, ...]
    workflow: str | None
    said: str
    """All that a search may find, in small letters."""

    def is_wanted(self, wanted: Wanted) -> bool:
        return (
            (wanted.states is None or self.state in wanted.states)
            and wanted.agent in (self.agent or "").casefold()
            and (wanted.agent_is is None or self.agent == wanted.agent_is)
            and (self.workflow is not None or not wanted.in_workflow)
            and wanted.owner in self.owner.casefold()
            and all(word in self.said for word in wanted.words)
        )


def row_of(job: JobView) -> JobRow:
    """`agent` is also the one that had it last: who looks for an agent's jobs means those that have ended, too."""
    labels = " ".join(f"{name}={value}" for name, value in job.labels.items())
    last = job.attempts[-1].agent if job.attempts else None
    agent = job.agent or last
    said = " ".join((job.id, job.title or "", job.program, agent or "", job.owner, job.reason or "", labels))
    return JobRow(
        id=job.id,
        state=job.state,
        name=one_line(job.title or job.program),
        agent=agent,
        owner=job.owner,
        priority=job.priority,
        progress=job.progress,
        reason=one_line(job.reason) if job.reason else None,
        reason_code=job.reason_code,
        exit_code=job.exit_code,
        signal=job.signal,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        after=job.after,
        workflow=job.workflow,
        said=said[:SAID_CHARS].casefold(),
    )

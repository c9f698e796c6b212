"""The one place where a job changes: the ledger, and with it what is to be saved, shown and announced."""

from typing import Any

import msgspec

from ffmesh_coordinator.core import views
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.core.job import Job
from ffmesh_protocol.messages.jobs import JobEvent
from ffmesh_protocol.reasons import SENTENCES
from ffmesh_protocol.topics import Family
from ffmesh_protocol.wire import Told


class Books:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def enter(self, job: Job) -> None:
        """A new job, or one from the disk that was not at hand."""
        self._desk.ledger.put(job)
        self._desk.order(SaveJob(job=job))

    def change(self, job: Job, *, save: bool = False, **fields: Any) -> Job:  # noqa: ANN401 - any field of a job
        changed = msgspec.structs.replace(job, **fields)
        self._desk.ledger.put(changed)
        if save:
            self._desk.order(SaveJob(job=changed))
        return changed

    def publish(self, job: Job) -> None:
        """The public state: retained while an agent has the job."""
        desk = self._desk
        desk.publish(Family.JOB, desk.topics.job(job.id), self._public(job))

    def publish_end(self, job: Job) -> None:
        """The last word does not stay."""
        desk = self._desk
        desk.publish(Family.JOB, desk.topics.job(job.id), self._public(job), retain=False)
        self.clear(job)

    def clear(self, job: Job) -> None:
        """No agent has it any more."""
        self._desk.publish(Family.JOB, self._desk.topics.job(job.id), None)

    def announce(self, what: str, job: Job) -> None:
        event = JobEvent(
            event_type=f"job_{what}",
            job=job.id,
            workflow=job.workflow,
            title=job.asked.title,
            agent=job.attempts[-1].agent if job.attempts else None,
            reason=SENTENCES[job.reason_code] if job.reason_code is not None else None,
        )
        self._desk.announce(event)

    def _public(self, job: Job) -> Told:
        return views.job_view(job) if self._desk.public_details else views.public_job(job)

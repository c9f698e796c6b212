"""Jobs that come after others: released when all of those have succeeded, ended when one of them has not."""

from collections.abc import Iterable

from ffmesh_coordinator.core.books import Books
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.lifecycle import Phase, Step, stepped
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.reasons import ReasonCode

FELL_WITH_PARENT = frozenset({ReasonCode.PARENT_FAILED, ReasonCode.PARENT_CANCELLED})
"""What ended for one of these ended because of the job that it came after."""

OPENED_WITH_PARENT = FELL_WITH_PARENT | {ReasonCode.RESTORED}
"""What ended for one of these is opened again with the job that it came after."""


class Chains:
    def __init__(self, desk: Desk, books: Books) -> None:
        self._desk = desk
        self._books = books

    def unknown(self, parents: Iterable[str]) -> list[str]:
        ledger = self._desk.ledger
        return [parent for parent in parents if ledger.get(parent) is None and parent not in ledger.ended]

    def workflow_of(self, submit: Submit) -> str | None:
        """That of the first job before it, which begins one if it was alone until now."""
        if not submit.after:
            return None
        first = submit.after[0]
        job = self._desk.ledger.get(first)
        if job is not None and job.workflow is None:
            self._books.change(job, workflow=job.id, save=True)
        known = job or self._desk.ledger.recent(first)
        return (known.workflow if known is not None else None) or first

    def settled(self, job: Job) -> tuple[Step, str | None] | None:
        """What is to become of a waiting job, as things are: the step, and the parent that is to blame; None: wait."""
        ledger = self._desk.ledger
        if job.attempts:
            return Step.RELEASE, None  # it is tried again: all had succeeded once, and need not be kept since
        for parent in job.asked.after:
            how = ledger.ended.get(parent)
            if how is Phase.FAILED or (how is None and ledger.get(parent) is None):
                return Step.FAIL, parent
            if how is Phase.CANCELLED:
                return Step.CANCEL, parent
        return None if ledger.unmet(job.id) else (Step.RELEASE, None)

    def culprit(self, parent: str) -> str:
        """The job that everything fell with, as far up the chain as is still at hand: to retry that one brings back
        all that followed."""
        ledger = self._desk.ledger
        known = ledger.recent(parent)
        while known is not None and known.reason_code in FELL_WITH_PARENT:
            blamed = [each for each in known.asked.after if ledger.ended.get(each) in (Phase.FAILED, Phase.CANCELLED)]
            if not blamed:
                break
            parent = blamed[0]
            known = ledger.recent(parent)
        return parent

    def release(self, job: Job) -> Job:
        """All that it waited for has succeeded. It would rather run where their files are."""
        ledger = self._desk.ledger
        for parent in job.asked.after:
            known = ledger.recent(parent)
            if known is not None and known.attempts:
                ledger.near[job.id] = known.attempts[-1].agent
        return self._books.change(job, phase=stepped(job.phase, Step.RELEASE), save=True)

"""Offering what waits to whoever has room, in turn. Nothing here is on disk: an offer that is lost is made again."""

from ffmesh_coordinator.core.books import Books
from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.explaining import Waiting, why_not_placed
from ffmesh_coordinator.core.job import Job
from ffmesh_coordinator.core.ledger import Pending
from ffmesh_coordinator.core.lifecycle import Phase, Step, stepped
from ffmesh_coordinator.core.placement import why_there
from ffmesh_coordinator.core.queue import Wish
from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol import times
from ffmesh_protocol.messages.orders import Offer
from ffmesh_protocol.messages.orders import Offers as OfferMessage
from ffmesh_protocol.reasons import SENTENCES, ReasonCode


class Offers:
    def __init__(self, desk: Desk, books: Books) -> None:
        self._desk = desk
        self._books = books

    def assign(self) -> None:
        """Until nobody has room, or nothing waits that anybody could take."""
        desk = self._desk
        if not desk.connected or desk.full:
            return
        queue, matching = desk.ledger.queue, desk.matching
        while True:
            hopeful = [bucket for bucket in queue.buckets() if bucket.hopeless_since != matching.changes]
            chosen = queue.next_of(hopeful)
            if chosen is None:
                return
            bucket, job_id = chosen
            job = desk.ledger.get(job_id)
            if job is None:
                queue.discard(job_id)  # a bug of ours, and no reason to go round for ever
                continue
            best = matching.best_for(bucket.wish)
            if best is None:
                bucket.hopeless_since = matching.changes
                continue
            agent, able = best
            self._offer(job, agent, why_there(agent, bucket.wish, able))

    def _offer(self, job: Job, agent: Agent, why: str) -> None:
        desk = self._desk
        assert agent.life is not None
        attempt = desk.ids()
        pending = Pending(
            attempt=attempt,
            job=job.id,
            agent=agent.name,
            agent_life=agent.life,
            boot=agent.boot,
            spool=agent.spool,
            why=why,
        )
        desk.ledger.offers[attempt] = pending
        desk.book(agent, attempt, job)
        desk.ledger.queue.served(job)
        self._books.change(job, phase=stepped(job.phase, Step.OFFER))
        offer = Offer(attempt=attempt, job=job.id, kind=job.asked.kind, needs=job.asked.needs)
        desk.tell_agent(agent.name, agent.life, OfferMessage(offers=(offer,)))
        desk.deadlines.set(About.OFFER, attempt, desk.after(times.OFFER))

    def take_back(self, attempt_id: str) -> None:
        """The offer is over: declined, expired, or its agent is gone."""
        desk = self._desk
        pending = desk.ledger.offers.pop(attempt_id, None)
        desk.deadlines.lift(About.OFFER, attempt_id)
        if pending is None:
            return
        desk.unbook(pending.agent, attempt_id)
        job = desk.ledger.get(pending.job)
        if job is not None and job.phase is Phase.OFFERED:
            self._books.change(job, phase=stepped(job.phase, Step.TAKE_BACK))

    def claimed(self, pending: Pending) -> None:
        """It becomes a grant; the slot stays booked."""
        del self._desk.ledger.offers[pending.attempt]
        self._desk.deadlines.lift(About.OFFER, pending.attempt)

    # --- why it waits -------------------------------------------------------------------------------------------------

    def why_waiting(self, job: Job) -> Waiting | None:
        """What keeps a job from being placed now; None: nothing, or it does not wait."""
        desk = self._desk
        if job.phase is Phase.WAITING:
            return Waiting(code=ReasonCode.WAITING_FOR_JOBS, why=self._for_jobs(job))
        if job.phase is not Phase.QUEUED:
            return None
        if desk.full:
            return Waiting(code=ReasonCode.WAITING_FOR_AGENT, why="the coordinator's disk is full; nothing is started")
        if job.id in desk.ledger.resting:
            return Waiting(code=ReasonCode.WAITING_TO_RETRY, why=self._to_retry(job))
        wish = desk.ledger.queue.wish_of(job.id) or Wish(kind=job.kind, needs=job.asked.needs, writes=job.asked.writes)
        return why_not_placed(wish, list(desk.roster), desk.now.utc)

    def _for_jobs(self, job: Job) -> str:
        unmet = self._desk.ledger.unmet(job.id)
        if not unmet:
            return SENTENCES[ReasonCode.WAITING_FOR_JOBS]
        named = ", ".join(unmet[:3]) + (f" and {len(unmet) - 3} more" if len(unmet) > 3 else "")
        return f"it waits for job {named}" if len(unmet) == 1 else f"it waits for {len(unmet)} jobs: {named}"

    def _to_retry(self, job: Job) -> str:
        at = self._desk.deadlines.when(About.RETRY, job.id)
        seconds = max(0.0, (at or 0.0) - self._desk.now.elapsed)
        if not job.tries:
            return f"an agent may still be at it, unknown to the backup; it is offered in {seconds:.0f} s"
        last = job.tries[-1]
        return f"attempt {last.number} failed on {last.agent}; it is tried again in {seconds:.0f} s"

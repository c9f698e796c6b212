"""What happens to a job: offered, granted, started, ended, cancelled. Every step goes through the lifecycle's table.

Exactly one attempt holds the grant; it is on disk before the grant is sent. One attempt a job: what is lost is failed.
Not there yet: retries, leases, staged outputs.
"""

from typing import Any, Final

import msgspec

from ffmesh_coordinator.core import views
from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.effects import SaveJob
from ffmesh_coordinator.core.job import Attempt, Job, Owner
from ffmesh_coordinator.core.ledger import Pending
from ffmesh_coordinator.core.lifecycle import HELD, Phase, Step, stepped
from ffmesh_coordinator.core.placement import Placed, Waiting, placed
from ffmesh_coordinator.core.roster import Agent
from ffmesh_protocol import times
from ffmesh_protocol.keys import SealedFor
from ffmesh_protocol.messages.answers import Assigned, Assignment, End, Ended
from ffmesh_protocol.messages.jobs import AttemptState, JobEvent, Progress
from ffmesh_protocol.messages.orders import Audience, Cancels, Grant, Grants, Offer, Offers, Settled, Stop
from ffmesh_protocol.messages.reports import Result, StreamLengths
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.names import client as client_principal
from ffmesh_protocol.reasons import REASON_OF_STOP, SENTENCES, ReasonCode, Stopped
from ffmesh_protocol.topics import Family
from ffmesh_protocol.wire import Told

STEP_OF_END: Final = {
    AttemptState.SUCCEEDED: Step.SUCCEED,
    AttemptState.FAILED: Step.FAIL,
    AttemptState.LOST: Step.FAIL,
    AttemptState.CANCELLED: Step.CANCEL,
}

CANCELLING: Final = frozenset({Stopped.CANCEL, Stopped.CLIENT_GONE, Stopped.SILENCE})
"""A stop for one of these ends the job as cancelled; the other stops are failures."""


class Verdict(Told, frozen=True):
    """How an attempt ended, and with it (one attempt a job) the job."""

    state: AttemptState
    code: ReasonCode | None = None
    reason: str | None = None


class Jobs:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def accept(self, submit: Submit, owner: Owner) -> Job:
        desk = self._desk
        job = Job(asked=submit, owner=owner, sequence=desk.ledger.next_sequence(), created_at=desk.now.utc)
        desk.ledger.put(job)
        desk.order(SaveJob(job=job))
        self._announce("queued", job)
        return job

    def restore(self, job: Job) -> None:
        """An open job from the disk. An offer is not kept there: whoever was offered it may still claim, too late."""
        self._desk.ledger.put(job)
        if job.attempt is not None:
            self._desk.roster.met(job.attempt.agent).booked.add(job.attempt.id)

    # --- offers -------------------------------------------------------------------------------------------------------

    def assign(self) -> None:
        """Offers what waits to whoever has room, in order. A bucket that cannot be placed costs one look."""
        desk = self._desk
        if desk.full or not desk.connected or not any(agent.online for agent in desk.roster):
            return
        while self._offer_first():
            pass

    def _offer_first(self) -> bool:
        """Offers the first job, in order, that somebody has room for."""
        ledger = self._desk.ledger
        for bucket in ledger.queue.buckets():
            placement = placed(bucket.needs, self._desk.roster)
            first = bucket.first()
            job = ledger.get(first[1]) if first is not None else None
            if job is not None and isinstance(placement, Placed):
                self._offer(job, placement)
                return True
        return False

    def why_waiting(self, job: Job) -> Waiting | None:
        """What keeps a queued job from being placed now; null: nothing, or it does not wait."""
        if job.phase is not Phase.QUEUED:
            return None
        placement = placed(job.asked.needs, self._desk.roster)
        return placement if isinstance(placement, Waiting) else None

    def _offer(self, job: Job, placement: Placed) -> None:
        desk = self._desk
        agent = desk.roster.met(placement.agent)
        assert agent.life is not None
        attempt = desk.ids()
        pending = Pending(attempt=attempt, job=job.id, agent=agent.name, agent_life=agent.life, why=placement.why)
        desk.ledger.offers[attempt] = pending
        agent.booked.add(attempt)
        self._change(job, phase=stepped(job.phase, Step.OFFER))
        offer = Offer(attempt=attempt, job=job.id, kind=job.asked.kind, needs=job.asked.needs)
        desk.tell_agent(agent.name, agent.life, Offers(offers=(offer,)))
        desk.deadlines.set(About.OFFER, attempt, desk.after(times.OFFER))

    def take_back(self, attempt_id: str) -> None:
        """The offer is over: declined, expired, or its agent is gone."""
        desk = self._desk
        pending = desk.ledger.offers.pop(attempt_id, None)
        desk.deadlines.lift(About.OFFER, attempt_id)
        if pending is None:
            return
        self._unbook(pending.agent, attempt_id)
        job = desk.ledger.get(pending.job)
        if job is not None and job.phase is Phase.OFFERED:
            self._change(job, phase=stepped(job.phase, Step.TAKE_BACK))

    # --- grants -------------------------------------------------------------------------------------------------------

    def grant(self, pending: Pending) -> None:
        """The agent claims it: from here on one attempt holds the job."""
        desk = self._desk
        job = desk.ledger.get(pending.job)
        assert job is not None
        del desk.ledger.offers[pending.attempt]
        desk.deadlines.lift(About.OFFER, pending.attempt)
        attempt = Attempt(
            id=pending.attempt,
            number=len(job.attempts) + 1,
            agent=pending.agent,
            agent_life=pending.agent_life,
            state=AttemptState.GRANTED,
            granted_at=desk.now.utc,
        )
        phase = stepped(job.phase, Step.GRANT)
        job = self._change(job, phase=phase, attempts=(*job.attempts, attempt), placement=pending.why, save=True)
        self._tell_assigned(job, attempt)
        self.send_grant(job)
        self.publish(job)

    def send_grant(self, job: Job) -> None:
        """For the first time or again; the attempt stays the same, the number of the message is new."""
        desk, attempt, asked = self._desk, job.attempt, job.asked
        assert attempt is not None
        if job.is_interactive and not desk.keyring.knows(client_principal(job.owner.client)):
            return
        grant = Grant(
            attempt=attempt.id,
            job=job.id,
            number=attempt.number,
            kind=asked.kind,
            program=asked.program,
            args=asked.args,
            cwd=asked.cwd,
            env=asked.env,
            umask=asked.umask,
            needs=asked.needs,
            timeout_seconds=asked.timeout_seconds,
            audience=self._audience(job, attempt) if job.is_interactive else None,
        )
        # The number comes with the sending; until then the grant counts as sent, and not to be sent again at once.
        number = desk.ledger.sent.get(attempt.id, (0, 0.0))[0]
        desk.ledger.sent[attempt.id] = (number, desk.now.elapsed)
        desk.tell_agent(attempt.agent, attempt.agent_life, Grants(grants=(grant,)))

    def _audience(self, job: Job, attempt: Attempt) -> Audience:
        bound_to = SealedFor(job=job.id, attempt=attempt.id, agent=attempt.agent, life=attempt.agent_life)
        client, agent = client_principal(job.owner.client), agent_principal(attempt.agent)
        return self._desk.keyring.audience(client, job.owner.life, agent, bound_to)

    def _tell_assigned(self, job: Job, attempt: Attempt) -> None:
        if job.is_interactive:
            assigned = Assigned(job=job.id, assignment=assignment(attempt))
            self._desk.tell(client_principal(job.owner.client), job.owner.life, assigned)

    # --- running and ending -------------------------------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """Its agent says that the program runs; to hear it twice changes nothing."""
        attempt = job.attempt
        if job.phase is not Phase.GRANTED or attempt is None:
            return
        running = msgspec.structs.replace(attempt, state=AttemptState.RUNNING, started_at=self._desk.now.utc)
        phase = stepped(job.phase, Step.START)
        job = self._change(job, phase=phase, attempts=(*job.attempts[:-1], running), save=True)
        self.publish(job)
        self._announce("started", job)

    def progressed(self, job: Job, progress: Progress) -> None:
        if job.phase in HELD:
            self._change(job, progress=progress)

    def finish(self, job: Job, result: Result) -> None:
        """The result of the attempt that holds the grant."""
        verdict = verdict_on(job, result)
        attempt = job.attempt
        assert attempt is not None
        started_at = attempt.started_at
        if result.started and started_at is None:
            started_at = self._desk.now.utc
        self._end(
            job,
            verdict,
            {"exit_code": result.exit_code, "signal": result.signal, "started_at": started_at},
            lengths=result.lengths,
            progress=last_progress(verdict, job, result),
        )

    def lose(self, job: Job, sentence: str) -> None:
        """Its attempt will never speak again, nor clear what it has said last."""
        desk, attempt = self._desk, job.attempt
        if attempt is not None:
            desk.publish(Family.PROGRESS, desk.topics.progress(attempt.agent, job.id), None)
        if job.cancel is not None:
            self._end(job, Verdict(state=AttemptState.CANCELLED, code=REASON_OF_STOP[job.cancel], reason=sentence))
        else:
            self._end(job, Verdict(state=AttemptState.LOST, code=ReasonCode.LOST, reason=sentence))

    def cancel(self, job: Job, why: Stopped) -> Job:
        """Ends at once what no agent has; asks the agent to stop the rest. To cancel twice changes nothing."""
        desk, code = self._desk, REASON_OF_STOP[why]
        attempt = job.attempt
        if attempt is None:
            pending = desk.ledger.pending_of(job.id)
            if pending is not None:
                self.take_back(pending.attempt)
                job = desk.ledger.get(job.id) or job
            return self._end(job, Verdict(state=AttemptState.CANCELLED, code=code, reason=SENTENCES[code]))
        if job.cancel is None:
            job = self._change(job, cancel=why, save=True)
            self.publish(job)
            if job.is_interactive:
                desk.deadlines.set(About.CANCEL, job.id, desk.after(times.CANCEL_SILENCE))
        self.tell_stop(job)
        return job

    def tell_stop(self, job: Job) -> None:
        attempt = job.attempt
        assert attempt is not None
        stop = Stop(attempt=attempt.id, job=job.id, why=job.cancel or Stopped.CANCEL)
        self._desk.tell_agent(attempt.agent, attempt.agent_life, Cancels(stops=(stop,)))

    def _end(
        self,
        job: Job,
        verdict: Verdict,
        ended: dict[str, Any] | None = None,
        lengths: StreamLengths | None = None,
        progress: Progress | None = None,
    ) -> Job:
        desk, attempt = self._desk, job.attempt
        ended = ended or {}
        attempts = job.attempts
        if attempt is not None:
            last = msgspec.structs.replace(
                attempt, state=verdict.state, ended_at=desk.now.utc, reason=verdict.reason, **ended
            )
            attempts = (*attempts[:-1], last)
            self._forget_attempt(attempt)
        job = self._change(
            job,
            phase=stepped(job.phase, STEP_OF_END[verdict.state]),
            attempts=attempts,
            exit_code=ended.get("exit_code"),
            signal=ended.get("signal"),
            reason=verdict.reason,
            reason_code=verdict.code,
            lengths=lengths,
            progress=progress or job.progress,
            ended_at=desk.now.utc,
            save=True,
        )
        desk.deadlines.lift(About.CANCEL, job.id)
        if attempt is not None:
            desk.publish(Family.JOB, desk.topics.job(job.id), self._public(job), retain=False)
            desk.publish(Family.JOB, desk.topics.job(job.id), None)
        if job.is_interactive:
            news = Ended(job=job.id, end=end_of(job, streams_lost=verdict.state is AttemptState.LOST))
            desk.tell(client_principal(job.owner.client), job.owner.life, news)
        self._announce(job.phase.value, job)
        return job

    def settle(self, agent: str, life: str, attempt_id: str) -> None:
        self._desk.tell_agent(agent, life, Settled(attempts=(attempt_id,)))

    # --- the books ----------------------------------------------------------------------------------------------------

    def publish(self, job: Job) -> None:
        """The public state: retained while an agent has the job."""
        desk = self._desk
        desk.publish(Family.JOB, desk.topics.job(job.id), self._public(job))

    def _public(self, job: Job) -> Told:
        return views.job_view(job) if self._desk.public_details else views.public_job(job)

    def _change(self, job: Job, *, save: bool = False, **fields: Any) -> Job:  # noqa: ANN401 - any field of a job
        changed = msgspec.structs.replace(job, **fields)
        self._desk.ledger.put(changed)
        if save:
            self._desk.order(SaveJob(job=changed))
        return changed

    def _forget_attempt(self, attempt: Attempt) -> None:
        ledger = self._desk.ledger
        ledger.sent.pop(attempt.id, None)
        ledger.listed.discard(attempt.id)
        self._unbook(attempt.agent, attempt.id)

    def _unbook(self, agent_name: str, attempt_id: str) -> None:
        agent: Agent | None = self._desk.roster.get(agent_name)
        if agent is not None:
            agent.booked.discard(attempt_id)

    def _announce(self, what: str, job: Job) -> None:
        event = JobEvent(
            event_type=f"job_{what}",
            job=job.id,
            workflow=None,
            title=job.asked.labels.get(views.TITLE_LABEL),
            agent=job.attempts[-1].agent if job.attempts else None,
            reason=SENTENCES[job.reason_code] if job.reason_code is not None else None,
        )
        self._desk.announce(event)


def verdict_on(job: Job, result: Result) -> Verdict:
    """What the result means for the job. What we stopped is not a success, whatever its exit code."""
    stopped = job.cancel or result.stopped
    if stopped is not None:
        code = REASON_OF_STOP[stopped]
        state = AttemptState.CANCELLED if stopped in CANCELLING else AttemptState.FAILED
        return Verdict(state=state, code=code, reason=SENTENCES[code])
    if not result.started:
        code = result.reason_code or ReasonCode.NOT_STARTED
        return Verdict(state=AttemptState.FAILED, code=code, reason=result.reason or SENTENCES[code])
    if result.signal is not None:
        reason = f"{job.asked.program} was ended by signal {result.signal}"
        return Verdict(state=AttemptState.FAILED, code=ReasonCode.KILLED, reason=reason)
    if result.exit_code == 0:
        return Verdict(state=AttemptState.SUCCEEDED)
    reason = f"{job.asked.program} ended with exit code {result.exit_code}"
    return Verdict(state=AttemptState.FAILED, code=ReasonCode.EXITED, reason=reason)


def last_progress(verdict: Verdict, job: Job, result: Result) -> Progress:
    """As far as the program came; what succeeded has come to its end, whatever its last word before it was."""
    last = result.progress if result.progress != Progress() else job.progress
    if verdict.state is AttemptState.SUCCEEDED and last.percent is not None:
        return msgspec.structs.replace(last, percent=100.0, eta_s=0.0)
    return last


def assignment(attempt: Attempt) -> Assignment:
    return Assignment(attempt=attempt.id, agent=attempt.agent, life=attempt.agent_life)


def end_of(job: Job, *, streams_lost: bool) -> End:
    return End(
        state=views.state(job),
        exit_code=job.exit_code,
        signal=job.signal,
        reason_code=job.reason_code,
        reason=job.reason,
        lengths=job.lengths,
        streams_lost=streams_lost,
    )

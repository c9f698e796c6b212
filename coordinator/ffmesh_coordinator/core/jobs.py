"""What happens to a job: accepted, granted, started, permitted, ended, tried again. Every step goes through the table.

Exactly one attempt holds the grant; it is on disk before the grant is sent, and so is the permission to commit. What is
lost is given to another only when the lost one can no longer do harm: at once where it writes aside, after its lease
where it writes in place.
"""

from collections import deque
from typing import Final

import msgspec

from ffmesh_coordinator.core import leases, retries, views
from ffmesh_coordinator.core.books import Books
from ffmesh_coordinator.core.chains import FELL_WITH_PARENT, Chains
from ffmesh_coordinator.core.deadlines import About
from ffmesh_coordinator.core.desk import Desk
from ffmesh_coordinator.core.explaining import Waiting
from ffmesh_coordinator.core.job import Attempt, Job, Owner
from ffmesh_coordinator.core.ledger import Pending
from ffmesh_coordinator.core.lifecycle import HELD, Phase, Step, stepped
from ffmesh_coordinator.core.offers import Offers
from ffmesh_coordinator.core.packed import PackedSubmit, shared
from ffmesh_coordinator.core.verdicts import Verdict, last_progress, summary_of, verdict_on
from ffmesh_protocol import times
from ffmesh_protocol.keys import SealedFor
from ffmesh_protocol.messages.answers import Assigned, Assignment, End, Ended
from ffmesh_protocol.messages.jobs import AttemptState, JobKind, JobSummary, Progress
from ffmesh_protocol.messages.orders import Audience, Cancels, Commit, Grant, Grants, Settled, Stop
from ffmesh_protocol.messages.reports import FailureKind, Result
from ffmesh_protocol.messages.requests import Submit
from ffmesh_protocol.names import agent as agent_principal
from ffmesh_protocol.names import client as client_principal
from ffmesh_protocol.reasons import REASON_OF_STOP, SENTENCES, ReasonCode, Stopped
from ffmesh_protocol.topics import Family

STEP_OF_END: Final = {
    AttemptState.SUCCEEDED: Step.SUCCEED,
    AttemptState.FAILED: Step.FAIL,
    AttemptState.LOST: Step.FAIL,
    AttemptState.CANCELLED: Step.CANCEL,
}


BLAMED: Final = frozenset({FailureKind.TRANSIENT, FailureKind.NODE})
"""A program that was not started for one of these lies with the agent; for any other, with the job. What the agent
itself refused lies with neither: it may take another one."""


class Jobs:
    def __init__(self, desk: Desk, books: Books, offers: Offers, chains: Chains) -> None:
        self._desk = desk
        self._books = books
        self._offers = offers
        self._chains = chains
        self._followed: deque[str] = deque()
        """Ended jobs whose followers are to move on."""

    def accept(self, submit: Submit, owner: Owner) -> Job:
        desk = self._desk
        workflow = self._chains.workflow_of(submit)
        sequence = desk.ledger.next_sequence()
        job = Job(
            asked=PackedSubmit.of(submit),
            owner=shared(owner),
            sequence=sequence,
            created_at=desk.now.utc,
            workflow=workflow,
        )
        self._books.enter(job)
        self._books.announce("waiting" if submit.after else "queued", job)
        return self._move_on(job)

    def restore(self, job: Job) -> None:
        """An open job from the disk. An offer is not kept there: whoever was offered it may still claim, too late."""
        if job.phase is Phase.OFFERED:
            job = msgspec.structs.replace(job, phase=stepped(job.phase, Step.TAKE_BACK))
        self._desk.ledger.put(job)
        if job.attempt is not None:
            self._desk.book(self._desk.roster.met(job.attempt.agent), job.attempt.id, job)
        leases.begin(self._desk.deadlines, job, self._desk.now)

    def restored(self) -> None:
        """All are at hand: what waits for jobs that have ended meanwhile moves on."""
        waiting = [job for job in self._desk.ledger.open_jobs() if job.phase is Phase.WAITING]
        for job in sorted(waiting, key=lambda each: each.sequence):
            self._move_on(job)

    def _move_on(self, job: Job) -> Job:
        """A waiting job is released, or ends with the one that it comes after, or waits on."""
        what = self._chains.settled(job)
        if what is None:
            return job
        step, parent = what
        if step is Step.RELEASE:
            return self._chains.release(job)
        if step is Step.CANCEL:
            reason = f"job {parent}, which it comes after, was cancelled{self._because(parent)}"
            return self._end(
                job, Verdict(state=AttemptState.CANCELLED, code=ReasonCode.PARENT_CANCELLED, reason=reason)
            )
        reason = f"job {parent}, which it comes after, failed{self._because(parent)}"
        return self._end(job, Verdict(state=AttemptState.FAILED, code=ReasonCode.PARENT_FAILED, reason=reason))

    def _because(self, parent: str | None) -> str:
        """The beginning of the chain, where it is another one."""
        culprit = self._chains.culprit(parent) if parent is not None else None
        return f" because of job {culprit}" if culprit != parent else ""

    def why_waiting(self, job: Job) -> Waiting | None:
        """What keeps a job from being placed now; None: nothing, or it does not wait."""
        return self._offers.why_waiting(job)

    # --- grants -------------------------------------------------------------------------------------------------------

    def grant(self, pending: Pending) -> None:
        """The agent claims it: from here on one attempt holds the job."""
        desk = self._desk
        job = desk.ledger.get(pending.job)
        assert job is not None
        self._offers.claimed(pending)
        attempt = Attempt(
            id=pending.attempt,
            number=len(job.attempts) + 1,
            agent=pending.agent,
            agent_life=pending.agent_life,
            boot=pending.boot,
            spool=pending.spool,
            state=AttemptState.GRANTED,
            granted_at=desk.now.utc,
        )
        phase = stepped(job.phase, Step.GRANT)
        job = self._books.change(
            job, phase=phase, attempts=(*job.attempts, attempt), placement=pending.why, progress=Progress(), save=True
        )
        leases.begin(desk.deadlines, job, desk.now)
        self._tell_assigned(job, attempt)
        self.send_grant(job)
        self._books.publish(job)

    def send_grant(self, job: Job) -> None:
        """For the first time or again; the attempt stays the same, the number of the message is new."""
        desk, attempt = self._desk, job.attempt
        assert attempt is not None
        if job.is_interactive and not desk.keyring.knows(client_principal(job.owner.client)):
            return
        asked = job.asked.whole
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
            outputs=asked.outputs,
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

    # --- running ------------------------------------------------------------------------------------------------------

    def started(self, job: Job) -> None:
        """Its agent says that the program runs; to hear it twice changes nothing."""
        attempt = job.attempt
        if job.phase is not Phase.GRANTED or attempt is None:
            return
        running = self._as_running(attempt)
        phase = stepped(job.phase, Step.START)
        job = self._books.change(job, phase=phase, attempts=(*job.attempts[:-1], running), save=True)
        self._books.publish(job)
        self._books.announce("started", job)

    def _as_running(self, attempt: Attempt) -> Attempt:
        started_at = attempt.started_at if attempt.started_at is not None else self._desk.now.utc
        return msgspec.structs.replace(attempt, state=AttemptState.RUNNING, started_at=started_at)

    def progressed(self, job: Job, progress: Progress) -> None:
        if job.phase in HELD:
            self._books.change(job, progress=progress)

    def stands_still(self, job: Job, why: str | None) -> None:
        """As its agent says; null: it does not. To hear it twice changes nothing."""
        if why != job.paused:
            self._books.publish(self._books.change(job, paused=why))

    def renewed(self, job: Job) -> bool:
        """Its agent has it, and may go on. What is to be cancelled gets no more time: its lease shall end."""
        if job.attempt is None or job.cancel is not None:
            return False
        leases.begin(self._desk.deadlines, job, self._desk.now)
        return True

    def permit(self, job: Job, agent_life: str) -> None:
        """Its output is whole and aside. Permission is given once, on disk first; to tell it again is no other one."""
        attempt = job.attempt
        assert attempt is not None
        if job.cancel is not None:
            self.tell_stop(job)
            return
        holder = msgspec.structs.replace(self._as_running(attempt), agent_life=agent_life)
        if job.phase is not Phase.COMMITTING or holder != attempt:
            phase = job.phase if job.phase is Phase.COMMITTING else stepped(job.phase, Step.PERMIT)
            job = self._books.change(job, phase=phase, attempts=(*job.attempts[:-1], holder), save=True)
        leases.begin(self._desk.deadlines, job, self._desk.now)
        self._desk.tell_agent(attempt.agent, agent_life, Commit(attempts=(attempt.id,)))

    # --- ending -------------------------------------------------------------------------------------------------------

    def finish(self, job: Job, result: Result) -> None:
        """The result of the attempt that holds the grant."""
        attempt = job.attempt
        assert attempt is not None
        verdict = verdict_on(job, result)
        if job.phase is Phase.COMMITTING and verdict.state is AttemptState.CANCELLED:
            verdict = Verdict(state=AttemptState.LOST, code=ReasonCode.LOST, reason=verdict.reason)
        started_at = attempt.started_at
        if result.started and started_at is None:
            started_at = self._desk.now.utc
        ended = msgspec.structs.replace(
            attempt,
            state=verdict.state,
            started_at=started_at,
            ended_at=self._desk.now.utc,
            exit_code=result.exit_code,
            signal=result.signal,
            reason=verdict.reason,
            failure=verdict.failure,
            handed_back=verdict.code is ReasonCode.HANDED_BACK,
        )
        self._credit(job, ended, verdict)
        # What stays of the job if it ends with this.
        job = msgspec.structs.replace(
            job,
            lengths=result.lengths,
            progress=last_progress(verdict, job, result),
            summary=summary_of(verdict, result),
        )
        self._attempt_ended(job, ended, verdict, ran=result.started)

    def lose(self, job: Job, sentence: str) -> None:
        """Its attempt will never speak again, nor clear what it has said last."""
        desk, attempt = self._desk, job.attempt
        assert attempt is not None
        desk.publish(Family.PROGRESS, desk.topics.progress(attempt.agent, job.id), None)
        verdict = Verdict(state=AttemptState.LOST, code=ReasonCode.LOST, reason=sentence)
        if job.cancel is not None:
            verdict = Verdict(state=AttemptState.CANCELLED, code=REASON_OF_STOP[job.cancel], reason=sentence)
        ended = msgspec.structs.replace(attempt, state=verdict.state, ended_at=desk.now.utc, reason=sentence)
        self._attempt_ended(job, ended, verdict, ran=True)

    def _attempt_ended(self, job: Job, ended: Attempt, verdict: Verdict, *, ran: bool) -> None:
        """With it the job ends, or it is tried again."""
        job = msgspec.structs.replace(job, attempts=(*job.attempts[:-1], ended), paused=None)
        self._forget_attempt(ended)
        what = _what_follows(job, ended, verdict, ran=ran)
        if isinstance(what, retries.Again):
            self._try_again(job, what)
            return
        self._end(job, verdict, exit_code=ended.exit_code, signal=ended.signal)

    def _try_again(self, job: Job, again: retries.Again) -> None:
        desk = self._desk
        phase = stepped(job.phase, Step.TRY_AGAIN)
        job = self._books.change(
            job, phase=phase, placement=None, progress=Progress(), lengths=None, summary=None, save=True
        )
        if again.wait > 0:
            desk.ledger.rest(job, everywhere=again.everywhere, avoiding=again.avoiding)
            desk.deadlines.set(About.RETRY, job.id, desk.after(again.wait))
        self._books.clear(job)
        self._books.announce("retried", job)

    def _end(self, job: Job, verdict: Verdict, *, exit_code: int | None = None, signal: int | None = None) -> Job:
        desk, had_agent = self._desk, job.phase in HELD
        desk.deadlines.lift(About.CANCEL, job.id)
        desk.deadlines.lift(About.RETRY, job.id)
        desk.ledger.rested(job.id)
        job = msgspec.structs.replace(
            job,
            phase=stepped(job.phase, STEP_OF_END[verdict.state]),
            exit_code=exit_code,
            signal=signal,
            reason=verdict.reason,
            reason_code=verdict.code,
            permanent=STEP_OF_END[verdict.state] is Step.FAIL and verdict.code not in FELL_WITH_PARENT,
            summary=job.summary or JobSummary(),
            ended_at=desk.now.utc,
        )
        self._books.enter(job)
        if had_agent:
            self._books.publish_end(job)
        if job.is_interactive:
            news = Ended(job=job.id, end=end_of(job, streams_lost=verdict.state is AttemptState.LOST))
            desk.tell(client_principal(job.owner.client), job.owner.life, news)
        self._books.announce(job.phase.value, job)
        self._follow(job)
        return job

    def _follow(self, ended: Job) -> None:
        """What waits for it moves on. Whose end ends others is not their caller: a chain may be long."""
        self._followed.append(ended.id)
        if len(self._followed) > 1:
            return
        while self._followed:
            for child in self._desk.ledger.waiting_for(self._followed[0]):
                self._parent_ended(child)
            self._followed.popleft()

    def _parent_ended(self, child: Job) -> None:
        """What it waits for is counted anew."""
        job = self._desk.ledger.get(child.id)
        if job is not None and job.phase is Phase.WAITING:
            self._desk.ledger.put(job)
            self._move_on(job)

    # --- what people say ----------------------------------------------------------------------------------------------

    def cancel(self, job: Job, why: Stopped) -> Job:
        """Ends at once what no agent has; asks the agent to stop the rest. To cancel twice changes nothing."""
        desk, code = self._desk, REASON_OF_STOP[why]
        attempt = job.attempt
        if attempt is None:
            pending = desk.ledger.pending_of(job.id) if job.phase is Phase.OFFERED else None
            if pending is not None:
                self._offers.take_back(pending.attempt)
                job = desk.ledger.get(job.id) or job
            return self._end(job, Verdict(state=AttemptState.CANCELLED, code=code, reason=SENTENCES[code]))
        if job.phase is Phase.COMMITTING:
            return job  # too late, and whoever asks is told so
        if job.cancel is None:
            job = self._books.change(job, cancel=why, save=True)
            self._books.publish(job)
            if job.kind is not JobKind.DIRECT:
                desk.deadlines.set(About.CANCEL, job.id, desk.after(times.CANCEL_SILENCE))
        self.tell_stop(job)
        return job

    def tell_stop(self, job: Job) -> None:
        attempt = job.attempt
        assert attempt is not None
        stop = Stop(attempt=attempt.id, job=job.id, why=job.cancel or Stopped.CANCEL)
        self._desk.tell_agent(attempt.agent, attempt.agent_life, Cancels(stops=(stop,)))

    def reopen(self, job: Job) -> Job:
        """A person says: try it again. It keeps its id, and numbers its attempts on."""
        may_still_run = job.reason_code is ReasonCode.RESTORED
        job = msgspec.structs.replace(
            job,
            phase=stepped(job.phase, Step.REOPEN),
            tried_before=len(job.attempts),
            cancel=None,
            placement=None,
            progress=Progress(),
            exit_code=None,
            signal=None,
            reason=None,
            reason_code=None,
            permanent=False,
            lengths=None,
            summary=None,
            ended_at=None,
        )
        self._books.enter(job)
        self._books.announce("reopened", job)
        job = self._move_on(job)
        if may_still_run:
            self._wait_for_what_the_backup_does_not_know(job)
        return job

    def _wait_for_what_the_backup_does_not_know(self, job: Job) -> None:
        """An agent that was given it after the backup has one lease from our start to hear that it must stop."""
        desk = self._desk
        seconds = desk.began_at + times.LEASE - desk.now.elapsed
        if job.phase is Phase.QUEUED and seconds > 0:
            desk.ledger.rest(job, everywhere=True, avoiding=frozenset())
            desk.deadlines.set(About.RETRY, job.id, desk.after(seconds))

    # --- the books ----------------------------------------------------------------------------------------------------

    def settle(self, agent: str, life: str, attempt_id: str) -> None:
        self._desk.tell_agent(agent, life, Settled(attempts=(attempt_id,)))

    def _forget_attempt(self, attempt: Attempt) -> None:
        ledger = self._desk.ledger
        ledger.sent.pop(attempt.id, None)
        ledger.listed.discard(attempt.id)
        leases.end(self._desk.deadlines, attempt)
        self._desk.unbook(attempt.agent, attempt.id)

    def _credit(self, job: Job, ended: Attempt, verdict: Verdict) -> None:
        """Whom a job failed on that another could do has to answer for it; whoever could not start it, at once."""
        roster = self._desk.roster
        agent = roster.get(ended.agent)
        if ended.state is AttemptState.SUCCEEDED:
            if agent is not None:
                agent.failures = agent.rests = 0
            ran = {
                each.agent for each in job.tries if each.state is AttemptState.FAILED and each.started_at is not None
            }
            blamed = ran - {ended.agent}
        elif verdict.code is not ReasonCode.REFUSED_BY_AGENT and _could_not_start(ended):
            blamed = {ended.agent}
        else:
            return
        for name in sorted(blamed):
            self._blame(name)

    def _blame(self, name: str) -> None:
        desk, agent = self._desk, self._desk.roster.get(name)
        if agent is None:
            return
        agent.failures += 1
        if agent.failures < times.COOL_DOWN_AFTER:
            return
        seconds = min(times.COOL_DOWN[0] * 2.0**agent.rests, times.COOL_DOWN[1])
        agent.resting = f"{agent.failures} jobs in a row failed there"
        agent.failures = 0
        agent.rests += 1
        desk.deadlines.set(About.PATIENCE, name, desk.after(seconds))
        desk.matching.changed(agent)
        desk.warn(f"agent {name} rests for {seconds:.0f} s: {agent.resting}")


def _could_not_start(ended: Attempt) -> bool:
    return ended.state is AttemptState.FAILED and ended.started_at is None and ended.failure in BLAMED


def _what_follows(job: Job, ended: Attempt, verdict: Verdict, *, ran: bool) -> retries.What:
    if job.cancel is not None:
        return retries.Enough()
    match verdict.state:
        case AttemptState.FAILED:
            return retries.after_failure(job, ended, ran=ran)
        case AttemptState.LOST:
            return retries.after_loss(job)
        case _:
            return retries.Enough()


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

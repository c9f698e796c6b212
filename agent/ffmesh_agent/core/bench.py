"""The attempts that this agent has: offered, reserved, granted, running, ended and not yet settled.

Only a grant starts a program, and only while the attempt's lease has time. Every attempt that was ever granted to this
life is remembered: a repeat of an ended one is answered with its result, never with a start. What we stopped carries
the reason and is no success. What a staged attempt wrote takes its place by permission only.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from msgspec import structs

from ffmesh_agent.core.attempt import NOTHING_KNOWN, About, Attempt
from ffmesh_agent.core.audiences import Reader
from ffmesh_agent.core.desk import Desk
from ffmesh_agent.core.effects import (
    CloseStreams,
    CommitOutput,
    DropOutput,
    DropResult,
    HoldUntil,
    KeepResult,
    Kill,
    Launch,
    LookAtRoots,
    OpenStreams,
    PassOn,
    Quit,
    SealOutput,
    Terminate,
)
from ffmesh_agent.core.events import OutputNotCommitted, OutputNotSealed, ProgramEnded, ProgramNotStarted, StagedOutput
from ffmesh_agent.core.fitting import fitting
from ffmesh_agent.core.leases import Leases, has_time_to_start, last_moment
from ffmesh_agent.core.pausing import Pausing
from ffmesh_agent.core.public import Public
from ffmesh_agent.core.willing import why_all_end, why_unwilling
from ffmesh_protocol import times
from ffmesh_protocol.errors import Forged
from ffmesh_protocol.keys import SealedFor
from ffmesh_protocol.messages.jobs import JobKind, Progress, Written
from ffmesh_protocol.messages.orders import Audience, Grant, Offer, Stop
from ffmesh_protocol.messages.reports import (
    Claim,
    Decline,
    DeclineCode,
    Declined,
    FailureKind,
    Held,
    HeldPhase,
    MayCommit,
    Result,
    Results,
    Started,
)
from ffmesh_protocol.messages.requests import CallerSignals
from ffmesh_protocol.names import client as client_principal
from ffmesh_protocol.reasons import REASON_OF_STOP, SENTENCES, ReasonCode, Stopped

WAITS_FOR_WORD: Final = frozenset({HeldPhase.STAGED, HeldPhase.COMMITTING})
"""No program runs; a leaving agent keeps what they have for its next life."""

IN_HASTE: Final = frozenset({Stopped.SHUTDOWN, Stopped.HANDED_BACK})
"""No `q` and little patience: nobody keeps what such a program could still finish, and the machine may fall asleep."""

OF_AN_OPEN_ATTEMPT: Final = (
    *(About.RESERVATION, About.FIRST_CREDIT, About.TIMEOUT, About.TERMINATE, About.KILL, About.LEASE),
)

LEAVING_KILL = 1.0
"""A shutdown does not wait as long as a cancel for a program to end by itself."""


class Bench:
    def __init__(self, desk: Desk, public: Public, leases: Leases) -> None:
        self._desk = desk
        self._public = public
        self._leases = leases
        self._pausing = Pausing(desk, public.slots)
        self._attempts: dict[str, Attempt] = {}
        self._settled: set[str] = set()
        self._offered: dict[str, Offer] = {}
        """Those whose roots are being looked at."""

    # --- what there is ------------------------------------------------------------------------------------------------

    def held(self) -> tuple[Held, ...]:
        return tuple(self._attempts[name].held() for name in sorted(self._attempts))

    def running_jobs(self) -> tuple[str, ...]:
        return tuple(sorted(each.job for each in self._attempts.values() if each.phase is HeldPhase.RUNNING))

    def used(self, slot: str) -> int:
        """Or about to be."""
        offered = sum(1 for each in self._offered.values() if each.needs.slot == slot)
        return offered + sum(1 for each in self._attempts.values() if each.takes_slot and each.slot == slot)

    def is_idle(self) -> bool:
        """Nothing runs or is about to be renamed, and every result is on disk."""
        return all(
            (each.phase is HeldPhase.ENDED and each.kept) or (each.phase in WAITS_FOR_WORD and not each.renaming)
            for each in self._attempts.values()
        )

    def is_empty(self) -> bool:
        """And everything that there was is settled."""
        return not self._attempts and not self._offered

    def unfinished(self) -> int:
        return sum(1 for each in self._attempts.values() if each.phase is not HeldPhase.ENDED)

    def restore(self, results: Sequence[Result], staged: Sequence[StagedOutput]) -> None:
        """What earlier lives left unsettled."""
        for result in results:
            self._attempts[result.attempt] = Attempt(
                id=result.attempt, job=result.job, slot="", phase=HeldPhase.ENDED, result=result, kept=True
            )
        for output in staged:
            self._restore_output(output)

    def _restore_output(self, output: StagedOutput) -> None:
        """Whole and aside: it takes its place only by a permission that is given to this life."""
        result = fitting(output.result)
        if result.attempt in self._attempts:
            self._desk.order(DropOutput(attempt=result.attempt))
            return
        attempt = Attempt(
            id=result.attempt,
            job=result.job,
            slot="",
            kind=JobKind.STAGED,
            phase=HeldPhase.STAGED,
            launched=True,
            result=result,
        )
        self._attempts[attempt.id] = attempt
        if output.committed:
            self._ended(attempt, result)

    # --- offers and grants --------------------------------------------------------------------------------------------

    def offered(self, offers: Sequence[Offer]) -> None:
        """Claimed or declined; one that needs roots when they have been looked at once more."""
        known = [each.attempt for each in offers if each.attempt in self._attempts or each.attempt in self._settled]
        answers = [self._answer(each) for each in offers if each.attempt not in (*known, *self._offered)]
        self._say(known, answers)

    def roots_looked_at(self, attempt_id: str) -> None:
        """Those that it needs. Whether they are there is known as well as it can be."""
        offer = self._offered.pop(attempt_id, None)
        if offer is not None:
            self._say([], [self._unwilling(offer) or self._reserved(offer)])

    def _answer(self, offer: Offer) -> Declined | str | None:
        """The attempt, if it is claimed; null: the answer takes a little longer."""
        no = self._unwilling(offer)
        if no is not None:
            return no
        if not offer.needs.roots:
            return self._reserved(offer)
        self._offered[offer.attempt] = offer
        self._desk.order(LookAtRoots(attempt=offer.attempt, roots=offer.needs.roots))
        return None

    def _reserved(self, offer: Offer) -> str:
        reserved = self._attempts[offer.attempt] = Attempt.reserved(offer)
        reserved.claimed_at = self._desk.now
        self._desk.deadlines.set(About.RESERVATION, offer.attempt, self._desk.after(times.RESERVATION))
        return offer.attempt

    def _say(self, known: Sequence[str], answers: Sequence[Declined | str | None]) -> None:
        claimed = (*known, *(each for each in answers if isinstance(each, str)))
        declined = tuple(each for each in answers if isinstance(each, Declined))
        if claimed:
            self._desk.tell(Claim(attempts=claimed))
        if declined:
            self._desk.tell(Decline(declined=declined))

    def _unwilling(self, offer: Offer) -> Declined | None:
        """Why not: this machine knows itself best."""

        def no(code: DeclineCode, reason: str) -> Declined:
            return Declined(attempt=offer.attempt, code=code, reason=reason)

        unwilling = why_unwilling(self._desk)
        if unwilling is not None:
            return no(DeclineCode.DRAINING, unwilling)
        cannot = self._public.cannot(offer.needs)
        if cannot is not None:
            return no(*cannot)
        total = self._public.slots(offer.needs.slot)
        if not self._has_room(offer.needs.slot, offer.kind):
            return no(DeclineCode.BUSY, f"{total} of {total} {offer.needs.slot} slots are used")
        return None

    def _has_room(self, slot: str, kind: JobKind) -> bool:
        """What somebody waits for takes the slot of what nobody does, which stands still meanwhile."""
        if kind is not JobKind.INTERACTIVE:
            return self.used(slot) < self._public.slots(slot)
        holders = [each.kind for each in self._attempts.values() if each.takes_slot and each.slot == slot]
        holders += [each.kind for each in self._offered.values() if each.needs.slot == slot]
        return holders.count(JobKind.INTERACTIVE) < self._public.slots(slot)

    def granted(self, grant: Grant) -> None:
        self._offered.pop(grant.attempt, None)
        known = self._attempts.get(grant.attempt)
        if grant.attempt in self._settled or (known is not None and known.phase is not HeldPhase.RESERVED):
            if known is not None and known.kept:
                self._report(known)
            return
        attempt = known or Attempt(id=grant.attempt, job=grant.job, slot=grant.needs.slot, kind=grant.kind)
        self._desk.deadlines.lift(About.RESERVATION, attempt.id)
        refusal = self._refusal_of(grant, is_new=known is None)
        self._attempts[attempt.id] = attempt
        attempt.grant = grant
        attempt.phase = HeldPhase.GRANTED
        attempt.client_is_here = grant.audience is None
        self._leases.begun(attempt)
        if refusal is not None:
            self._not_started(attempt, *refusal, failure=FailureKind.NODE)
            return
        if grant.audience is not None:
            self._open_streams(attempt, grant, grant.audience)
        self._launch_if_ready(attempt)

    def _refusal_of(self, grant: Grant, *, is_new: bool) -> tuple[ReasonCode, str] | None:
        if self._desk.leaving:
            return ReasonCode.SHUTDOWN, SENTENCES[ReasonCode.SHUTDOWN]
        cannot = self._public.cannot(grant.needs)
        if cannot is not None:
            return ReasonCode.REFUSED_BY_AGENT, f"agent {self._desk.name} refused it: {cannot[1]}"
        if is_new and not self._has_room(grant.needs.slot, grant.kind):
            sentence = f"agent {self._desk.name} had given the slot away when the grant came"
            return ReasonCode.NOT_STARTED, sentence
        return None

    def _open_streams(self, attempt: Attempt, grant: Grant, audience: Audience) -> None:
        desk = self._desk
        bound_to = SealedFor(job=grant.job, attempt=grant.attempt, agent=desk.name, life=desk.life)
        try:
            keys = desk.post.unsealed(base64.b64decode(audience.sealed_keys, validate=True), bound_to)
        except (Forged, binascii.Error):
            sentence = f"agent {desk.name} could not open the keys of the job's streams"
            self._not_started(attempt, ReasonCode.NOT_STARTED, sentence, failure=FailureKind.NODE)
            return
        reader = Reader(
            attempt=attempt.id,
            client=client_principal(audience.client),
            life=audience.life,
            kid=audience.kid,
            keys=keys,
        )
        desk.audiences.open(reader)
        desk.order(
            OpenStreams(attempt=attempt.id, client=audience.client, life=audience.life, kid=audience.kid, keys=keys)
        )
        desk.deadlines.set(About.FIRST_CREDIT, attempt.id, desk.after(times.FIRST_CREDIT))

    def _launch_if_ready(self, attempt: Attempt) -> None:
        """A grant that came so late that the job may be another's by now starts nothing, until a `leased` names it."""
        if attempt.phase is not HeldPhase.GRANTED or attempt.launched or attempt.grant is None:
            return
        may_run = attempt.paused is None and why_all_end(self._desk) is None
        if attempt.client_is_here and may_run and has_time_to_start(attempt, self._desk.now):
            attempt.launched = True
            if attempt.kind is JobKind.INTERACTIVE:
                self.settle_pauses()  # whose slot it takes stops before it begins
            self._desk.order(Launch(grant=attempt.grant, kill_at=last_moment(attempt)))

    # --- leases -------------------------------------------------------------------------------------------------------

    def leased(self, beat: int, attempt_ids: Sequence[str]) -> None:
        for attempt_id in attempt_ids:
            attempt = self._attempts.get(attempt_id)
            if attempt is not None and attempt.phase is not HeldPhase.ENDED and self._leases.renewed(attempt, beat):
                self._has_time(attempt)

    def stood_still(self, seconds: float) -> None:
        """The coordinator was away, and with it everyone who could give the jobs to others."""
        for attempt in self._attempts.values():
            if attempt.phase is not HeldPhase.ENDED and self._leases.put_off(attempt, seconds):
                self._has_time(attempt)

    def _has_time(self, attempt: Attempt) -> None:
        if attempt.has_program:
            self._desk.order(HoldUntil(attempt=attempt.id, kill_at=last_moment(attempt)))
        self._launch_if_ready(attempt)
        self._rename_if_ready(attempt)

    def lease_ends(self, attempt_id: str) -> None:
        """Soon. What is only kept may stay: without permission it harms nobody."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.has_program:
            self.stop(attempt_id, Stopped.LEASE)

    def withdrawn(self, attempt_id: str) -> None:
        """Our claim came too late, or its grant never did."""
        self._offered.pop(attempt_id, None)
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.phase is HeldPhase.RESERVED:
            del self._attempts[attempt_id]
            self._desk.deadlines.lift(About.RESERVATION, attempt_id)

    # --- programs -----------------------------------------------------------------------------------------------------

    def program_started(self, attempt_id: str, *, reads_keys: bool = False) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.phase is not HeldPhase.GRANTED:
            return
        attempt.phase = HeldPhase.RUNNING
        attempt.reads_keys = reads_keys
        self._desk.tell(Started(attempts=(attempt_id,)))
        timeout = attempt.grant.timeout_seconds if attempt.grant is not None else None
        if timeout is not None:
            self._pausing.allow(attempt, timeout)
        if attempt.stopping is not None:
            self._desk.order(Terminate(attempt=attempt_id))

    def program_not_started(self, said: ProgramNotStarted) -> None:
        attempt = self._attempts.get(said.attempt)
        if attempt is not None and attempt.result is None:
            self._not_started(attempt, said.reason_code, said.sentence, attempt.stopping, said.failure)

    def program_ended(self, ended: ProgramEnded) -> None:
        attempt = self._attempts.get(ended.attempt)
        if attempt is None or attempt.result is not None:
            return
        stopped = attempt.stopping or (Stopped.LEASE if ended.by_deadline else None)
        code = REASON_OF_STOP[stopped] if stopped is not None else None
        result = Result(
            attempt=attempt.id,
            job=attempt.job,
            started=True,
            exit_code=ended.exit_code,
            signal=ended.signal,
            stopped=stopped,
            reason_code=code,
            reason=attempt.why_stopping or SENTENCES[code] if code is not None else ended.reason,
            seconds=ended.seconds,
            lengths=ended.lengths,
            failure=ended.failure if stopped is None else None,
            progress=attempt.progress,
            outputs=ended.outputs if stopped is None and ended.exit_code == 0 else (),
            last_lines=ended.last_lines if stopped is not None or ended.exit_code != 0 or ended.half_written else (),
        )
        if attempt.kind is not JobKind.STAGED or stopped is not None or ended.exit_code != 0:
            self._ended(attempt, result)
            return
        attempt.result = result = fitting(result)
        if ended.half_written:
            sentence = "the program ended with 0, but said that it could not write the end of its output"
            self._output_failed(attempt, sentence, FailureKind.NODE)
        else:
            self._desk.deadlines.lift(About.TIMEOUT, attempt.id)
            self._desk.order(SealOutput(result=result))

    def _not_started(
        self,
        attempt: Attempt,
        code: ReasonCode,
        sentence: str,
        stopped: Stopped | None = None,
        failure: FailureKind | None = None,
    ) -> None:
        self._ended(
            attempt,
            Result(
                attempt=attempt.id,
                job=attempt.job,
                started=False,
                exit_code=None,
                signal=None,
                stopped=stopped,
                reason_code=code,
                reason=sentence,
                seconds=0.0,
                lengths=None,
                failure=failure if stopped is None else None,
            ),
        )
        self.close_streams(attempt.id)

    def _ended(self, attempt: Attempt, result: Result) -> None:
        desk = self._desk
        attempt.phase = HeldPhase.ENDED
        attempt.result = result = fitting(result)
        attempt.paused = attempt.time_left = None
        for about in OF_AN_OPEN_ATTEMPT:
            desk.deadlines.lift(about, attempt.id)
        desk.order(KeepResult(result=result))
        self._public.progress_over(attempt.job)

    def progressed(self, attempt_id: str, progress: Progress) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.phase is HeldPhase.RUNNING:
            attempt.progress = progress
            self._public.progressed(attempt.job, progress)

    # --- outputs that take their places by permission -----------------------------------------------------------------

    def output_sealed(self, attempt_id: str, outputs: tuple[Written, ...] = ()) -> None:
        """Whole and on disk, this large. If it was stopped meanwhile it is dropped, else it waits for permission."""
        attempt = self._attempts.get(attempt_id)
        if attempt is None or attempt.result is None or attempt.phase is not HeldPhase.RUNNING:
            return
        attempt.phase = HeldPhase.STAGED
        attempt.result = fitting(structs.replace(attempt.result, outputs=outputs))
        if attempt.stopping is not None:
            self._give_up(attempt, attempt.stopping)
        else:
            self._desk.tell(MayCommit(attempts=(attempt_id,)))

    def output_not_sealed(self, said: OutputNotSealed) -> None:
        attempt = self._attempts.get(said.attempt)
        if attempt is not None and attempt.result is not None and attempt.phase is not HeldPhase.ENDED:
            self._output_failed(attempt, said.sentence, said.failure)

    def permitted(self, attempt_ids: Sequence[str]) -> None:
        for attempt_id in attempt_ids:
            attempt = self._attempts.get(attempt_id)
            if attempt is None:
                continue
            if attempt.phase is HeldPhase.STAGED:
                attempt.phase = HeldPhase.COMMITTING
                self._rename_if_ready(attempt)
            elif attempt.phase is HeldPhase.ENDED and attempt.kept:
                self._report(attempt)

    def _rename_if_ready(self, attempt: Attempt) -> None:
        """Within the lease only: after it the place may be another attempt's. What was tried within this lease, and
        found it too short, waits for a longer one."""
        until = last_moment(attempt)
        may_begin = attempt.phase is HeldPhase.COMMITTING and not attempt.renaming
        if may_begin and self._desk.now < until and attempt.tried_until < until:
            attempt.renaming = True
            attempt.tried_until = until
            self._desk.order(CommitOutput(attempt=attempt.id, until=until))

    def output_committed(self, attempt_id: str) -> None:
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.result is not None and attempt.phase is HeldPhase.COMMITTING:
            self._ended(attempt, attempt.result)

    def output_not_committed(self, said: OutputNotCommitted) -> None:
        attempt = self._attempts.get(said.attempt)
        if attempt is None or attempt.phase is not HeldPhase.COMMITTING:
            return
        attempt.renaming = False
        if not said.too_late:
            self._output_failed(attempt, said.sentence, said.failure)
        elif attempt.stopping is not None:
            self._give_up(attempt, attempt.stopping)
        else:
            self._rename_if_ready(attempt)

    def _output_failed(self, attempt: Attempt, sentence: str, failure: FailureKind) -> None:
        """It cannot take its place; if it was to be stopped meanwhile, that is what is said of it."""
        if attempt.stopping is not None:
            self._give_up(attempt, attempt.stopping)
            return
        assert attempt.result is not None
        code = ReasonCode.NOT_COMMITTED
        self._ended(attempt, structs.replace(attempt.result, reason_code=code, reason=sentence, failure=failure))

    def _give_up(self, attempt: Attempt, why: Stopped) -> None:
        """It may not take its place, and never will: nothing has been renamed."""
        assert attempt.result is not None
        code = REASON_OF_STOP[why]
        self._ended(
            attempt,
            structs.replace(attempt.result, stopped=why, reason_code=code, reason=SENTENCES[code], failure=None),
        )

    # --- results ------------------------------------------------------------------------------------------------------

    def result_kept(self, attempt_id: str) -> None:
        """On disk here; now the coordinator may hear it."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None:
            attempt.kept = True
            if attempt.kind is JobKind.STAGED:
                self._desk.order(DropOutput(attempt=attempt_id))
            self._report(attempt)

    def report_again(self, attempt_ids: Sequence[str]) -> None:
        for attempt_id in attempt_ids:
            attempt = self._attempts.get(attempt_id)
            if attempt is not None and attempt.kept:
                self._report(attempt)

    def report_all(self) -> None:
        self.report_again(sorted(self._attempts))

    def _report(self, attempt: Attempt) -> None:
        assert attempt.result is not None
        self._desk.tell(Results(results=(attempt.result,)))

    def settled(self, attempt_ids: Sequence[str]) -> None:
        for attempt_id in attempt_ids:
            attempt = self._attempts.get(attempt_id)
            if attempt is not None and attempt.kept:
                del self._attempts[attempt_id]
                self._settled.add(attempt_id)
                self._desk.order(DropResult(attempt=attempt_id))

    # --- standing still -----------------------------------------------------------------------------------------------

    def settle_pauses(self) -> None:
        """After anything may have changed who has a slot, or what this machine is used for."""
        self._hand_back()
        for attempt in self._pausing.settle(self._attempts.values()):
            self._launch_if_ready(attempt)

    def _hand_back(self) -> None:
        """What runs here, or is about to, is for others to do. What only waits to take its place may."""
        why = why_all_end(self._desk)
        if why is None:
            return
        stopped = Stopped.HANDED_BACK if self._desk.knows_pauses else Stopped.SHUTDOWN
        for attempt in list(self._attempts.values()):
            has_work = attempt.phase in (HeldPhase.GRANTED, HeldPhase.RUNNING) and attempt.result is None
            if has_work and attempt.stopping is None:
                self.stop(attempt.id, stopped, why)

    def say_progress_again(self) -> None:
        """Of what stands still: nobody else says how far it is, and what is retained expires."""
        for attempt in self._attempts.values():
            if attempt.paused is not None and attempt.progress != NOTHING_KNOWN:
                self._public.progressed(attempt.job, attempt.progress)

    # --- stopping -----------------------------------------------------------------------------------------------------

    def told_to_stop(self, stop: Stop) -> None:
        """By the coordinator. Its grant may still be under way: then it must find an ended attempt."""
        self._offered.pop(stop.attempt, None)
        if stop.attempt in self._settled:
            return
        if stop.attempt not in self._attempts:
            self._attempts[stop.attempt] = Attempt(id=stop.attempt, job=stop.job, slot="")
        self.stop(stop.attempt, stop.why)

    def stop(self, attempt_id: str, why: Stopped, sentence: str | None = None) -> None:
        """`q`, SIGTERM and SIGKILL, each when what came before has not helped; nothing but a result where no program
        runs. What has begun to take its place is not stopped: its result says how that went. `sentence`: why, if there
        is more to say than `why` does."""
        attempt = self._attempts.get(attempt_id)
        if attempt is None:
            return
        if attempt.phase is HeldPhase.ENDED:
            if attempt.kept:
                self._report(attempt)
        elif attempt.renaming:
            attempt.stopping = attempt.stopping or why
        elif attempt.phase in WAITS_FOR_WORD:
            self._give_up(attempt, why)
        elif not attempt.launched:
            self._not_started(attempt, REASON_OF_STOP[why], sentence or SENTENCES[REASON_OF_STOP[why]], why)
        elif attempt.stopping is None:
            attempt.stopping = why
            attempt.why_stopping = sentence
            if attempt.result is not None:
                return  # its program has ended; its output is being sealed, and will be dropped
            self._pausing.release(attempt)  # stopped, it would hear nothing
            if attempt.reads_keys and why not in IN_HASTE:
                self._desk.order(Quit(attempt=attempt_id))
                self._desk.deadlines.set(About.TERMINATE, attempt_id, self._desk.after(times.STOP_Q))
            else:
                self.terminate(attempt_id)

    def stop_all(self) -> None:
        for attempt in list(self._attempts.values()):
            if attempt.phase is HeldPhase.RESERVED:
                self.withdrawn(attempt.id)
            elif attempt.phase in (HeldPhase.GRANTED, HeldPhase.RUNNING):
                self.stop(attempt.id, Stopped.SHUTDOWN)
                if self._desk.deadlines.is_set(About.TERMINATE, attempt.id):
                    self.terminate(attempt.id)
                self._desk.deadlines.set(About.KILL, attempt.id, self._desk.after(LEAVING_KILL))

    def terminate(self, attempt_id: str) -> None:
        """It has read no `q`, or reads none."""
        attempt = self._attempts.get(attempt_id)
        self._desk.deadlines.lift(About.TERMINATE, attempt_id)
        if attempt is not None and attempt.has_program:
            patience = LEAVING_KILL if attempt.stopping in IN_HASTE else times.STOP_TERM
            self._desk.order(Terminate(attempt=attempt_id))
            self._desk.deadlines.set(About.KILL, attempt_id, self._desk.after(patience))

    def kill(self, attempt_id: str) -> None:
        """It did not end by itself. Asked again later, in case it had not been started when it was asked first."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.has_program:
            self._desk.order(Kill(attempt=attempt_id))
            self._desk.deadlines.set(About.KILL, attempt_id, self._desk.after(LEAVING_KILL))

    # --- readers of streams -------------------------------------------------------------------------------------------

    def credited(self, attempt_id: str) -> None:
        """Its client is there: the first time the program starts, every time its silence is counted anew."""
        desk, attempt = self._desk, self._attempts.get(attempt_id)
        desk.deadlines.lift(About.FIRST_CREDIT, attempt_id)
        if desk.audiences.get(attempt_id) is not None:
            desk.deadlines.set(About.CLIENT_SILENCE, attempt_id, desk.after(times.CLIENT_SILENCE))
        if attempt is not None:
            attempt.client_is_here = True
            self._launch_if_ready(attempt)

    def signalled(self, came: CallerSignals) -> None:
        """By its client. Those that the program has had are not given to it again; where there is none yet, the client
        says it once more."""
        attempt = self._attempts.get(came.attempt)
        if attempt is None or not attempt.has_program:
            return
        already = attempt.signals_passed + 1 - came.first
        fresh = came.signals[already:] if already >= 0 else ()
        attempt.signals_passed += len(fresh)
        self._desk.order(PassOn(attempt=came.attempt, signals=fresh, passed=attempt.signals_passed))

    def no_credit(self, attempt_id: str) -> None:
        """The client never came for its streams: the grant is given back, nothing was started."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.phase is HeldPhase.GRANTED and not attempt.launched:
            sentence = SENTENCES[ReasonCode.CLIENT_SILENT]
            self._not_started(attempt, ReasonCode.CLIENT_SILENT, sentence, failure=FailureKind.TRANSIENT)

    def client_lost(self, attempt_id: str, why: Stopped) -> None:
        """Nobody reads its streams any more."""
        attempt = self._attempts.get(attempt_id)
        if attempt is not None and attempt.phase is not HeldPhase.ENDED:
            self.stop(attempt_id, why)
        self.close_streams(attempt_id)

    def close_streams(self, attempt_id: str) -> None:
        desk = self._desk
        reader = desk.audiences.close(attempt_id)
        for about in (About.FIRST_CREDIT, About.CLIENT_WILL, About.CLIENT_SILENCE):
            desk.deadlines.lift(about, attempt_id)
        if reader is not None:
            desk.post.close(reader)
            desk.order(CloseStreams(attempt=attempt_id))

    def count_silences(self) -> None:
        """Anew: we have just connected."""
        desk = self._desk
        for attempt_id in desk.audiences.attempts():
            attempt = self._attempts.get(attempt_id)
            waits = attempt is not None and attempt.phase is HeldPhase.GRANTED and not attempt.client_is_here
            if waits:
                desk.deadlines.set(About.FIRST_CREDIT, attempt_id, desk.after(times.FIRST_CREDIT))
            else:
                desk.deadlines.set(About.CLIENT_SILENCE, attempt_id, desk.after(times.CLIENT_SILENCE))

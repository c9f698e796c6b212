"""Follows what a job's programs say on standard error, attempt after attempt, to the job's end. Pure.

It is shown the job, says what to ask, and is given the answer. A question says how far we have got, so that it may be
asked again, and after any loss: no line is told twice, and none is left out in silence. The job is looked at before the
question is asked: what had ended by then says nothing new after the answer.
"""

from typing import TypeAlias

from ffmesh_protocol.errors import RefusalCode, Refused
from ffmesh_protocol.messages.answers import Lines, Refusal
from ffmesh_protocol.messages.jobs import AttemptView, JobView
from ffmesh_protocol.messages.reports import LogLine
from ffmesh_protocol.messages.requests import Logs
from ffmesh_protocol.wire import Told


class Remark(Told, frozen=True):
    """Something that a reader of the lines should know, where it stands among them."""

    sentence: str


Heard: TypeAlias = LogLine | Remark


class Following:
    """It begins with the kept end of the job's last attempt, and has all lines of every later one."""

    def __init__(self) -> None:
        self.has_ended = False
        """There is nothing more to be asked."""
        self.is_behind = False
        """There is more already: look and ask again at once."""
        self._attempt: AttemptView | None = None
        self._after: int | None = None
        self._is_fresh = True
        """Nothing has been answered of this attempt yet."""
        self._is_over = False
        """It was when we looked."""
        self._later: tuple[AttemptView, ...] = ()
        self._job_is_over = False
        self._heard: list[Heard] = []

    def taken(self) -> list[Heard]:
        """What was heard since the last time, in its order."""
        heard, self._heard = self._heard, []
        return heard

    def seen(self, job: JobView) -> Logs | None:
        """What to ask about the job as it is now; None: nothing, for the moment or (`has_ended`) for good."""
        self._job_is_over = job.state.is_end
        attempts = {attempt.number: attempt for attempt in job.attempts}
        if self._attempt is None and job.attempts:
            self._begin(job.attempts[-1], after=None)
        if self._attempt is None:
            if self._job_is_over:
                self._remark(f"job {job.id} was never started, so there is no log of it")
                self.has_ended = True
            return None
        number = self._attempt.number
        self._attempt = attempts.get(number, self._attempt)
        self._later = tuple(attempt for attempt in job.attempts if attempt.number > number)
        self._is_over = self._attempt.ended_at is not None or bool(self._later) or self._job_is_over
        return Logs(job=job.id, attempt=number, after=self._after)

    def answered(self, answer: Lines | Refusal) -> None:
        """`Refused`: what is missing will never come, or the question is not for us to ask."""
        self.is_behind = False
        if isinstance(answer, Refusal):
            self._refused(answer)
        else:
            self._add(answer.lines)
            self.is_behind = answer.more and bool(answer.lines)
            if self._is_over and not self.is_behind:
                self._go_on()

    def _refused(self, refusal: Refusal) -> None:
        if refusal.code not in (RefusalCode.AGENT_AWAY, RefusalCode.NO_LOGS):
            raise Refused(refusal.code, refusal.sentence)
        if not self._is_over:
            return  # not begun yet, or its agent will be back
        if refusal.code is RefusalCode.AGENT_AWAY and not self._later and self._job_is_over:
            raise Refused(refusal.code, f"the job has ended, and the end of its log is missing: {refusal.sentence}")
        if self._later or self._job_is_over:
            assert self._attempt is not None
            self._remark(f"the end of attempt {self._attempt.number} is missing: {refusal.sentence}")
            self._go_on()

    def _add(self, lines: tuple[LogLine, ...]) -> None:
        for line in lines:
            before = self._after
            if not self._is_fresh and before is not None and line.number <= before:
                continue  # an agent that does not count sends all that it has each time
            if before is not None and line.number > before + 1:
                self._remark("some lines are missing here: more was said than the agent keeps")
            self._heard.append(line)
            self._after = line.number
        if self._is_fresh and lines and lines[-1].number == 0 and not self._is_over:
            self._remark("this agent is of an earlier version: what the program says from now on cannot be followed")
        self._is_fresh = False
        self._after = self._after or 0

    def _go_on(self) -> None:
        """All of this attempt was told. The next one begins with its first line."""
        if self._later:
            self._begin(self._later[0], after=0)
            self.is_behind = True
        elif self._job_is_over:
            self.has_ended = True

    def _begin(self, attempt: AttemptView, *, after: int | None) -> None:
        self._attempt = attempt
        self._after = after
        self._is_fresh = True
        if attempt.number > 1:
            self._remark(f"attempt {attempt.number} on {attempt.agent}")

    def _remark(self, sentence: str) -> None:
        self._heard.append(Remark(sentence=sentence))

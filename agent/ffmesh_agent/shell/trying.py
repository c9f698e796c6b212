"""Tries in the background what ffmpeg lists: one trial at a time, while a slot of this machine is free.

What a trial has shown is kept on disk for that program, those drivers and those devices, and tried again when one of
them is another one: that is looked at once a minute. What a job failed with is tried again at once. What had worked and
does not now, or did not answer in time, is tried again later, as its device may have been busy.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from ffmesh_agent.ffmpeg import trial_words, trials
from ffmesh_agent.ffmpeg.doubts import Doubts, asked_for
from ffmesh_agent.ffmpeg.proven import Listed, Outcome, Standing, standing, untried
from ffmesh_agent.ffmpeg.trials import Nodes, Subject
from ffmesh_agent.shell import drivers
from ffmesh_agent.shell.capture import Asker, Heard, NoAnswer
from ffmesh_agent.shell.clock import boottime
from ffmesh_agent.shell.environment import environment
from ffmesh_agent.shell.fencing import Fencing
from ffmesh_agent.shell.leisure import Leisure
from ffmesh_protocol.messages.orders import Grant
from ffmesh_protocol.messages.reports import Result
from ffmesh_protocol.wire import Told
from ffmesh_warden.fence import Fence

TRIAL_SECONDS: Final = 20.0
"""Long enough for a slow encoder on a slow machine that is busy with other things."""

SPEED_SECONDS: Final = 10.0
"""An encoder that has not made a second's worth of pictures by then has told enough."""

LOOK_AGAIN: Final = 60.0
AGAIN_AFTER: Final = 600.0
AGAIN_AT_MOST: Final = 86_400.0
TELL_APART: Final = 1.0
"""Seconds at least, while there is more to come: each time the long lists are sent to everybody."""

log = logging.getLogger(__name__)


class _Kept(Told, frozen=True):
    identity: str
    outcomes: dict[str, Outcome]


class Trying:
    def __init__(
        self,
        asker: Asker,
        fencing: Fencing,
        memory: Path,
        slots: int,
        tell: Callable[[], None],
        *,
        is_wanted: bool = True,
    ) -> None:
        """Within a fence, as jobs run: what works outside of it only is of no use to them.

        `tell` is called when `standing` says something else than before. Not `is_wanted`: nothing is ever tried.
        """
        self.is_wanted = is_wanted
        self._folder = memory.with_suffix("")
        asker = replace(asker, folder=self._folder, environment=environment(asker.environment, {}, self._folder))
        self._asker = replace(asker, seconds=TRIAL_SECONDS)
        self._meter = replace(asker, seconds=SPEED_SECONDS)
        self._fencing = fencing
        self._memory = memory
        self._tell = tell
        self._leisure = Leisure(slots)
        self._doubts = Doubts()
        self._jobs: dict[str, Grant] = {}
        """Those that run, by attempts."""
        self._path = ""
        self._called = ""
        self._listed: Listed | None = None
        self._nodes = Nodes()
        self._identity = ""
        self._subjects: tuple[Subject, ...] = ()
        self._outcomes: dict[str, Outcome] = {}
        self._doubted: set[str] = set()
        self._again_at: dict[str, float] = {}
        """Of outcomes that may be others next time. They are not kept on disk."""
        self._in_vain: dict[str, int] = {}
        """How often in a row each was tried again and failed."""
        self._news = asyncio.Event()
        self._told_at = float("-inf")

    def standing(self, listed: Listed) -> Standing:
        if not self.is_wanted:
            return untried(listed)
        if self._listed is not listed:
            return standing(listed, trials.subjects(listed.encoders, listed.hwaccels, Nodes()), {})
        return standing(listed, self._subjects, self._outcomes, self._doubted)

    def begin(self, path: str, called: str, listed: Listed) -> None:
        """With this program, by what is remembered of it. `called`: what tells it from others."""
        self._path, self._called, self._listed, self._nodes = path, called, listed, drivers.nodes()
        shutil.rmtree(
            self._folder, ignore_errors=True
        )  # what drivers kept there for next time; a job finds none either
        self._folder.mkdir(exist_ok=True)
        self._identity = self._identified()
        self._subjects = trials.subjects(listed.encoders, listed.hwaccels, self._nodes)
        self._doubted.clear()
        self._again_at.clear()
        self._in_vain.clear()
        known = {each.called for each in self._subjects}
        self._outcomes = {name: outcome for name, outcome in self._kept().items() if name in known}

    async def until_other(self, is_same: Callable[[], bool]) -> None:
        """Tries what the program lists that was begun with, until it is another one."""
        is_news = self._undecided() is not None
        while True:
            if (subject := self._undecided()) is not None:
                await self._decide(subject)
                if is_news and self._undecided() is None:
                    is_news = False
                    working = sum(outcome.works for outcome in self._outcomes.values())
                    log.info("%s of %s encoders and accelerators that were tried work", working, len(self._outcomes))
            elif (unmeasured := self._unmeasured()) is not None:
                await self._measure(unmeasured)
            else:
                self._say()
                self._news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN):
                        await self._news.wait()
                if not is_same():
                    return
                if self._listed is not None and self._identified() != self._identity:
                    log.info("a driver or a device is another one: all is tried again")
                    self.begin(self._path, self._called, self._listed)

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def job_began(self, grant: Grant) -> None:
        self._leisure.began(grant.attempt)
        self._jobs[grant.attempt] = grant

    def job_over(self, result: Result) -> None:
        self._leisure.over(result.attempt)
        grant = self._jobs.pop(result.attempt, None)
        if grant is not None and self.is_wanted:
            self._doubt(self._doubts.ended(result, asked_for(grant) if result.failure is not None else frozenset()))

    def _doubt(self, called: Iterable[str]) -> None:
        """What has been tried, and is to be once more."""
        doubted = {each for each in called if each in self._outcomes} - self._doubted
        if not doubted:
            return
        log.warning("tried again, as a job failed that asked for it: %s", ", ".join(sorted(doubted)))
        self._doubted |= doubted
        self._keep()
        self._say()
        self._news.set()

    # --- what comes next ----------------------------------------------------------------------------------------------

    def _undecided(self) -> Subject | None:
        now = boottime()
        due = {name for name, at in self._again_at.items() if at <= now}
        waiting = self._doubted | due
        return next(
            (each for each in self._subjects if each.called not in self._outcomes or each.called in waiting), None
        )

    def _unmeasured(self) -> Subject | None:
        def is_next(subject: Subject) -> bool:
            outcome = self._outcomes[subject.called]
            return subject.has_speed and outcome.works and not outcome.is_measured

        return next(filter(is_next, self._subjects), None)

    # --- trials -------------------------------------------------------------------------------------------------------

    async def _decide(self, subject: Subject) -> None:
        before = self._outcomes.get(subject.called)
        try:
            outcome, is_sure = await self._leisure.spend(partial(self._tried, subject))
        except Exception:  # of one encoder, whatever it is: the others can be tried
            log.exception("%s cannot be tried", subject.called)
            outcome, is_sure = Outcome(works=False, why="it could not be tried; the agent's log says why"), False
        self._again_at.pop(subject.called, None)
        if outcome.works:
            self._in_vain.pop(subject.called, None)
        elif not is_sure or before is not None:
            self._again_at[subject.called] = boottime() + self._patience(subject.called)
        if outcome.works and before is not None and before.works:
            outcome = structs.replace(outcome, is_measured=before.is_measured, fps=before.fps)
        self._outcomes[subject.called] = outcome
        if not outcome.works and before is not None and before.works:
            log.warning("%s does not work any more: %s", subject.called, outcome.why)
        was_doubted = subject.called in self._doubted
        self._doubted.discard(subject.called)
        self._keep()
        if was_doubted or boottime() - self._told_at >= TELL_APART:
            self._say()

    async def _tried(self, subject: Subject) -> tuple[Outcome, bool]:
        """And whether that is certain."""
        if subject.why_not is not None:
            return Outcome(works=False, why=subject.why_not), True
        whys: dict[str | None, str] = {}
        taken: dict[str | None, str] = {}
        is_sure = True
        for device in subject.devices:
            try:
                why = await self._why_not(subject, device, subject.sizes[0])
            except NoAnswer as silence:
                why, is_sure = f"ffmpeg {silence}", False
            if why is None:
                taken[device] = await self._largest(subject, device)
            else:
                whys[device] = why
        if not taken:
            return Outcome(works=False, why=_joined(whys)), is_sure
        has_sizes = subject.is_encoder and len(subject.sizes) > 1
        largest = max(taken.values(), key=trials.SIZES.index) if has_sizes else None
        return Outcome(works=True, device=next(iter(taken)), largest=largest), True

    async def _largest(self, subject: Subject, device: str | None) -> str:
        """Of its sizes, the first of which is taken."""
        taken, *larger = subject.sizes
        with suppress(NoAnswer):
            for size in larger if subject.is_encoder else ():
                if await self._why_not(subject, device, size) is not None:
                    break
                taken = size
        return taken

    async def _why_not(self, subject: Subject, device: str | None, size: str) -> str | None:
        """`NoAnswer`: that is not certain."""
        line = [self._path, *trials.trial(subject, device, self._nodes, size)]
        heard = await self._asker.tried(line, await self._fence())
        if heard.ended.exit_code == 0:
            if subject.makes_pictures and not trial_words.has_encoded(heard.printed):
                return "it ended well, and has encoded nothing"
            return trial_words.computed(heard.printed)
        why = self._asker.unanswered(heard.ended) or ""
        if heard.ended.by_deadline or heard.ended.warden_died:
            raise NoAnswer(why)
        return trial_words.reason(heard.printed) or f"ffmpeg {why}"

    def _patience(self, called: str) -> float:
        """Seconds until it is tried again, doubling each time that it was in vain."""
        times = self._in_vain[called] = self._in_vain.get(called, 0) + 1
        return min(AGAIN_AFTER * 2.0 ** min(times - 1, 10), AGAIN_AT_MOST)

    async def _measure(self, subject: Subject) -> None:
        outcome = self._outcomes[subject.called]
        line = [self._path, *trials.speed_trial(subject.name, outcome.device, self._nodes)]
        fps: float | None = None
        try:
            measure = partial(self._meter.tried, line, await self._fence())
            heard: Heard = await self._leisure.spend(measure, alone=True)
            if heard.ended.exit_code == 0 or heard.ended.by_deadline:
                fps = trial_words.fps(heard.printed, heard.took)
        except NoAnswer as why:
            log.info("how fast %s is cannot be told: ffmpeg %s", subject.called, why)
        except Exception:  # as above
            log.exception("how fast %s is cannot be told", subject.called)
        self._outcomes[subject.called] = structs.replace(outcome, is_measured=True, fps=fps)
        self._keep()
        if boottime() - self._told_at >= TELL_APART:
            self._say()

    async def _fence(self) -> Fence | None:
        return await self._fencing.alone(self._path, self._folder)

    def _say(self) -> None:
        self._told_at = boottime()
        self._tell()

    def _identified(self) -> str:
        return f"{self._called}\n{self._fencing.called}\n{drivers.identity()}"

    # --- on disk ------------------------------------------------------------------------------------------------------

    def _kept(self) -> dict[str, Outcome]:
        try:
            kept = msgspec.json.decode(self._memory.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError):
            return {}  # the first start, or a file that costs a minute to make again
        return kept.outcomes if kept.identity == self._identity else {}

    def _keep(self) -> None:
        """What is certain."""
        unsure = self._doubted | self._again_at.keys()
        sure = {name: outcome for name, outcome in self._outcomes.items() if name not in unsure}
        new = self._memory.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(_Kept(identity=self._identity, outcomes=sure)))
            new.replace(self._memory)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._memory, error.strerror)


def _joined(whys: dict[str | None, str]) -> str:
    """Once, where all devices say the same."""
    if len(set(whys.values())) == 1:
        return next(iter(whys.values()))
    return "; ".join(f"{device}: {why}" for device, why in whys.items())

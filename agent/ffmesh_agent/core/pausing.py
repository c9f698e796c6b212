"""Which of the attempts here stand still, and why. A pure rule, asked anew after each event.

Of those that have a slot of a kind, what somebody waits for comes first, and then the rest by age; who comes after as
many as there are slots stands still until there is room again. What ends, or is made to end, is never stopped: it goes
on until it has ended. While this machine pauses for another reason, all that nobody waits for stand still.
"""

from collections.abc import Callable, Iterable
from typing import Final

from ffmesh_agent.core.attempt import About, Attempt
from ffmesh_agent.core.desk import Desk
from ffmesh_agent.core.effects import Pause, Resume
from ffmesh_agent.core.willing import why_all_stand_still
from ffmesh_protocol.messages.jobs import JobKind

HAS_THE_SLOT: Final = "an interactive job has its slot"
TOO_FEW: Final = "its agent has fewer slots than before"


def standing_still(
    attempts: Iterable[Attempt], slots: Callable[[str], int], everything: str | None = None
) -> dict[str, str]:
    """Of these attempts, the oldest first, those that stand still, each with the reason.

    `slots`: how many there are of a kind. `everything`: why all stand still that nobody waits for.
    """
    taken = [each for each in attempts if each.takes_slot]
    yielding = [each for each in taken if not goes_first(each)]
    if everything is not None:
        return {each.id: everything for each in yielding}
    # Whose client is not here yet makes nobody stop, but what would begin just now waits for it.
    turns = (
        [each for each in taken if goes_first(each) and _has_begun(each)],
        [each for each in yielding if each.launched],
        [each for each in taken if goes_first(each) and not _has_begun(each)],
        [each for each in yielding if not each.launched],
    )
    waited_for = {each.slot for each in taken if each.kind is JobKind.INTERACTIVE}
    room = {each.slot: slots(each.slot) for each in taken}
    still: dict[str, str] = {}
    for each in (each for turn in turns for each in turn):
        if room[each.slot] <= 0 and not goes_first(each):
            still[each.id] = HAS_THE_SLOT if each.slot in waited_for else TOO_FEW
        room[each.slot] -= 1
    return still


def goes_first(attempt: Attempt) -> bool:
    """It keeps its slot while others stand still."""
    return attempt.kind is JobKind.INTERACTIVE or attempt.stopping is not None or attempt.result is not None


def _has_begun(attempt: Attempt) -> bool:
    return attempt.kind is not JobKind.INTERACTIVE or attempt.launched


class Pausing:
    """Carries the rule out: what is to stand still is stopped, and its allowed time with it."""

    def __init__(self, desk: Desk, slots: Callable[[str], int]) -> None:
        self._desk = desk
        self._slots = slots

    def settle(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Those that may go on from now on."""
        known = list(attempts)
        still = standing_still(known, self._slots, why_all_stand_still(self._desk))
        # Room is made before it is taken.
        for each in known:
            if each.id in still:
                self._pause(each, still[each.id])
        freed = [each for each in known if each.paused is not None and each.id not in still]
        for each in freed:
            self.release(each)
        return freed

    def release(self, attempt: Attempt) -> None:
        """It goes on, or is to hear that it must end."""
        if attempt.paused is None:
            return
        attempt.paused = None
        if attempt.has_program:
            self._desk.order(Resume(attempt=attempt.id))
        if attempt.time_left is not None:
            self._desk.deadlines.set(About.TIMEOUT, attempt.id, self._desk.after(attempt.time_left))
            attempt.time_left = None

    def allow(self, attempt: Attempt, seconds: float) -> None:
        """So long may its program run. What it stands still does not count."""
        if attempt.paused is None:
            self._desk.deadlines.set(About.TIMEOUT, attempt.id, self._desk.after(seconds))
        else:
            attempt.time_left = seconds

    def _pause(self, attempt: Attempt, why: str) -> None:
        was_paused, attempt.paused = attempt.paused is not None, why
        if was_paused or not attempt.launched:
            return
        self._desk.order(Pause(attempt=attempt.id))
        ends_at = self._desk.deadlines.when(About.TIMEOUT, attempt.id)
        if ends_at is not None:
            attempt.time_left = ends_at - self._desk.now
            self._desk.deadlines.lift(About.TIMEOUT, attempt.id)
